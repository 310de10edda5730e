"""The U-Net of van Ulsen 2022: few channels, skips that are added, batch normalisation.

Source: van Ulsen 2022, section 3.5 and Fig. 3.6. With two input images it has 79,335 trainable
parameters; the thesis says "~160k", which its description does not give, nor do the three
convolutions a level that DeepReg's U-Net has (138k).
What the thesis leaves open is as in DeepReg, on which it builds: convolutions without bias, batch
normalisation and ReLU after the transposed convolutions too, an output layer that starts at zero.
Differs from the thesis: volumes may have any size.
"""

from collections.abc import Sequence

import tensorflow as tf

from mmzoo.checks import check_rank, check_three_axes
from mmzoo.framework import keras
from mmzoo.layers import ConvBlock
from mmzoo.layers.flow import flow_layer
from mmzoo.ops.pad import cut_back, pad_to_multiple

LEVELS = 3  # times the volume is halved


@keras.saving.register_keras_serializable(package="mmzoo")
class AdditiveUNet(keras.Model):
    """The registration network of van Ulsen 2022.

    Input: (batch, dim1, dim2, dim3, channels): moving and fixed image as channels.
    Output: (batch, dim1, dim2, dim3, out_channels), linear: a ddf in voxels. It starts at zero, so
    an untrained network is the identity.

    Two convolutions of 3^3 a level, each with batch normalisation and ReLU; by default

        1, 1/2, 1/4    4, 8, 16 channels, then the maximum of 2^3 voxels
        1/8            32
        1/4, 1/2, 1    transposed convolution of 2^3, plus the encoder's: 16, 8, 4 channels
        1              output, one convolution of 3^3

    An axis that is no multiple of 8 is padded at its far end with border values, and the field is
    cropped back. The weights do not depend on the image size.
    """

    def __init__(
        self,
        image_size: Sequence[int] | None = None,
        num_channel_initial: int = 4,
        out_channels: int = 3,
        out_kernel_initializer: str | dict = "zeros",
        out_activation: str | None = None,
        name: str = "AdditiveUNet",
        **kwargs,
    ):
        """Build the layers.

        Args:
            image_size: (dim1, dim2, dim3), any; None if it changes.
            num_channel_initial: channels at full resolution, doubled at each of three levels.
            out_channels: channels of the field.
            out_kernel_initializer: of the output layer.
            out_activation: of the output layer.
            name: of the model.
            **kwargs: for `keras.Model`.

        Raises:
            ValueError: not three axes.
        """
        super().__init__(name=name, **kwargs)
        check_three_axes("image_size", image_size)
        self.image_size = None if image_size is None else tuple(image_size)
        self.num_channel_initial = num_channel_initial
        self.out_channels = out_channels
        self.out_kernel_initializer = out_kernel_initializer
        self.out_activation = out_activation

        # === Layers ===
        channels = [num_channel_initial * 2**level for level in range(LEVELS + 1)]
        self.down = [_Pair(n) for n in channels[:LEVELS]]
        self.pool = keras.layers.MaxPool3D(2)
        self.bottom = _Pair(channels[LEVELS])
        self.double = [ConvBlock(n, 2, transposed=True) for n in channels[:LEVELS]]
        self.up = [_Pair(n) for n in channels[:LEVELS]]
        self.flow = flow_layer(out_channels, out_kernel_initializer, out_activation)

    # === Forward ===
    def call(self, inputs: tf.Tensor, training=None, mask=None) -> tf.Tensor:
        """Return the field of a pair: (batch, dim1, dim2, dim3, out_channels)."""
        check_rank("inputs", inputs, (5,))
        features = pad_to_multiple(inputs, (2**LEVELS,) * 3)
        skips = []
        for down in self.down:
            skips.append(down(features, training=training))
            features = self.pool(skips[-1])
        features = self.bottom(features, training=training)
        for level in reversed(range(LEVELS)):
            features = self.double[level](features, training=training) + skips[level]
            features = self.up[level](features, training=training)
        return cut_back(self.flow(features), inputs)

    # === Config ===
    def get_config(self) -> dict:
        """Return the settings, for recreating this network."""
        names = ["image_size", "num_channel_initial", "out_channels"]
        names += ["out_kernel_initializer", "out_activation", "name"]
        return {name: getattr(self, name) for name in names}


class _Pair(keras.layers.Layer):
    """The two convolutions of a level."""

    def __init__(self, filters: int):
        super().__init__(name="pair")
        self.first = ConvBlock(filters, 3)
        self.second = ConvBlock(filters, 3)

    def call(self, inputs, training=None):
        return self.second(self.first(inputs, training=training), training=training)
