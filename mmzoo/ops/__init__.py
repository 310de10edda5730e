"""Stateless tensor functions: volumes in, volumes out."""

import mmzoo.onednn  # noqa: F401  (before TensorFlow)
