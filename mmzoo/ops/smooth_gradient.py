"""The smoothed gradient of a volume, by smoothing one volume instead of three components.

Smoothing and differences commute, but for the borders; there, summation by parts says what is left.
Along a line whose voxels count from 1 to n, where voxel 0 takes part in the first difference alone,

    sum_p w(p - x) (v(p) - v(p - 1)) = s(x) - s(x - 1) - w(1 - x) v(0) + w(n + 1 - x) v(n)
    s(x) = sum_p w(p - x) v(p)

So each axis is smoothed once for all three components, a third of the products, while the first and
the last plane ride along: v(0) and v(n) of an axis are smoothed along the two others.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf

from mmzoo.ops.compiled import traced
from mmzoo.ops.filters import apply_along_axes, convolution_matrix, gaussian_kernel


class Line(NamedTuple):
    """How one axis is smoothed.

    Attributes:
        matrix: (rows + 3, length), gives s(x) from the row before the first one on, v(0) and v(n).
        ends: (rows, 2), the weights of v(0) and v(n) in the difference of each row.
    """

    matrix: tf.Tensor
    ends: tf.Tensor


def smoothed_line(sigma: float, inside: tf.Tensor, rows: slice = slice(1, None)) -> Line:
    """Return how an axis is smoothed with a Gaussian.

    Args:
        sigma: standard deviation in voxels; 0 for no smoothing.
        inside: (length,), 1 where the axis lies within the volume, else 0.
        rows: the voxels whose smoothed differences are wanted, from 1 on.
    """
    length = inside.shape[0]
    weights = convolution_matrix(gaussian_kernel(sigma), length)[rows.start - 1 : rows.stop]
    weights = tf.constant(weights, inside.dtype)  # w(p - x), from x - 1 of the first row on
    counts = tf.pad(inside[1:] * inside[:-1], [[1, 0]])
    ends = counts - tf.pad(counts[1:], [[0, 1]])  # -1 at voxel 0, 1 at voxel n
    first, last = tf.nn.relu(-ends), tf.nn.relu(ends)
    matrix = tf.concat([weights * counts, [first, last]], axis=0)
    return Line(matrix, tf.matmul(weights[:-1], tf.stack([-first, last], axis=1)))


@functools.lru_cache(maxsize=64)
def whole_line(sigma: float, length: int, dtype: tf.DType) -> Line:
    """Return how a whole axis is smoothed, made once.

    Made outside of any graph: a graph that holds its matrices as constants, for every slab anew,
    takes more memory than the slabs.
    """
    with tf.init_scope():
        return smoothed_line(sigma, tf.ones([length], dtype))


def smooth_gradient(volume: tf.Tensor, lines: Sequence[Line]) -> tf.Tensor:
    """Return the one-sided differences of a volume, smoothed, zeros outside.

    The same as `gaussian_smooth(backward_gradient(volume), sigmas)`.

    Args:
        volume: (batch, dim1, dim2, dim3), dims known.
        lines: of `smoothed_line` or `whole_line`, one an axis.

    Returns:
        (batch, 3, rows1, rows2, rows3), per voxel.
    """
    smoothed = apply_along_axes(volume, [line.matrix for line in lines])
    return _differences(smoothed, *(line.ends for line in lines))


@tf.custom_gradient
def _differences(smoothed: tf.Tensor, *ends: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    """Return s(x) - s(x - 1) and what the ends add; their weights' gradient is not followed."""

    def back(upstream):
        # As products of matrices outside of the compiled piece, the sums keep all cores busy.
        along = tf.unstack(upstream, axis=1)
        n1, n2, n3 = along[0].shape[1:]
        planes = [
            tf.matmul(ends[0], tf.reshape(along[0], [-1, n1, n2 * n3]), transpose_a=True),
            tf.matmul(ends[1], along[1], transpose_a=True),
            tf.matmul(along[2], ends[2]),
        ]
        planes[0] = tf.reshape(planes[0], [-1, 2, n2, n3])
        return _transposed(upstream, *planes), *map(tf.zeros_like, ends)

    return _forward(smoothed, *ends), back


@traced(jit_compile=True)
def _forward(smoothed: tf.Tensor, *ends: tf.Tensor) -> tf.Tensor:
    here, before = slice(1, -2), slice(0, -3)
    components = []
    for axis in range(3):

        def at(place, axis=axis):  # the rows of the two other axes
            return smoothed[(slice(None), *(place if k == axis else here for k in range(3)))]

        first, last = (tf.reshape(ends[axis][:, k], [-1] + [1] * (2 - axis)) for k in range(2))
        difference = at(here) - at(before)
        components.append(difference + first * at(slice(-2, -1)) + last * at(slice(-1, None)))
    return tf.stack(components, axis=1)


@traced(jit_compile=True)
def _transposed(upstream: tf.Tensor, *planes: tf.Tensor) -> tf.Tensor:
    """Return the gradient by s and the planes that ride along, from that by each component."""
    here, before = [1, 2], [0, 3]

    def placed(volume, places):
        return tf.pad(volume, [[0, 0], *places])

    along = tf.unstack(upstream, axis=1)
    total = placed(tf.add_n(along), [here] * 3)
    for axis, (part, plane) in enumerate(zip(along, planes, strict=True)):
        riding = [part.shape[axis + 1] + 1, 0]
        total -= placed(part, [before if k == axis else here for k in range(3)])
        total += placed(plane, [riding if k == axis else here for k in range(3)])
    return total
