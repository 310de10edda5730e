"""DeepReg's `gradient`: the mean of squared, or absolute, central differences of a field."""

import functools

import tensorflow as tf

from mmzoo.deepreg.adaptations.acceleration import is_on
from mmzoo.ops.compiled import symbolic, traced
from mmzoo.ops.finite_difference import COMPONENTS, in_rows


def gradient_norm(ddf: tf.Tensor, l1: bool = False) -> tf.Tensor:
    """Return the mean over interior voxels and components of |d1 u|^p + |d2 u|^p + |d3 u|^p.

        d_k u = (u(x + e_k) - u(x - e_k)) / 2,  p = 1 with l1, else 2

    Args:
        ddf: (batch, dim1, dim2, dim3, 3), at least 3 voxels an axis.
        l1: absolute values instead of squares.

    Returns:
        (), the mean over the batch too.
    """
    return _compiled(l1)(ddf)


@functools.lru_cache
def _compiled(l1: bool):
    @traced(jit_compile=True)
    def value(ddf):
        size = tf.abs if l1 else tf.square
        return tf.reduce_mean(tf.add_n([size(slope) for slope in _slopes(in_rows(ddf))]))

    @traced(jit_compile=True)
    def gradient(ddf, upstream):
        # The transpose of a central difference is minus the same over the zero-padded interior;
        # the automatic gradient pads each of six slices for itself.
        slopes = _slopes(in_rows(ddf))
        count = tf.cast(tf.size(slopes[0]), ddf.dtype)
        outer = [[0, 0], [2, 2], [2, 2], [2 * COMPONENTS] * 2]
        back = [
            _slopes(tf.pad(tf.sign(slope) if l1 else 2 * slope, outer))[axis]
            for axis, slope in enumerate(slopes)
        ]
        return tf.reshape(tf.add_n(back), tf.shape(ddf)) * (-upstream / count)

    @symbolic
    @tf.custom_gradient
    def norm(ddf):
        return value(ddf), lambda upstream: gradient(ddf, upstream)

    return norm


def _slopes(rows: tf.Tensor) -> list[tf.Tensor]:
    """Return the central differences along each axis, one voxel inside."""
    c = COMPONENTS
    return [
        (rows[:, 2:, 1:-1, c:-c] - rows[:, :-2, 1:-1, c:-c]) / 2,
        (rows[:, 1:-1, 2:, c:-c] - rows[:, 1:-1, :-2, c:-c]) / 2,
        (rows[:, 1:-1, 1:-1, 2 * c :] - rows[:, 1:-1, 1:-1, : -2 * c]) / 2,
    ]


def differentiate_fast(deform) -> None:
    """Compute the `gradient` loss without stacking three components of nine differences."""
    if not is_on():
        return

    @functools.wraps(deform.GradientNorm.call)
    def call(self, inputs: tf.Tensor, **kwargs) -> tf.Tensor:
        return gradient_norm(inputs, self.l1)

    deform.GradientNorm.call = call
