"""Registration networks: Keras models from a pair of images to displacement fields."""

from mmzoo.backbones.mmregnet import MMRegNet
from mmzoo.backbones.voxelmorph import VoxelMorph

__all__ = ["MMRegNet", "VoxelMorph"]
