"""One Gauss-Newton step of a displacement field between two volumes of features.

Source: Heinrich et al. 2013, who minimise the differences of self-similarities (MIND) this way; the
window and the damping are those of Lucas and Kanade 1981.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import tensorflow as tf

from mmzoo.ops.compiled import compiled_forward
from mmzoo.ops.filters import apply_along_axes, smooth_with_neighbours
from mmzoo.ops.grid import dims_of
from mmzoo.ops.matrices import mean_matrix
from mmzoo.ops.pad import border_of_features
from mmzoo.ops.warp import warp

MOST = 1.0  # voxels that a step moves a point
UPPER = [(i, j) for i in range(3) for j in range(i, 3)]  # of a symmetric matrix


def gauss_newton_step(
    fixed: tf.Tensor,
    warped: tf.Tensor,
    field: tf.Tensor,
    damping: float,
    window: int,
    smoothing: int,
) -> tf.Tensor:
    """Return a smooth field along which the features of two volumes are more alike.

        A(x)  = W mean_c g_c g_c^T + damping I,   g_c = gradient of warped_c
        b(x)  = W mean_c g_c (fixed_c - warped_c)
        v(x)  = A^-1 b, shortened to at most one voxel
        u'(x) = S (v(x) + u(x + v(x)))

    over the channels c. W is the mean over 3^3 voxels `window` times, S `smoothing` times, which is
    nearly a Gaussian of sqrt(2/3 times) voxels. Beyond the volume its border values go on.

    Args:
        fixed: (batch, channels, dim1, dim2, dim3), channels known.
        warped: the same shape: features of the moving image as `field` warps it.
        field: (batch, dim1, dim2, dim3, 3), voxels.
        damping: above 0, in squared features: where the features vary less, the field stays.
        window: 0 or more.
        smoothing: 0 or more.

    Returns:
        As `field`.
    """
    sums = _sums(fixed, border_of_features(warped, 1))
    if window:
        sums = apply_along_axes(sums, [mean_matrix(n, window) for n in dims_of(field)])
    more = _solution(float(damping))(sums)
    return smooth_with_neighbours(more + warp(field, more), smoothing)


@compiled_forward
def _sums(fixed: tf.Tensor, warped: tf.Tensor) -> tf.Tensor:
    """Return mean_c of g g^T, six of its nine, and of g (fixed - warped), `warped` with a border.

    Channels come first and the border was there before: XLA's loop over the voxels takes a third
    of the time that it takes with channels last.
    """
    channels = fixed.shape[1]
    sums = [0.0] * 9
    for c in range(channels):
        around = warped[:, c]
        slopes = _central_differences(around)
        rest = fixed[:, c] - around[:, 1:-1, 1:-1, 1:-1]
        products = [slopes[i] * slopes[j] for i, j in UPPER] + [slope * rest for slope in slopes]
        sums = [total + each for total, each in zip(sums, products, strict=True)]
    return tf.stack(sums, axis=1) / channels


@functools.lru_cache
def _solution(damping: float) -> Callable[..., tf.Tensor]:
    """Return the function of these sums to v, (batch, dim1, dim2, dim3, 3)."""

    @compiled_forward
    def solution(sums):
        *matrix, b1, b2, b3 = tf.unstack(sums, axis=1)
        by_place = dict(zip(UPPER, matrix, strict=True))
        for i in range(3):
            by_place[i, i] += damping
        more = _solved(by_place, (b1, b2, b3))
        length = tf.norm(more, axis=-1, keepdims=True)
        return more * (MOST / tf.maximum(length, MOST))

    return solution


def _central_differences(around: tf.Tensor) -> list[tf.Tensor]:
    """Return half the difference of a voxel's two neighbours along each axis, a border around."""
    slopes = []
    for axis in range(3):
        after, before = ([slice(1, -1)] * 3 for _ in range(2))
        after[axis], before[axis] = slice(2, None), slice(None, -2)
        slopes.append((around[(slice(None), *after)] - around[(slice(None), *before)]) / 2)
    return slopes


def _solved(a: dict, b: tuple[tf.Tensor, ...]) -> tf.Tensor:
    """Return the solution of a symmetric system of three equations a voxel, by cofactors."""
    c = {
        (0, 0): a[1, 1] * a[2, 2] - a[1, 2] ** 2,
        (0, 1): a[0, 2] * a[1, 2] - a[0, 1] * a[2, 2],
        (0, 2): a[0, 1] * a[1, 2] - a[0, 2] * a[1, 1],
        (1, 1): a[0, 0] * a[2, 2] - a[0, 2] ** 2,
        (1, 2): a[0, 1] * a[0, 2] - a[0, 0] * a[1, 2],
        (2, 2): a[0, 0] * a[1, 1] - a[0, 1] ** 2,
    }
    determinant = sum(a[0, j] * c[0, j] for j in range(3))
    rows = [sum(c[min(i, j), max(i, j)] * b[j] for j in range(3)) for i in range(3)]
    return tf.stack(rows, axis=-1) / determinant[..., None]
