"""Displacements of a few voxels searched through: a cost volume, and its soft minimum.

Source: ConvexAdam's first stage (Siebert et al. 2021; Heinrich 2014): costs of all displacements in
a cube, and a smooth field that is drawn to the least of them, in rounds that draw harder. There the
least cost is taken, here a mean with weights exp(-sharpness cost), which changes smoothly.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from mmzoo.ops.compiled import compiled_forward
from mmzoo.ops.filters import apply_along_axes
from mmzoo.ops.grid import dims_of
from mmzoo.ops.matrices import mean_matrix
from mmzoo.ops.pad import border_of_features


def search(
    fixed: tf.Tensor, moving: tf.Tensor, reach: int, sharpness: float, hold: Sequence[float]
) -> tf.Tensor:
    """Return a smooth field along which the features of two volumes are alike.

        C(x, d) = mean over 3^3 voxels and the channels of (fixed(x) - moving(x + d))^2
        u_k(x)  = S sum_d w_d d,   w = softmax_d(-sharpness (C(x, d) + hold_k |d - u_(k-1)(x)|^2))

    d are the whole displacements of at most `reach` voxels along each axis, S the mean over 3^3
    voxels, twice. Beyond the volume its border values go on.

    Args:
        fixed: (batch, channels, dim1, dim2, dim3), channels known.
        moving: the same shape.
        reach: voxels.
        sharpness: of the weights; the larger, the nearer to the least cost alone.
        hold: of each round, one or more, how hard it holds to the field before it, which is 0
            before the first.

    Returns:
        (batch, dim1, dim2, dim3, 3), voxels, at most `reach`: fixed(x) is like moving(x + u(x)).
    """
    dims = dims_of(fixed, first=2)
    once, twice = ([mean_matrix(n, times) for n in dims] for times in (1, 2))
    table = np.array(_displacements(reach), np.float32)
    cost = apply_along_axes(_cost_volume(reach)(fixed, border_of_features(moving, reach)), once)
    cost = tf.reshape(cost, [-1, len(table), math.prod(dims)])
    field = tf.zeros_like(cost[:, :3])
    for weight in hold:
        weights = _weights(reach, float(sharpness), float(weight))(cost, field)
        mean = tf.matmul(table.T, weights) / tf.reduce_sum(weights, axis=1, keepdims=True)
        mean = apply_along_axes(tf.reshape(mean, [-1, 3, *dims]), twice)
        field = tf.reshape(mean, tf.shape(field))
    return tf.transpose(tf.reshape(field, [-1, 3, *dims]), [0, 2, 3, 4, 1])


@functools.lru_cache
def _displacements(reach: int) -> tuple[tuple[int, ...], ...]:
    return tuple(itertools.product(range(-reach, reach + 1), repeat=3))


@functools.lru_cache
def _cost_volume(reach: int) -> Callable[..., tf.Tensor]:
    """Return the function of two volumes of features, the second with a border, to the costs.

    These are (batch, displacements, dim1, dim2, dim3), each of a voxel alone.
    """

    @compiled_forward
    def cost_volume(fixed, around):
        costs = []
        for displacement in _displacements(reach):
            cut = [slice(reach + d, d - reach or None) for d in displacement]
            moved = around[(slice(None), slice(None), *cut)]
            costs.append(tf.reduce_mean((fixed - moved) ** 2, axis=1))
        return tf.stack(costs, axis=1)

    return cost_volume


@functools.lru_cache
def _weights(reach: int, sharpness: float, weight: float) -> Callable[..., tf.Tensor]:
    """Return the function of the costs and of the field to the weights of a round, unscaled.

    Both are of flat volumes, (batch, displacements or 3, voxels).
    """
    table = np.array(_displacements(reach), np.float32)[:, :, None]
    squares = (table**2).sum(axis=1)

    @compiled_forward
    def weights(cost, field):
        along = sum(table[:, axis] * field[:, axis, None] for axis in range(3))
        # |d - u|^2 but for |u|^2, which all displacements share.
        of_all = -sharpness * (cost + weight * (squares - 2 * along))
        return tf.exp(of_all - tf.reduce_max(of_all, axis=1, keepdims=True))

    return weights
