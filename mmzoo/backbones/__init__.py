"""Registration networks: Keras models from a pair of images to displacement fields."""

from mmzoo.backbones.additive_unet import AdditiveUNet
from mmzoo.backbones.deform_gan_unet import DeformGANUNet
from mmzoo.backbones.dirnet import DIRNet
from mmzoo.backbones.mmregnet import MMRegNet
from mmzoo.backbones.voxelmorph import VoxelMorph

__all__ = ["AdditiveUNet", "DIRNet", "DeformGANUNet", "MMRegNet", "VoxelMorph"]
