"""DeepReg's `resample`, which all its warps use: trilinear, zero on and outside the border."""

import functools

import tensorflow as tf

from mmzoo.deepreg.adaptations.acceleration import is_on
from mmzoo.ops.compiled import compiled
from mmzoo.ops.warp import weigh_corners


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
    last = tf.cast(tf.shape(volume)[1:4] - 1, points.dtype)
    ceil = tf.math.ceil(points)
    points, lower, upper = (
        tf.clip_by_value(v, tf.zeros_like(last), last) for v in (points, ceil - 1, ceil)
    )
    weight_lower = upper - points
    weight_upper = points - lower if zero_boundary else 1 - weight_lower

    ends = tf.cast(lower, tf.int32), tf.cast(upper, tf.int32)
    return weigh_corners(volume, ends, (weight_lower, weight_upper))


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
