"""The networks of the papers as plain Keras models; see `registration_model` for what they take.

Settings that are left out are the paper's. None of these has learned anything yet: a fresh model
is the identity, or next to it.
"""

from collections.abc import Sequence

from mmzoo.framework import keras
from mmzoo.losses import LocalGradient
from mmzoo.models.registration import registration_model
from mmzoo.networks.registration import (
    AdditiveUNet,
    CostVolumeNet,
    DeformGANUNet,
    DIRNet,
    MMRegNet,
    SynthMorph,
    VoxelMorph,
)
from mmzoo.networks.translation import StridedDiscriminator, Translator, UNetGenerator

Size = Sequence[int] | None


def mmregnet(image_size: Size = None, **settings) -> keras.Model:
    """Return MMRegNet (Ding 2021): fields forward and backward.

    Args:
        image_size: (dim1, dim2, dim3), multiples of 16; None for any such size.
        **settings: of `mmzoo.networks.registration.MMRegNet`.
    """
    return registration_model(MMRegNet(image_size, **settings), image_size)


def voxelmorph(image_size: Size = None, **settings) -> keras.Model:
    """Return VoxelMorph (Balakrishnan 2019), the U-Net of de Vos 2020.

    Args:
        image_size: (dim1, dim2, dim3); None for any size.
        **settings: of `mmzoo.networks.registration.VoxelMorph`.
    """
    return registration_model(VoxelMorph(image_size, **settings), image_size)


def synthmorph(image_size: Size = None, **settings) -> keras.Model:
    """Return SynthMorph (Hoffmann 2022), smaller: fields that do not fold.

    Args:
        image_size: (dim1, dim2, dim3); None for any size.
        **settings: of `mmzoo.networks.registration.SynthMorph`.
    """
    return registration_model(SynthMorph(image_size, **settings), image_size)


def cost_volume(image_size: Size = None, **settings) -> keras.Model:
    """Return a search and Gauss-Newton steps with a U-Net behind them: for any two contrasts.

    Args:
        image_size: (dim1, dim2, dim3); None for any size.
        **settings: of `mmzoo.networks.registration.CostVolumeNet`.
    """
    return registration_model(CostVolumeNet(image_size, **settings), image_size)


def dirnet(image_size: Size = None, **settings) -> keras.Model:
    """Return DIRNet (PoolNet of de Vos 2020) with the B-spline of its control points.

    Args:
        image_size: (dim1, dim2, dim3); None for any size.
        **settings: of `mmzoo.networks.registration.DIRNet`.
    """
    return registration_model(DIRNet(image_size, **settings), image_size)


def additive_unet(image_size: Size = None, **settings) -> keras.Model:
    """Return the U-Net of van Ulsen 2022.

    Args:
        image_size: (dim1, dim2, dim3); None for any size.
        **settings: of `mmzoo.networks.registration.AdditiveUNet`.
    """
    return registration_model(AdditiveUNet(image_size, **settings), image_size)


def deform_gan(image_size: Size = None, translated: bool = False, **settings) -> keras.Model:
    """Return the transformation network of Deform-GAN (Zhang 2020).

    Args:
        image_size: (dim1, dim2, dim3), multiples of 2^depth (16); None for any such size.
        translated: have a generator, of the same depth and width, and its image as an output.
        **settings: of `mmzoo.networks.registration.DeformGANUNet`.
    """
    network = DeformGANUNet(image_size, **settings)
    unet = network.unet
    widths = (unet.num_channel_initial, unet.depth, unet.weight_decay)
    generator = UNetGenerator(*widths) if translated else None
    return registration_model(network, image_size, signed=True, generator=generator)


def translator(**settings) -> Translator:
    """Return the translator of Deform-GAN (Zhang 2020), to be compiled with two optimizers.

    Args:
        **settings: of `mmzoo.networks.translation.Translator`; `generator` and `discriminator`
            among them.
    """
    parts = {"generator": UNetGenerator, "discriminator": StridedDiscriminator}
    parts = {"constraint": LocalGradient, **parts}
    built = {key: build() for key, build in parts.items() if key not in settings}
    return Translator(**built, **settings)
