"""The B-spline transformer as a Keras layer."""

from collections.abc import Sequence

import tensorflow as tf

from mmzoo.framework import keras
from mmzoo.ops.bspline import bspline_field
from mmzoo.ops.grid import dims_of


@keras.saving.register_keras_serializable(package="mmzoo")
class BSplineField(keras.layers.Layer):
    """Dense field of control points; see `mmzoo.ops.bspline.bspline_field`."""

    def __init__(self, shape: Sequence[int] | None, spacing: Sequence[float], **kwargs):
        """Keep the field's size and the spacing of the control points.

        Args:
            shape: (dim1, dim2, dim3) of the field; None for the size of a second input.
            spacing: of the control points along each axis, voxels.
            **kwargs: for `keras.layers.Layer`.
        """
        super().__init__(**kwargs)
        self.shape = None if shape is None else tuple(shape)
        self.spacing = tuple(spacing)

    def call(self, inputs) -> tf.Tensor:
        """Return the field (batch, dim1, dim2, dim3, 3) of coefficients (batch, n1, n2, n3, 3).

        `inputs` is [coefficients, an image (batch, dim1, dim2, dim3, ...)] where there is no size.
        """
        if self.shape is not None:
            return bspline_field(inputs, self.shape, self.spacing)
        coefficients, image = inputs
        return bspline_field(coefficients, dims_of(image), self.spacing)

    def get_config(self) -> dict:
        """Return the settings, for recreating this layer."""
        return {**super().get_config(), "shape": self.shape, "spacing": self.spacing}
