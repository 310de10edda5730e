"""A grid of cubic B-spline control points over a box: its field at any position, its energies.

The field is that of `mmzoo.ops.bspline`, evaluated at given positions instead of at voxels, so that
one set of control points gives the field on any sampling grid: of a coarse or a fine pyramid level,
or of a whole image around the box. Diffusion and bending energy are computed from the control
points alone.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from mmzoo.ops.bspline import bspline_matrix
from mmzoo.ops.compiled import compiled
from mmzoo.ops.filters import apply_along_axes

# First and second derivatives by axis, and how often each stands in the energy made of them.
FIRST = ((1, 0, 0, 1), (0, 1, 0, 1), (0, 0, 1, 1))
SECOND = ((2, 0, 0, 1), (0, 2, 0, 1), (0, 0, 2, 1), (1, 1, 0, 2), (1, 0, 1, 2), (0, 1, 1, 2))


def control_field(coefficients: tf.Tensor, matrices: Sequence[np.ndarray]) -> tf.Tensor:
    """Return the field of control points.

    Args:
        coefficients: (batch, n1, n2, n3, 3), in any unit.
        matrices: of `bspline_matrix`, one an axis, (dim_a, n_a).

    Returns:
        (batch, dim1, dim2, dim3, 3), in the same unit.
    """
    dense = apply_along_axes(tf.transpose(coefficients, [0, 4, 1, 2, 3]), matrices)
    return tf.transpose(dense, [0, 2, 3, 4, 1])


def control_determinant(
    coefficients: tf.Tensor, positions: Sequence[np.ndarray], spacing: Sequence[float]
) -> tf.Tensor:
    """Return the Jacobian determinant of x + u(x), by the exact derivatives of the spline.

    Args:
        coefficients: (batch, n1, n2, n3, 3), a length.
        positions: as in `bspline_matrix`, one an axis.
        spacing: of the control points along each axis, in the same unit.

    Returns:
        (batch, dim1, dim2, dim3): 0 or less where the field folds.
    """
    components = tf.transpose(coefficients, [0, 4, 1, 2, 3])
    lines = list(zip(positions, components.shape[2:], spacing, strict=True))
    plain = [bspline_matrix(position, count) for position, count, _ in lines]
    slopes = [bspline_matrix(position, count, 1) / step for position, count, step in lines]
    # columns[j][:, i] = d (x + u)_i / d x_j
    columns = []
    for axis in range(3):
        matrices = [slopes[k] if k == axis else plain[k] for k in range(3)]
        unit = tf.reshape(tf.one_hot(axis, 3, dtype=coefficients.dtype), [1, 3, 1, 1, 1])
        columns.append(unit + apply_along_axes(components, matrices))
    return _determinant(*columns)


@compiled
def _determinant(a: tf.Tensor, b: tf.Tensor, c: tf.Tensor) -> tf.Tensor:
    """Return a . (b x c) of vectors (batch, 3, ...)."""
    (a1, a2, a3), (b1, b2, b3), (c1, c2, c3) = (tf.unstack(each, axis=1) for each in (a, b, c))
    return a1 * (b2 * c3 - b3 * c2) + a2 * (b3 * c1 - b1 * c3) + a3 * (b1 * c2 - b2 * c1)


def control_diffusion(
    coefficients: tf.Tensor, positions: Sequence[np.ndarray], spacing: Sequence[float]
) -> tf.Tensor:
    """Return the diffusion energy of the field of control points, from these alone.

        E = mean_x,c  u_1^2 + u_2^2 + u_3^2

    the mean over the positions, the sum over the components: `mmzoo.losses.diffusion`'s terms, as
    `control_bending` has those of bending.

    Args:
        coefficients: (batch, n1, n2, n3, 3), a length.
        positions: as in `bspline_matrix`, one an axis; the mean is over their grid.
        spacing: of the control points along each axis, in the same unit.

    Returns:
        (batch,), at least 0, no unit; 0 for a constant field.
    """
    return _quadratic(coefficients, positions, spacing, FIRST)


def control_bending(
    coefficients: tf.Tensor, positions: Sequence[np.ndarray], spacing: Sequence[float]
) -> tf.Tensor:
    """Return the bending energy of the field of control points, from these alone.

        E = mean_x,c  u_11^2 + u_22^2 + u_33^2 + 2 u_12^2 + 2 u_13^2 + 2 u_23^2

    the mean over the positions, the sum over the components: what
    `mmzoo.losses.bending_energy` takes by differences of any field is here a quadratic form of the
    control points, by the exact derivatives of the spline. It costs next to nothing.

    Args:
        coefficients: (batch, n1, n2, n3, 3), a length.
        positions: as in `bspline_matrix`, one an axis; the mean is over their grid.
        spacing: of the control points along each axis, in the same unit.

    Returns:
        (batch,), at least 0, in 1 / length^2; 0 for a constant field.
    """
    return _quadratic(coefficients, positions, spacing, SECOND)


def _quadratic(
    coefficients: tf.Tensor,
    positions: Sequence[np.ndarray],
    spacing: Sequence[float],
    terms: Sequence[tuple[int, ...]],
) -> tf.Tensor:
    """Return the mean over the positions of squared derivatives, times how often each stands.

    As a quadratic form c . A c, A symmetric, it has the gradient 2 A c, which is there already.
    """
    grams = []  # by axis, then by derivative
    for axis in zip(positions, coefficients.shape[1:4], spacing, strict=True):
        grams.append([_gram(*axis, derivative) for derivative in range(3)])

    @tf.custom_gradient
    def energy(components):
        product = tf.zeros_like(components)
        for *orders, times in terms:
            matrices = [gram[k] for gram, k in zip(grams, orders, strict=True)]
            product += times * apply_along_axes(components, matrices)
        product /= components.shape[1]
        value = tf.reduce_sum(components * product, axis=(1, 2, 3, 4))
        return value, lambda upstream: 2 * upstream[:, None, None, None, None] * product

    return energy(tf.transpose(coefficients, [0, 4, 1, 2, 3]))


def _gram(position: np.ndarray, num_control: int, spacing: float, derivative: int) -> np.ndarray:
    rows = bspline_matrix(position, num_control, derivative) / spacing**derivative
    return rows.T @ rows / len(rows)
