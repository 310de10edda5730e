"""Keras layers that networks, methods and augmentations are made of."""

import mmzoo.onednn  # noqa: F401  (before TensorFlow)
from mmzoo.layers.augmentation import RandomAffine
from mmzoo.layers.bspline import BSplineField
from mmzoo.layers.contrast import RandomContrast
from mmzoo.layers.conv_block import ConvBlock
from mmzoo.layers.deformation import RandomDeformation
from mmzoo.layers.pair import Pair
from mmzoo.layers.resize import AdditiveUpsampling, Resize
from mmzoo.layers.shapes import RandomShapes
from mmzoo.layers.unet import UNet
from mmzoo.layers.warp import Warp

__all__ = [
    "AdditiveUpsampling",
    "BSplineField",
    "ConvBlock",
    "Pair",
    "RandomAffine",
    "RandomContrast",
    "RandomDeformation",
    "RandomShapes",
    "Resize",
    "UNet",
    "Warp",
]
