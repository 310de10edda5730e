"""Trilinear resizing as Keras layers."""

import tensorflow as tf

from mmzoo.framework import keras
from mmzoo.ops.filters import resize
from mmzoo.ops.grid import dims_of


@keras.saving.register_keras_serializable(package="mmzoo")
class Resize(keras.layers.Layer):
    """Resize (batch, dim1, dim2, dim3, channels) trilinearly; values stay as are."""

    def __init__(self, shape=None, **kwargs):
        """Keep the target (dim1, dim2, dim3); None for the size of a second input."""
        super().__init__(**kwargs)
        self.shape = None if shape is None else tuple(shape)

    def call(self, inputs):
        """Return the resized volume; `inputs` is [volume, another] where there is no target."""
        if self.shape is not None:
            return resize(inputs, self.shape)
        volume, like = inputs
        return resize(volume, dims_of(like))

    def get_config(self) -> dict:
        """Return the settings, for recreating this layer."""
        return {**super().get_config(), "shape": self.shape}


@keras.saving.register_keras_serializable(package="mmzoo")
class AdditiveUpsampling(keras.layers.Layer):
    """Double a volume trilinearly and add its two halves of channels: 2c channels become c.

    Source: Hu et al. 2018 (label-driven registration), which MMRegNet's network is built from.
    """

    def call(self, inputs):
        """Return (batch, 2 dim1, 2 dim2, 2 dim3, channels / 2)."""
        # The sum commutes with the resizing; summing first halves the work.
        halves = tf.add_n(tf.split(inputs, 2, axis=-1))
        return resize(halves, [2 * n for n in dims_of(inputs)])
