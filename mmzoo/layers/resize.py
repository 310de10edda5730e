"""Trilinear resizing as Keras layers."""

from __future__ import annotations

import tensorflow as tf
import tf_keras as keras

from mmzoo.ops.filters import resize


@keras.saving.register_keras_serializable(package="mmzoo")
class Resize(keras.layers.Layer):
    """Resize (batch, dim1, dim2, dim3, channels) to `shape`, trilinearly; values stay as are."""

    def __init__(self, shape, **kwargs):
        """Keep the target (dim1, dim2, dim3)."""
        super().__init__(**kwargs)
        self.shape = tuple(shape)

    def call(self, inputs):
        """Return the resized volume."""
        return resize(inputs, self.shape)

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
        return resize(halves, [2 * n for n in inputs.shape[1:4]])
