"""What a training will cost, and whether the installation is sound."""

import mmzoo.onednn  # noqa: F401  (before TensorFlow)
