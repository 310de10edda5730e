"""Joint histograms of two volumes by Parzen windows, and the entropies they give.

A joint histogram of N voxels and B bins is a product of matrices, (N, B) by (N, B). Both are far
larger than the volumes, so they are made and used up a few thousand voxels at a time, for the
gradient once more: memory grows with the voxels and with the square of the bins, not with their
product.
"""

from __future__ import annotations

import functools

import numpy as np
import tensorflow as tf

from mmzoo.ops.compiled import symbolic

VOXELS_AT_ONCE = 4096  # with 64 bins two windows of 1 MB, which stay in the processor's cache


def joint_histogram(
    first: tf.Tensor,
    second: tf.Tensor,
    weight: tf.Tensor,
    *,
    num_bins: int,
    sigma: float,
    share: bool,
) -> tf.Tensor:
    """Return how often pairs of intensities occur, each voxel spread over bins by a Gaussian.

        p(k, l) = sum_x weight(x) W_k(first(x)) W_l(second(x)) / sum_x weight(x)
        W_k(v)  = exp(-(v - c_k)^2 / (2 sigma^2)),  c_k = k / (num_bins - 1)

    With `share` each voxel's W_k are divided by their sum over k, so that every voxel counts alike;
    without, one that lies between two bins counts less than one on a bin's centre, the more so the
    smaller sigma. It takes about 4 N B exponentials for value and gradient.

    Args:
        first: (batch, dim1, dim2, dim3), dims known; intensities are clipped to [0, 1].
        second: the same shape.
        weight: the same shape, at least 0; its gradient is not followed.
        num_bins: at least 2.
        sigma: standard deviation of the Gaussian, in units of intensity.
        share: whether every voxel counts alike.

    Returns:
        (batch, num_bins, num_bins); all 0 where the weight is 0 everywhere.
    """
    rows = [_in_rows(tf.clip_by_value(volume, 0, 1)) for volume in (first, second)]
    return _windows(num_bins, sigma, share)(*rows, _in_rows(weight))


def entropies(joint: tf.Tensor, eps: float = 1e-10) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return the entropies H(A), H(B) and H(A, B) in nats of joint histograms.

        H = -sum_k p_k log max(p_k, eps),  p divided by max(its sum, eps)

    Args:
        joint: (batch, num_bins, num_bins), at least 0; A along axis 1.
        eps: keeps the gradients of an empty bin and of an empty histogram finite.

    Returns:
        Three tensors (batch,), between 0 and log(num_bins), the last up to twice that; 0 where the
        histogram is.
    """
    mass = tf.reduce_sum(joint, axis=(1, 2), keepdims=True)
    joint = joint / tf.maximum(mass, eps)
    first, second = tf.reduce_sum(joint, axis=2), tf.reduce_sum(joint, axis=1)
    return tuple(
        -tf.reduce_sum(p * tf.math.log(tf.maximum(p, eps)), axis=range(1, len(p.shape)))
        for p in (first, second, joint)
    )


def _in_rows(volume: tf.Tensor) -> tf.Tensor:
    """Lay out (batch, ...) as (rows, batch, VOXELS_AT_ONCE), zeros after the last voxel."""
    voxels = int(np.prod(volume.shape[1:]))
    rows = -(-voxels // VOXELS_AT_ONCE)
    flat = tf.reshape(volume, [-1, voxels])
    flat = tf.pad(flat, [[0, 0], [0, rows * VOXELS_AT_ONCE - voxels]])
    return tf.transpose(tf.reshape(flat, [-1, rows, VOXELS_AT_ONCE]), [1, 0, 2])


@functools.lru_cache
def _windows(num_bins: int, sigma: float, share: bool):
    """Return the histogram of (rows, batch, voxels) with a gradient that makes windows anew."""

    def window(values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return W and dW/dv, (batch, voxels, bins)."""
        centres = tf.constant(np.linspace(0, 1, num_bins), values.dtype)
        pull = (centres - values[..., None]) / sigma
        weights = tf.exp(-0.5 * pull**2)
        if share:
            weights /= tf.reduce_sum(weights, axis=-1, keepdims=True)
            pull -= tf.reduce_sum(weights * pull, axis=-1, keepdims=True)
        return weights, weights * pull / sigma

    @tf.function(jit_compile=True)
    def value(first, second, weight):
        def add(row, total):
            (a, _), (b, _) = window(first[row]), window(second[row])
            return row + 1, total + tf.matmul(a * weight[row][..., None], b, transpose_a=True)

        rows, batch = first.shape[0], tf.shape(first)[1]
        start = tf.zeros([batch, num_bins, num_bins], first.dtype)
        _, total = tf.while_loop(lambda row, _: row < rows, add, (0, start))
        return total / _counts(weight)

    @tf.function(jit_compile=True)
    def gradient(first, second, weight, upstream):
        upstream = upstream / _counts(weight)

        def one(row):
            (a, slope_a), (b, slope_b) = window(first[row]), window(second[row])
            back_a = tf.reduce_sum(slope_a * tf.matmul(b, upstream, transpose_b=True), axis=-1)
            back_b = tf.reduce_sum(slope_b * tf.matmul(a, upstream), axis=-1)
            return tf.stack([back_a, back_b]) * weight[row]

        both = tf.map_fn(one, tf.range(first.shape[0]), fn_output_signature=first.dtype)
        return both[:, 0], both[:, 1]

    @symbolic
    @tf.custom_gradient
    def histogram(*tensors):
        # A tape that is running would follow the loop below too, and keep all its windows.
        tensors = [tf.stop_gradient(tensor) for tensor in tensors]

        def back(upstream):
            return (*gradient(*tensors, upstream), tf.zeros_like(tensors[2]))

        return value(*tensors), back

    return histogram


def _counts(weight: tf.Tensor) -> tf.Tensor:
    """Return the sum of the weights, (batch, 1, 1), one where it is zero."""
    total = tf.reduce_sum(weight, axis=(0, 2))[:, None, None]
    return tf.where(total > 0, total, tf.ones_like(total))
