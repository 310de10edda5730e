"""Convolution, batch normalisation, ReLU: the block that networks are made of."""

import tensorflow as tf

from mmzoo.framework import keras
from mmzoo.layers.convolution import Conv3D
from mmzoo.ops.grid import dims_of


def batch_normalisation(momentum: float) -> keras.layers.BatchNormalization:
    """Return a batch normalisation whose batch is that of all devices of the training.

    Args:
        momentum: of the moving averages.
    """
    # Keras's fused operation, the quicker one, knows of one device alone.
    several = tf.distribute.get_strategy().num_replicas_in_sync > 1
    return keras.layers.BatchNormalization(momentum=momentum, synchronized=several)


@keras.saving.register_keras_serializable(package="mmzoo")
class ConvBlock(keras.layers.Layer):
    """A convolution without bias, or one that doubles the volume; batch normalisation; ReLU."""

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        transposed: bool = False,
        relu: bool = True,
        momentum: float = 0.99,
        **kwargs,
    ):
        """Build the layers.

        Args:
            filters: channels of the output.
            kernel_size: of the convolution, along each axis.
            transposed: a transposed convolution of stride 2, in place of one of stride 1.
            relu: whether a ReLU ends the block.
            momentum: of the batch normalisation's moving averages.
            **kwargs: for `keras.layers.Layer`.
        """
        super().__init__(**kwargs)
        self.settings = {
            "filters": filters,
            "kernel_size": kernel_size,
            "transposed": transposed,
            "relu": relu,
            "momentum": momentum,
        }
        layer = keras.layers.Conv3DTranspose if transposed else Conv3D
        strides = 2 if transposed else 1
        self.conv = layer(filters, kernel_size, strides, padding="same", use_bias=False)
        self.norm = batch_normalisation(momentum)
        self.relu = relu

    def call(self, inputs: tf.Tensor, training=None) -> tf.Tensor:
        """Return (batch, dim1, dim2, dim3, filters), each dim doubled if transposed."""
        features = self.conv(inputs)
        # Two axes in one: on images of two axes Keras normalises in one fused operation, which
        # at full resolution takes a quarter of the time. The statistics are the same.
        (dim1, dim2, dim3), channels = dims_of(features), features.shape[-1]
        flat = tf.reshape(features, [-1, dim1 * dim2, dim3, channels])
        flat = self.norm(flat, training=training)
        features = tf.reshape(flat, [-1, dim1, dim2, dim3, channels])
        return tf.nn.relu(features) if self.relu else features

    def get_config(self) -> dict:
        """Return the settings, for recreating this layer."""
        return {**super().get_config(), **self.settings}
