"""DeepReg's `resample`, which all its warps use: trilinear, zero on and outside the border."""

import functools
import itertools

import tensorflow as tf

from mmzoo.deepreg.adaptations.acceleration import is_on
from mmzoo.ops.compiled import compiled


def resample(volume: tf.Tensor, points: tf.Tensor, zero_boundary: bool) -> tf.Tensor:
    """Sample a volume at points as DeepReg 0.1.2 does.

    Along each axis a point p lies between ceil(p) - 1 and ceil(p), all three clipped to the volume;
    the weights are their distances from p. So p <= 0 and p > n - 1 get the weights 0 and 0, and the
    value 0; without `zero_boundary` the upper weight is one minus the lower, and edge values are
    repeated outside.

    Args:
        volume: (batch, dim1, dim2, dim3, channels).
        points: (batch, out1, out2, out3, 3), voxel coordinates.
        zero_boundary: DeepReg's.

    Returns:
        (batch, out1, out2, out3, channels).
    """
    return _compiled(zero_boundary)(volume, points)


@functools.lru_cache
def _compiled(zero_boundary: bool):
    return compiled(lambda volume, points: _resample(volume, points, zero_boundary))


def _resample(volume, points, zero_boundary: bool):
    shape = tf.shape(volume)
    size = shape[1:4]
    last = tf.cast(size - 1, points.dtype)
    ceil = tf.math.ceil(points)
    points, lower, upper = (
        tf.clip_by_value(v, tf.zeros_like(last), last) for v in (points, ceil - 1, ceil)
    )
    weight_lower = upper - points
    weight_upper = points - lower if zero_boundary else 1 - weight_lower

    # A row of the flat volume for each corner: see mmzoo/ops/warp.py.
    batch_start = tf.reshape(tf.range(shape[0]) * tf.reduce_prod(size), [-1, 1, 1, 1])
    strides = (size[1] * size[2], size[2], 1)
    ends = [tf.cast(end, tf.int32) for end in (lower, upper)]
    rows = [[end[..., axis] * strides[axis] for end in ends] for axis in range(3)]
    weights = [[w[..., axis, None] for w in (weight_lower, weight_upper)] for axis in range(3)]
    flat = tf.reshape(volume, [-1, volume.shape[-1] or shape[4]])
    corners = []
    for a, b, c in itertools.product((0, 1), repeat=3):
        value = tf.gather(flat, batch_start + rows[0][a] + rows[1][b] + rows[2][c])
        weight = weights[0][a] * weights[1][b] * weights[2][c]
        corners.append(tf.cast(weight, volume.dtype) * value)
    return tf.add_n(corners)


def sample_fast(layer_util) -> None:
    """Compute `resample` of volumes without DeepReg's slow `gather_nd` for each corner."""
    if not is_on():
        return
    original = layer_util.resample

    @functools.wraps(original)
    def fast(vol, loc, interpolation="linear", zero_boundary=True):
        of_volumes = len(loc.shape) == 5 and loc.shape[-1] == 3 and len(vol.shape) in (4, 5)
        if interpolation != "linear" or not of_volumes:
            return original(vol, loc, interpolation, zero_boundary)
        if len(vol.shape) == 5:
            return resample(vol, loc, zero_boundary)
        return resample(vol[..., None], loc, zero_boundary)[..., 0]

    layer_util.resample = fast
