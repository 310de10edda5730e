"""Displacements of a few voxels searched through: a cost volume, and its soft minimum.

Source: ConvexAdam's first stage (Siebert et al. 2021; Heinrich 2014): costs of all displacements in
a cube, and a smooth field that is drawn to the least of them, in rounds that draw harder. There the
least cost is taken, here a mean with weights exp(-sharpness cost), which changes smoothly.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from mmzoo.ops.compiled import compiled, is_plain
from mmzoo.ops.pad import border_goes_on


def search(
    fixed: tf.Tensor, moving: tf.Tensor, reach: int, sharpness: float, hold: Sequence[float]
) -> tf.Tensor:
    """Return a smooth field along which the features of two volumes are alike.

        C(x, d) = mean over 3^3 voxels and the channels of (fixed(x) - moving(x + d))^2
        u_k(x)  = S sum_d w_d d,   w = softmax_d(-sharpness (C(x, d) + hold_k |d - u_(k-1)(x)|^2))

    d are the whole displacements of at most `reach` voxels along each axis, S the mean over 3^3
    voxels, twice. Beyond the volume its border values go on.

    Args:
        fixed: (batch, dim1, dim2, dim3, channels).
        moving: the same shape.
        reach: voxels.
        sharpness: of the weights; the larger, the nearer to the least cost alone.
        hold: of each round, one or more, how hard it holds to the field before it, which is 0
            before the first.

    Returns:
        (batch, dim1, dim2, dim3, 3), voxels, at most `reach`: fixed(x) is like moving(x + u(x)).
    """
    displacements = _displacements(reach)
    cost = _cost_volume(reach)(fixed, moving)
    field = tf.zeros_like(fixed[..., :3])
    for weight in hold:
        field = _round(displacements, sharpness, weight)(cost, field)
    return field


def _displacements(reach: int) -> tuple[tuple[int, ...], ...]:
    return tuple(itertools.product(range(-reach, reach + 1), repeat=3))


@functools.lru_cache
def _cost_volume(reach: int) -> Callable[..., tf.Tensor]:
    """Return the function of two volumes of features to C, (batch, ..., displacements)."""

    @compiled
    def cost_volume(fixed, moving):
        around = border_goes_on(moving, (reach,) * 3)
        costs = []
        for displacement in _displacements(reach):
            cut = [slice(reach + d, d - reach or None) for d in displacement]
            costs.append(tf.reduce_mean((fixed - around[(slice(None), *cut)]) ** 2, axis=-1))
        return mean_of_neighbours(tf.stack(costs, axis=-1))

    return cost_volume


@functools.lru_cache
def _round(displacements: tuple, sharpness: float, weight: float) -> Callable[..., tf.Tensor]:
    """Return the function of the cost and a field to the field of the next round."""
    table = np.array(displacements, np.float32)
    squares = (table**2).sum(axis=1)

    @compiled
    def next_field(cost, field):
        # |d - u|^2 but for |u|^2, which all displacements share.
        along = tf.reshape(field, [-1, 3]) @ table.T
        drawn = weight * (squares - 2 * tf.reshape(along, tf.shape(cost)))
        weights = tf.nn.softmax(-sharpness * (cost + drawn), axis=-1)
        mean = tf.reshape(weights, [-1, len(table)]) @ table
        return mean_of_neighbours(mean_of_neighbours(tf.reshape(mean, tf.shape(field))))

    return next_field


def mean_of_neighbours(volume: tf.Tensor) -> tf.Tensor:
    """Return the mean over 3^3 voxels, border values going on: (batch, dim1, dim2, dim3, any)."""
    volume = border_goes_on(volume, (1, 1, 1))
    if is_plain():  # one operation of a graph in the place of nine
        return tf.nn.avg_pool3d(volume, 3, 1, "VALID")
    for axis in (1, 2, 3):
        before = (slice(None),) * axis
        volume = sum(volume[(*before, slice(o, o - 2 or None))] for o in range(3)) / 3
    return volume
