"""Cubic B-splines: a dense displacement field from a coarse grid of control points.

Source: Rueckert et al. 1999, as in de Vos 2017 (DIRNet) and 2020. Differs from the code of de Vos
(BDdeVos/TorchIR), a transposed convolution: there a control point sits half a voxel off the middle
of its cell, and no control points beyond the image let every field fall off at its border. Here
they sit in the middle, and the outermost ones are repeated beyond the border, so that a constant
field is reproduced.
"""

import math
from collections.abc import Sequence
from types import ModuleType

import numpy as np
import tensorflow as tf

from mmzoo.checks import check_ddf, check_positive
from mmzoo.ops.filters import apply_along_axes
from mmzoo.ops.grid import are_known, dims_of
from mmzoo.ops.matrices import line, real


def bspline_field(
    coefficients: tf.Tensor, shape: Sequence[int], spacing: Sequence[float]
) -> tf.Tensor:
    """Return the field that control points make.

        u(x) = sum_ijk c_ijk b(p_1 - i) b(p_2 - j) b(p_3 - k),  p_a = (x_a + 1/2) / spacing_a - 1/2

    with the cubic B-spline b and c continued by its border values. Control point i lies in the
    middle of the i-th cell of `spacing` voxels. Smooth up to its second derivative; it reproduces a
    constant everywhere and, where all four control points of an axis lie inside, every affine
    field whose coefficients are. A spacing of 1 smooths by [1, 4, 1] / 6. It costs three products
    of matrices.

    Args:
        coefficients: (batch, n1, n2, n3, 3), voxels, n_a = ceil(dim_a / spacing_a).
        shape: (dim1, dim2, dim3) of the field, any, numbers or scalar tensors.
        spacing: of the control points along each axis, voxels, need not be whole numbers.

    Returns:
        (batch, dim1, dim2, dim3, 3), voxels, within the range of the coefficients.

    Raises:
        ValueError: no field of control points, or not as many as the shape and the spacing want.
    """
    check_ddf("coefficients", coefficients)
    given = dims_of(coefficients)
    wanted = control_shape(shape, spacing) if are_known(*shape) else None
    if wanted and are_known(*given) and tuple(given) != wanted:
        raise ValueError(
            f"`coefficients` must have {wanted} control points for a field of {tuple(shape)} at a "
            f"spacing of {tuple(spacing)} voxels, got {tuple(given)}."
        )
    matrices = [
        bspline_matrix((line(dim) + 0.5) / step - 0.5, count)
        for dim, step, count in zip(shape, spacing, given, strict=True)
    ]
    dense = apply_along_axes(tf.transpose(coefficients, [0, 4, 1, 2, 3]), matrices)
    return tf.transpose(dense, [0, 2, 3, 4, 1])


def control_shape(shape: Sequence[int], spacing: Sequence[float]) -> tuple[int, ...]:
    """Return the number of control points along each axis; ValueError for no spacing."""
    for step in spacing:
        check_positive("spacing", step)
    return tuple(math.ceil(dim / step) for dim, step in zip(shape, spacing, strict=True))


def bspline_matrix(
    position: np.ndarray | tf.Tensor, num_control: int | tf.Tensor, derivative: int = 0
) -> np.ndarray | tf.Tensor:
    """Return the weight of each control point of an axis at some positions, (n, num_control).

    An array, or a tensor where one of the two is; float64.

    Args:
        position: (n,) float64, in distances of control points from the first one, anywhere; beyond
            the ends their values go on.
        num_control: of the axis.
        derivative: 0, 1 or 2, of the weights with respect to the position.
    """
    ops = tf if tf.is_tensor(position) or tf.is_tensor(num_control) else np
    matrix = 0.0
    for step in range(-1, 3):
        index = ops.floor(position) + step
        inside = ops.minimum(ops.maximum(index, 0), real(num_control) - 1)
        weights = cubic_bspline(position - index, derivative, ops)
        matrix += ops.where(inside[:, None] == line(num_control)[None, :], weights[:, None], 0.0)
    return matrix


def cubic_bspline(
    distance: np.ndarray | tf.Tensor, derivative: int = 0, ops: ModuleType = np
) -> np.ndarray | tf.Tensor:
    """Return b(t): 2/3 - t^2 + |t|^3 / 2 up to 1, (2 - |t|)^3 / 6 up to 2, then 0.

    Args:
        distance: t, an array or a tensor.
        derivative: 0, 1 or 2, with respect to t.
        ops: NumPy or TensorFlow.
    """
    t = ops.abs(distance)
    rest = ops.maximum(2 - t, 0)
    if derivative == 2:
        return ops.where(t < 1, 3 * t - 2, rest)
    if derivative == 1:
        return ops.sign(distance) * ops.where(t < 1, (1.5 * t - 2) * t, -(rest**2) / 2)
    return ops.where(t < 1, 2 / 3 - t**2 + t**3 / 2, rest**3 / 6)
