"""Keras' convolution, quicker where the channels are few."""

import tensorflow as tf

from mmzoo.framework import keras
from mmzoo.ops.convolution import conv3d


@keras.saving.register_keras_serializable(package="mmzoo")
class Conv3D(keras.layers.Conv3D):
    """`keras.layers.Conv3D`, its settings, weights and values; see `mmzoo.ops.convolution`."""

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """Return the convolution without bias."""
        plain = self.padding == "same" and self.data_format == "channels_last" and self.groups == 1
        if plain and set(self.strides + self.dilation_rate) == {1}:
            return conv3d(inputs, kernel)
        return super().convolution_op(inputs, kernel)
