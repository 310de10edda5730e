"""The B-spline transformer as a Keras layer."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf
import tf_keras as keras

from mmzoo.ops.bspline import bspline_field


@keras.saving.register_keras_serializable(package="mmzoo")
class BSplineField(keras.layers.Layer):
    """Dense field of control points; see `mmzoo.ops.bspline.bspline_field`."""

    def __init__(self, shape: Sequence[int], spacing: Sequence[float], **kwargs):
        """Keep the field's (dim1, dim2, dim3) and the control points' spacing in voxels."""
        super().__init__(**kwargs)
        self.shape = tuple(shape)
        self.spacing = tuple(spacing)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Return the field (batch, dim1, dim2, dim3, 3) of coefficients (batch, n1, n2, n3, 3)."""
        return bspline_field(inputs, self.shape, self.spacing)

    def get_config(self) -> dict:
        """Return the settings, for recreating this layer."""
        return {**super().get_config(), "shape": self.shape, "spacing": self.spacing}
