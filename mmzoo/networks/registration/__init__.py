"""Registration networks: Keras models from a pair of images to displacement fields."""

from mmzoo.networks.registration.additive_unet import AdditiveUNet
from mmzoo.networks.registration.cost_volume import CostVolumeNet
from mmzoo.networks.registration.deform_gan_unet import DeformGANUNet
from mmzoo.networks.registration.dirnet import DIRNet
from mmzoo.networks.registration.mmregnet import MMRegNet
from mmzoo.networks.registration.synthmorph import SynthMorph
from mmzoo.networks.registration.voxelmorph import VoxelMorph

__all__ = [
    "AdditiveUNet",
    "CostVolumeNet",
    "DIRNet",
    "DeformGANUNet",
    "MMRegNet",
    "SynthMorph",
    "VoxelMorph",
]
