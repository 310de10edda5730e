"""The papers' networks as plain Keras models: moving and fixed image in, field and image out.

Needs no DeepReg; `mmzoo.deepreg.methods` has what DeepReg trains.
"""

import mmzoo.onednn  # noqa: F401  (before TensorFlow)
from mmzoo.models.registration import registration_model
from mmzoo.models.zoo import (
    additive_unet,
    cost_volume,
    deform_gan,
    dirnet,
    mmregnet,
    synthmorph,
    translator,
    voxelmorph,
)

__all__ = [
    "additive_unet",
    "cost_volume",
    "deform_gan",
    "dirnet",
    "mmregnet",
    "registration_model",
    "synthmorph",
    "translator",
    "voxelmorph",
]
