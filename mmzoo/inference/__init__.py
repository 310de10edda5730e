"""Finished trainings put to use: load, predict, refine, export."""

import mmzoo.onednn  # noqa: F401  (before TensorFlow)
