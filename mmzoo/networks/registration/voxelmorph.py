"""VoxelMorph: the direct U-Net that registration papers of 2018 to 2021 compare with.

Source: Balakrishnan et al. 2019, "VoxelMorph: A Learning Framework for Deformable Medical Image
Registration", in the layers of its code of that time (voxelmorph/voxelmorph, src/networks.py,
"vm2"). Ding 2021 takes it as the baseline VM-NCC, de Vos 2020 as the design of its U-Net. With two
input images it has 300,547 parameters. The code of today is another network: it pools where this
one has strides, convolves at full resolution first and integrates a velocity.
Differs from the code of 2019: the strides may be set by level and axis, for anisotropic voxels, and
volumes may have any size.
"""

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from mmzoo.checks import check_rank, check_three_axes
from mmzoo.framework import keras
from mmzoo.layers.flow import NEARLY_ZERO, flow_layer
from mmzoo.ops.pad import cut_back, pad_to_multiple

ENCODER = (16, 32, 32, 32)
DECODER = (32, 32, 32, 32, 32, 16, 16)
SLOPE = 0.2  # of the leaky ReLU below zero


@keras.saving.register_keras_serializable(package="mmzoo")
class VoxelMorph(keras.Model):
    """The registration network of Balakrishnan 2019.

    Input: (batch, dim1, dim2, dim3, channels): moving and fixed image as channels.
    Output: (batch, dim1, dim2, dim3, out_channels), linear: a ddf in voxels.

    Convolutions of 3^3, each but the last with a leaky ReLU; with the default strides of 2:

        1/2, 1/4, 1/8, 1/16   strided: 16, 32, 32, 32 channels, from the input
        1/16                  32
        1/8, 1/4, 1/2         doubled (nearest), beside the encoder's: 32, 32, 32
        1/2                   32
        1                     doubled, beside the input: 16, then 16
        1                     output

    An axis that the strides do not divide is padded at its far end with border values, and the
    field is cropped back. The weights do not depend on the image size: a network trained on patches
    predicts whole volumes.
    """

    def __init__(
        self,
        image_size: Sequence[int] | None = None,
        encoder: Sequence[int] = ENCODER,
        decoder: Sequence[int] = DECODER,
        strides: int | Sequence = 2,
        out_channels: int = 3,
        out_kernel_initializer: str | dict = NEARLY_ZERO,
        out_activation: str | None = None,
        name: str = "VoxelMorph",
        **kwargs,
    ):
        """Build the layers.

        Args:
            image_size: (dim1, dim2, dim3), any; None if it changes.
            encoder: channels of each level.
            decoder: channels of its convolutions from coarse to fine: one a level, one more at
                the finest of these, and at least one at full resolution.
            strides: of the encoder: one number; or three, one an axis; or for each level a number
                or three.
            out_channels: channels of the field.
            out_kernel_initializer: of the output layer. The published one, normal of standard
                deviation 1e-5, starts close to the identity. DeepReg asks for "zeros" where
                `train.backbone` has no `out_kernel_initializer`.
            out_activation: of the output layer.
            name: of the model.
            **kwargs: for `keras.Model`.

        Raises:
            ValueError: not three axes, or strides or channels that do not fit the levels.
        """
        super().__init__(name=name, **kwargs)
        check_decoder(encoder, decoder, 2)
        levels = len(encoder)
        self.strides = strides_of_levels(strides, levels)
        check_three_axes("image_size", image_size)
        self.steps = tuple(math.prod(axis) for axis in zip(*self.strides, strict=True))
        self.image_size = None if image_size is None else tuple(image_size)
        self.encoder = tuple(encoder)
        self.decoder = tuple(decoder)
        self.out_channels = out_channels
        self.out_activation = out_activation

        # === Layers ===
        upwards = self.strides[::-1]  # of the decoder's steps, from coarse to fine
        self.down = [strided_conv(n, s) for n, s in zip(encoder, self.strides, strict=True)]
        self.bottom = strided_conv(decoder[0])
        self.up = [Finer(n, s) for n, s in zip(decoder[1:levels], upwards, strict=False)]
        self.last = strided_conv(decoder[levels])
        self.top = Finer(decoder[levels + 1], upwards[-1])
        self.full = [strided_conv(n) for n in decoder[levels + 2 :]]
        self.flow = flow_layer(out_channels, out_kernel_initializer, out_activation)

    # === Forward ===
    def call(self, inputs: tf.Tensor, training=None, mask=None) -> tf.Tensor:
        """Return the field of a pair: (batch, dim1, dim2, dim3, out_channels)."""
        check_rank("inputs", inputs, (5,))
        padded = pad_to_multiple(inputs, self.steps)
        skips = [padded]
        for down in self.down:
            skips.append(down(skips[-1]))
        features = self.bottom(skips.pop())
        for up in self.up:
            features = up([features, skips.pop()])
        features = self.top([self.last(features), padded])
        for full in self.full:
            features = full(features)
        return cut_back(self.flow(features), inputs)

    # === Config ===
    def get_config(self) -> dict:
        """Return the settings, for recreating this network."""
        names = ["image_size", "encoder", "decoder", "strides", "out_channels", "out_activation"]
        initializer = keras.initializers.serialize(self.flow.kernel_initializer)
        settings = {name: getattr(self, name) for name in (*names, "name")}
        return {**settings, "out_kernel_initializer": initializer}


