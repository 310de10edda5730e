"""Cubic B-splines: a dense displacement field from a coarse grid of control points.

Source: Rueckert et al. 1999, as in de Vos 2017 (DIRNet) and 2020. Differs from the code of de Vos
(BDdeVos/TorchIR), a transposed convolution: there a control point sits half a voxel off the middle
of its cell, and no control points beyond the image let every field fall off at its border. Here
they sit in the middle, and the outermost ones go on beyond the border, so that a constant is kept.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from mmzoo.checks import check_ddf, check_positive
from mmzoo.ops.filters import apply_along_axes, line, real
from mmzoo.ops.grid import are_known, dims_of


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
    axes = zip(given, spacing, shape, strict=True)
    components = tf.transpose(coefficients, [0, 4, 1, 2, 3])
    dense = apply_along_axes(components, [bspline_matrix(*axis) for axis in axes])
    return tf.transpose(dense, [0, 2, 3, 4, 1])


def control_shape(shape: Sequence[int], spacing: Sequence[float]) -> tuple[int, ...]:
    """Return the number of control points along each axis; ValueError for no spacing."""
    for step in spacing:
        check_positive("spacing", step)
    return tuple(math.ceil(dim / step) for dim, step in zip(shape, spacing, strict=True))


def bspline_matrix(num_control, spacing: float, dim):
    """Return the weight of each control point at each voxel of an axis, (dim, num_control).

    An array, or a tensor where one of the two numbers is a scalar tensor; float64.
    """
    ops = np if are_known(num_control, dim) else tf
    position = (line(dim) + 0.5) / spacing - 0.5
    matrix = 0.0
    for step in range(-1, 3):
        index = ops.floor(position) + step
        inside = ops.minimum(ops.maximum(index, 0), real(num_control) - 1)
        weights = cubic_bspline(position - index, ops)
        matrix += ops.where(inside[:, None] == line(num_control)[None, :], weights[:, None], 0.0)
    return matrix


def cubic_bspline(distance, ops=np):
    """Return b(t): 2/3 - t^2 + |t|^3 / 2 up to 1, (2 - |t|)^3 / 6 up to 2, then 0.

    Args:
        distance: t, an array or a tensor.
        ops: NumPy or TensorFlow.
    """
    t = ops.abs(distance)
    inner, outer = 2 / 3 - t**2 + t**3 / 2, ops.maximum(2 - t, 0) ** 3 / 6
    return ops.where(t < 1, inner, outer)
