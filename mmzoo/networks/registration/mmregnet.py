"""MMRegNet: one network, two displacement fields, forward and backward.

Source: Ding et al. 2021, Eq. 1 and section 2; the architecture is in the authors' code only
(NanYoMy/mmregnet, which grew from the LocalNet of Hu et al. 2018 with a second set of heads).
With 4 initial channels and two input images it has 317,000 parameters.
Differs from the authors' code: resizing aligns voxel centres.
"""

import functools
from collections.abc import Sequence

import tensorflow as tf

from mmzoo.checks import check_halvings, check_positive, check_rank
from mmzoo.framework import keras
from mmzoo.layers import AdditiveUpsampling, ConvBlock, Resize
from mmzoo.layers.flow import flow_layer
from mmzoo.layers.precision import precision_of_weights
from mmzoo.ops.pad import check_can_be_halved

LEVELS = 4  # times the volume is halved
MOMENTUM = 0.9  # of the batch normalisation's moving averages

_ConvBlock = functools.partial(ConvBlock, momentum=MOMENTUM)


@keras.saving.register_keras_serializable(package="mmzoo")
class MMRegNet(keras.Model):
    """The registration network of Ding 2021.

    Input: (batch, dim1, dim2, dim3, channels): moving and fixed image as channels.
    Output: (batch, dim1, dim2, dim3, out_channels * num_fields), linear. With the default two
    fields of three channels: the forward ddf U in [..., :3] and the backward ddf V in [..., 3:],
    voxels. The output layers start at zero, so an untrained network is the identity.
    """

    def __init__(
        self,
        image_size: Sequence[int] | None = None,
        num_channel_initial: int = 4,
        num_fields: int = 2,
        out_channels: int = 3,
        out_kernel_initializer: str = "zeros",
        out_activation: str | None = None,
        field_scale: float = 1.0,
        name: str = "MMRegNet",
        **kwargs,
    ):
        """Build the layers.

        Args:
            image_size: (dim1, dim2, dim3), each a multiple of 16; None if it changes.
            num_channel_initial: channels of the first level, doubled at each of four levels.
            num_fields: how many fields the network predicts.
            out_channels: channels of one field.
            out_kernel_initializer: of the output layers.
            out_activation: of the output layers.
            field_scale: factor of the output. Below 1 it shortens the first steps of a training,
                in which Adam moves all weights of the zero-started output layers alike.
            name: of the model.
            **kwargs: for `keras.Model`.

        Raises:
            ValueError: an axis cannot be halved four times, or field_scale is not positive.
        """
        super().__init__(name=name, **kwargs)
        check_positive("field_scale", field_scale)
        if image_size is not None:
            check_halvings("mmregnet", image_size, LEVELS)
        self.image_size = None if image_size is None else tuple(image_size)
        self.num_channel_initial = num_channel_initial
        self.num_fields = num_fields
        self.out_channels = out_channels
        self.out_kernel_initializer = out_kernel_initializer
        self.out_activation = out_activation
        self.field_scale = field_scale

        # === Layers ===
        channels = [num_channel_initial * 2**level for level in range(LEVELS + 1)]
        self.down = [_Down(channels[i], 7 if i == 0 else 3) for i in range(LEVELS)]
        self.bottom = _ConvBlock(channels[LEVELS], 3)
        self.up = [_Up(channels[i]) for i in range(LEVELS)]
        # One convolution carries the heads of all fields: they share its input, not its weights.
        self.heads = [
            flow_layer(
                out_channels * num_fields, out_kernel_initializer, out_activation, f"head_{level}"
            )
            for level in range(LEVELS + 1)
        ]
        self.resize = Resize(dtype=precision_of_weights())

    # === Forward ===
    def call(self, inputs: tf.Tensor, training=None, mask=None) -> tf.Tensor:
        """Return the fields of a pair: (batch, dim1, dim2, dim3, out_channels * num_fields)."""
        check_rank("inputs", inputs, (5,))
        inputs = check_can_be_halved("mmregnet", inputs, LEVELS)
        skips = []
        features = inputs
        for down in self.down:
            features, skip = down(features, training=training)
            skips.append(skip)
        features = self.bottom(features, training=training)
        fields = self.resize([self.heads[LEVELS](features), inputs])
        for level in reversed(range(LEVELS)):
            features = self.up[level]([features, skips[level]], training=training)
            fields += self.resize([self.heads[level](features), inputs])
        return self.field_scale * fields

    # === Config ===
    def get_config(self) -> dict:
        """Return the settings, for recreating this network."""
        names = ["image_size", "num_channel_initial", "num_fields", "out_channels"]
        names += ["out_kernel_initializer", "out_activation", "field_scale", "name"]
        return {name: getattr(self, name) for name in names}


class _Down(keras.layers.Layer):
    """One level of the encoder: returns (the halved volume, the skip)."""

    def __init__(self, filters: int, kernel_size: int):
        super().__init__(name="down")
        self.first = _ConvBlock(filters, kernel_size)
        self.second = _ConvBlock(filters, 3)
        self.third = _ConvBlock(filters, 3, relu=False)
        self.pool = keras.layers.MaxPool3D(2)

    def call(self, inputs, training=None):
        skip = self.first(inputs, training=training)
        residual = self.third(self.second(skip, training=training), training=training)
        return self.pool(tf.nn.relu(residual + skip)), skip


class _Up(keras.layers.Layer):
    """One level of the decoder, from [the coarser features, the skip]."""

    def __init__(self, filters: int):
        super().__init__(name="up")
        self.double = _ConvBlock(filters, 3, transposed=True)
        self.upsample = AdditiveUpsampling()
        self.first = _ConvBlock(filters, 3)
        self.second = _ConvBlock(filters, 3, relu=False)

    def call(self, inputs, training=None):
        features, skip = inputs
        features = self.double(features, training=training) + self.upsample(features)
        residual = self.second(self.first(features, training=training), training=training)
        return tf.nn.relu(residual + features + skip)
