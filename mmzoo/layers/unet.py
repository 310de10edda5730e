"""The U-Net that transformation network and generator of Deform-GAN share, up to its output layer.

Source: Deform-GAN (Zhang et al. 2020) says "U-Net-like"; the layers are those of the authors' code
(Lauraxy/Multi_Modal_Registration): two 3^3 convolutions a level, maximum pooling, nearest-neighbour
doubling followed by a 2^3 convolution, concatenated skips, no normalisation, an L2 penalty on the
kernels.
"""

import numpy as np
import tensorflow as tf

from mmzoo.framework import keras

WEIGHT_DECAY = 1e-4  # of the L2 penalty on every kernel


@keras.saving.register_keras_serializable(package="mmzoo")
class UNet(keras.layers.Layer):
    """Features at full resolution: (batch, dim1, dim2, dim3, num_channel_initial).

    Each axis of the input must be a multiple of 2^depth. With 16 channels and a depth of 4 it has
    5.6 million parameters. The L2 penalty is in `losses`.
    """

    def __init__(
        self,
        num_channel_initial: int = 16,
        depth: int = 4,
        weight_decay: float = WEIGHT_DECAY,
        **kwargs,
    ):
        """Build the layers.

        Args:
            num_channel_initial: channels of the first level, doubled at each further one.
            depth: how often the volume is halved.
            weight_decay: factor of the sum of squares of every kernel; 0 for none.
            **kwargs: for `keras.layers.Layer`.
        """
        super().__init__(**kwargs)
        self.num_channel_initial = num_channel_initial
        self.depth = depth
        self.weight_decay = weight_decay
        channels = [num_channel_initial * 2**level for level in range(depth + 1)]
        self.down = [_Twice(n, weight_decay) for n in channels]
        self.pool = keras.layers.MaxPool3D(2)
        self.up = [_Up(n, weight_decay) for n in reversed(channels[:-1])]

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Return the features of (batch, dim1, dim2, dim3, channels)."""
        skips = [self.down[0](inputs)]
        for down in self.down[1:]:
            skips.append(down(self.pool(skips[-1])))
        features = skips.pop()
        for up in self.up:
            features = up([features, skips.pop()])
        return features

    def get_config(self) -> dict:
        """Return the settings, for recreating this layer."""
        names = ("num_channel_initial", "depth", "weight_decay")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


class _Twice(keras.layers.Layer):
    """Two 3^3 convolutions with ReLU."""

    def __init__(self, filters: int, weight_decay: float):
        super().__init__(name="twice")
        self.convs = [_conv(filters, weight_decay) for _ in range(2)]

    def call(self, inputs):
        return self.convs[1](self.convs[0](inputs))


class _Up(keras.layers.Layer):
    """One level of the decoder, from [coarser features, skip]."""

    def __init__(self, filters: int, weight_decay: float):
        super().__init__(name="up")
        self.double = _Double(filters, weight_decay)
        self.first = _Beside(filters, weight_decay)
        self.second = _conv(filters, weight_decay)

    def call(self, inputs):
        coarse, skip = inputs
        return self.second(self.first([skip, self.double(coarse)]))


class _Double(keras.layers.Layer):
    """Nearest-neighbour doubling followed by a 2^3 convolution and ReLU.

    Computed as the transposed convolution whose kernel adds up the taps that meet the same coarse
    voxel: the sums are the same, and the eight times repeated features are never in memory.
    """

    # Row: coarse voxel seen from so many fine voxels; column: tap. The last row fills up to four,
    # whose middle is the coarse voxel's.
    REACH = np.array([[0, 1], [1, 1], [1, 0], [0, 0]])

    def __init__(self, filters: int, weight_decay: float):
        super().__init__(name="double")
        self.filters = filters
        self.weight_decay = weight_decay

    def build(self, input_shape):
        self.kernel, self.bias = _weights(self, 2, input_shape[-1])

    def call(self, inputs):
        kernel = self.kernel
        for _ in range(3):  # the last of three axes each time, which goes first
            kernel = tf.tensordot(tf.constant(self.REACH, kernel.dtype), kernel, [[1], [2]])
        shape = tf.shape(inputs)
        doubled = tf.nn.conv3d_transpose(
            inputs,
            tf.transpose(kernel, [0, 1, 2, 4, 3]),
            tf.concat([shape[:1], 2 * shape[1:4], [self.filters]], axis=0),
            (1, 2, 2, 2, 1),
        )
        return tf.nn.relu(tf.nn.bias_add(doubled, self.bias))


class _Beside(keras.layers.Layer):
    """A 3^3 convolution with ReLU over two concatenated volumes, without concatenating them."""

    def __init__(self, filters: int, weight_decay: float):
        super().__init__(name="beside")
        self.filters = filters
        self.weight_decay = weight_decay

    def build(self, input_shape):
        self.channels = [shape[-1] for shape in input_shape]
        self.kernel, self.bias = _weights(self, 3, sum(self.channels))

    def call(self, inputs):
        kernels = tf.split(self.kernel, self.channels, axis=3)
        one, other = (
            tf.nn.conv3d(features, kernel, (1, 1, 1, 1, 1), "SAME")
            for features, kernel in zip(inputs, kernels, strict=True)
        )
        return tf.nn.relu(tf.nn.bias_add(one + other, self.bias))


def _weights(layer, size: int, channels: int):
    """Return kernel and bias of a convolution of size^3 to the layer's filters."""
    kernel = layer.add_weight(
        name="kernel",
        shape=(size, size, size, channels, layer.filters),
        initializer="he_normal",
        regularizer=_penalty(layer.weight_decay),
    )
    return kernel, layer.add_weight(name="bias", shape=(layer.filters,), initializer="zeros")


def _conv(filters: int, weight_decay: float) -> keras.layers.Conv3D:
    return keras.layers.Conv3D(
        filters,
        3,
        padding="same",
        activation="relu",
        kernel_initializer="he_normal",
        kernel_regularizer=_penalty(weight_decay),
    )


def _penalty(weight_decay: float):
    return keras.regularizers.L2(weight_decay) if weight_decay else None