def check_decoder(encoder: Sequence[int], decoder: Sequence[int], more: int) -> None:
    """Raise ValueError unless a decoder has one convolution a level and so many more."""
    least = len(encoder) + more
    if not encoder or len(decoder) < least:
        raise ValueError(
            f"`decoder` needs the channels of at least {least} convolutions for {len(encoder)} "
            f"levels of `encoder` (at least 1), got {tuple(decoder)}."
        )


def strides_of_levels(strides: int | Sequence, levels: int) -> tuple[tuple[int, int, int], ...]:
    """Return the strides along three axes, for each level; ValueError for other forms."""
    each = [strides] * levels
    if isinstance(strides, Sequence) and any(isinstance(s, Sequence) for s in strides):
        each = list(strides)
    triples = tuple(tuple(s) if isinstance(s, Sequence) else (s, s, s) for s in each)
    if len(triples) != levels or not all(
        len(triple) == 3 and all(isinstance(n, int) and n > 0 for n in triple) for triple in triples
    ):
        raise ValueError(
            "`strides` must be a whole number above 0, or three, one an axis, or one of these for "
            f"each of the {levels} levels of `encoder`, got {strides!r}."
        )
    return triples


def strided_conv(filters: int, strides=1) -> keras.layers.Conv3D:
    """Return a convolution of 3^3 voxels with a leaky ReLU."""
    return keras.layers.Conv3D(
        filters,
        3,
        strides,
        padding="same",
        kernel_initializer="he_normal",
        activation=_leaky_relu,
    )


def _leaky_relu(features: tf.Tensor) -> tf.Tensor:
    return tf.nn.leaky_relu(features, SLOPE)


class Finer(keras.layers.Layer):
    """Convolution over [coarse features repeated to the finer grid, finer features] side by side.

    Not computed that way: a convolution over repeated voxels is a transposed convolution whose
    kernel adds up the taps that meet the same coarse voxel. The sums are the same; at strides of 2
    they take 8 products in place of 27, and neither the repeated features nor both side by side are
    ever in memory.
    """

    def __init__(self, filters: int, strides: tuple[int, int, int]):
        super().__init__()
        self.filters = filters
        self.strides = strides

    def build(self, input_shape):
        """Make the weights of a convolution over both inputs."""
        self.channels = [shape[-1] for shape in input_shape]
        shape = (3, 3, 3, sum(self.channels), self.filters)
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer="he_normal")
        self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros")

    def call(self, inputs):
        """Return the features of `inputs` = [coarse, finer] on the finer grid."""
        coarse, finer = inputs
        coarse_kernel, finer_kernel = tf.split(self.kernel, self.channels, axis=3)
        for stride in reversed(self.strides):  # the last of three axes each time, which goes first
            reach = tf.constant(_reach(stride), coarse_kernel.dtype)
            coarse_kernel = tf.tensordot(reach, coarse_kernel, [[1], [2]])
        features = tf.nn.conv3d_transpose(
            coarse,
            tf.transpose(coarse_kernel, [0, 1, 2, 4, 3]),
            tf.concat([tf.shape(finer)[:-1], [self.filters]], axis=0),
            (1, *self.strides, 1),
        )
        features += tf.nn.conv3d(finer, finer_kernel, (1, 1, 1, 1, 1), "SAME")
        return _leaky_relu(features + self.bias)


def _reach(stride: int) -> np.ndarray:
    """Return M (stride + 2, 3): 1 where the kernel, so many fine voxels on, meets a coarse voxel.

    A coarse voxel is `stride` fine ones long, so each tap meets it from as many places in a row.
    """
    matrix = np.zeros((stride + 2, 3))
    for tap in range(3):
        matrix[2 - tap : 2 - tap + stride, tap] = 1
    return matrix
