"""Convolutions to few channels, four voxels in a row at once.

A processor's vectors hold 8 or 16 channels; to four or fewer a convolution runs at a quarter of the
processor's rate or less. Four neighbours along the last axis are one voxel of four times the
channels: a convolution of stride 4, whose kernel holds each tap four times, one further each time.
It multiplies by zeros too, (k + 3) / k times as often, in full vectors.
"""

import functools
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from mmzoo.ops import histogram
from mmzoo.ops.compiled import is_plain

AT_ONCE = 4  # voxels, and the most channels that they are worth it for


def conv3d(volume: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Return the convolution of stride 1, zeros outside, as large as the volume.

    The same as `tf.nn.conv3d` with padding "SAME" to rounding, its gradients too.

    Args:
        volume: (batch, dim1, dim2, dim3, channels).
        kernel: (k1, k2, k3, channels, filters).

    Returns:
        (batch, dim1, dim2, dim3, filters).
    """
    kernel = tf.convert_to_tensor(kernel)  # of a layer in mixed precision it is a variable
    fits = volume.shape[3] is not None and volume.shape[3] % AT_ONCE == 0
    odd = all(n % 2 for n in kernel.shape[:3])
    few = min(kernel.shape[3:]) <= AT_ONCE
    if fits and odd and few and not is_plain() and not histogram.on_gpu():
        return _with_gradient(volume, kernel)
    return _plain(volume, kernel)


def _plain(volume: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    return tf.nn.conv3d(volume, kernel, (1, 1, 1, 1, 1), "SAME")


@tf.custom_gradient
def _with_gradient(volume: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    def back(upstream):
        turned = tf.transpose(tf.reverse(kernel, [0, 1, 2]), [0, 1, 2, 4, 3])
        return _value(upstream, turned), _by_kernel(volume, kernel.shape, upstream)

    return _value(volume, kernel), back


def _value(volume: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    filters = kernel.shape[-1]
    if filters > AT_ONCE:
        return _plain(volume, kernel)
    copies = tf.constant(_copies(kernel.shape[2]), kernel.dtype)
    wide = tf.einsum("ijkco,wkv->ijwcvo", kernel, copies)
    wide = tf.reshape(wide, [*wide.shape[:4], AT_ONCE * filters])
    packed = tf.nn.conv3d(volume, wide, (1, 1, 1, AT_ONCE, 1), "SAME")
    return tf.reshape(packed, tf.concat([tf.shape(volume)[:-1], [filters]], axis=0))


def _by_kernel(volume: tf.Tensor, shape: Sequence[int], upstream: tf.Tensor) -> tf.Tensor:
    """Return the gradient by a kernel of this shape."""
    channels, filters = shape[3:]
    at_once = AT_ONCE if filters <= AT_ONCE else 1
    dims = tf.shape(upstream)
    packed = tf.concat([dims[:3], [dims[3] // at_once, at_once * filters]], axis=0)
    size = shape[2] + at_once - 1
    wide = tf.raw_ops.Conv3DBackpropFilterV2(
        input=volume,
        filter_sizes=[*shape[:2], size, channels, at_once * filters],
        out_backprop=tf.reshape(upstream, packed),
        strides=[1, 1, 1, at_once, 1],
        padding="SAME",
    )
    if at_once == 1:
        return wide
    wide = tf.reshape(wide, [*shape[:2], size, channels, AT_ONCE, filters])
    return tf.einsum("ijwcvo,wkv->ijkco", wide, tf.constant(_copies(shape[2]), wide.dtype))


@functools.lru_cache
def _copies(taps: int) -> np.ndarray:
    """Return (taps + 3, taps, 4): 1 where tap k of the v-th voxel in a row stands, at k + v."""
    matrix = np.zeros((taps + AT_ONCE - 1, taps, AT_ONCE))
    for tap, voxel in np.ndindex(taps, AT_ONCE):
        matrix[tap + voxel, tap, voxel] = 1
    return matrix
