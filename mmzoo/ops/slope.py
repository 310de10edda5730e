"""Warping that computes the image gradient in the same pass, for optimising the field.

The automatic gradient of `mmzoo.ops.warp` gathers the eight corners of every voxel a second time;
here value and gradient use the same corners, in one loop that compiles in half a second.
"""

import itertools
from collections.abc import Callable, Sequence

import tensorflow as tf

from mmzoo.ops.compiled import traced
from mmzoo.ops.grid import reference_grid


@tf.custom_gradient
def warp_for_field(
    volume: tf.Tensor, ddf: tf.Tensor, offset: tf.Tensor
) -> tuple[tf.Tensor, Callable]:
    """Return volume(x + offset + ddf(x)), trilinear, edge values repeated outside.

    Differentiable with respect to the field alone, and only through the first channel; the others
    (a mask) are just warped. As in `mmzoo.ops.warp`, the gradient is zero at points outside.

    Args:
        volume: (1, m_dim1, m_dim2, m_dim3, channels).
        ddf: (1, f_dim1, f_dim2, f_dim3, 3), voxels.
        offset: (3,), the voxel of `volume` at which the field's first voxel lies.

    Returns:
        (1, f_dim1, f_dim2, f_dim3, channels).
    """
    value, slope = _value_and_slope(volume, ddf, offset)

    def gradient(upstream):
        return None, upstream[..., :1] * slope, None

    return value, gradient


@traced(jit_compile=True)
def _value_and_slope(
    volume: tf.Tensor, ddf: tf.Tensor, offset: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    points = ddf + reference_grid(ddf.shape[1:4], ddf.dtype) + offset
    size = volume.shape[1:4]
    last = tf.constant([n - 1 for n in size], points.dtype)
    inside = tf.cast((points >= 0) & (points <= last), points.dtype)
    points = tf.clip_by_value(points, 0, last)
    lower = tf.maximum(tf.minimum(tf.floor(points), last - 1), 0)
    corners = _corners(volume, tf.cast(lower, tf.int32), size)
    t1, t2, t3 = tf.split(points - lower, 3, axis=-1)
    # Axis 1 is joined first, then 2 and 3; a slope is a difference in the place of a mean.
    on1 = {jk: _between(corners[(0, *jk)], corners[(1, *jk)], t1) for jk in _pairs()}
    step1 = {jk: corners[(1, *jk)] - corners[(0, *jk)] for jk in _pairs()}
    on2 = [_between(on1[0, k], on1[1, k], t2) for k in (0, 1)]
    step2 = [on1[1, k] - on1[0, k] for k in (0, 1)]
    along1 = [_between(step1[0, k], step1[1, k], t2) for k in (0, 1)]
    slope1, slope2 = _between(along1[0], along1[1], t3), _between(step2[0], step2[1], t3)
    slopes = (slope1, slope2, on2[1] - on2[0])
    slope = tf.concat([s[..., :1] for s in slopes], axis=-1) * inside
    return _between(on2[0], on2[1], t3), slope


def _corners(volume: tf.Tensor, lower: tf.Tensor, size: Sequence[int]) -> dict:
    """Return the values at the eight corners of the cell above each voxel, by their steps."""
    flat = tf.reshape(volume, [-1, volume.shape[-1]])
    strides = (size[1] * size[2], size[2], 1)
    first = tf.reduce_sum(lower * tf.constant(strides), axis=-1)
    return {
        steps: tf.gather(flat, first + sum(s * n for s, n in zip(steps, strides, strict=True)))
        for steps in itertools.product((0, 1), repeat=3)
    }


def _pairs():
    return itertools.product((0, 1), repeat=2)


def _between(first: tf.Tensor, second: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
    return first + (second - first) * t
