"""Joint histograms of two volumes by Parzen windows, and the entropies they give.

A joint histogram of N voxels and B bins is a product of matrices, (N, B) by (N, B). Both are far
larger than the volumes, so they are made and used up a few thousand voxels at a time (on a GPU some
hundred thousand), for the gradient once more: memory grows with the voxels and with the square of
the bins, not with their product.

Where a window is narrow, a voxel counts in the few bins around it alone: their products are added
to the histogram one by one, a hundredth of the work at de Vos' settings.
"""

import functools
import math
import os
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from mmzoo.ops.compiled import symbolic, traced

VOXELS_AT_ONCE = 4096  # with 64 bins two windows of 1 MB, which stay in the processor's cache
VOXELS_AT_ONCE_ON_GPU = 2**18  # 64 MB: enough for every core it has at each turn of the loop
MOST_CORES = 8
EPS = 1e-10  # keeps the gradients of an empty bin and of an empty histogram finite
FARTHEST = 7.5  # sigmas: a bin further off has a weight below 1e-12
MOST_NEIGHBOURS = 2  # on each side of a voxel's bin; with more, products of matrices are quicker


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


def entropies(joint: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return the entropies H(A), H(B) and H(A, B) in nats of joint histograms.

        H = -sum_k p_k log max(p_k, EPS),  p divided by max(its sum, EPS)

    Args:
        joint: (batch, num_bins, num_bins), at least 0; A along axis 1.

    Returns:
        Three tensors (batch,), between 0 and log(num_bins), the last up to twice that; 0 where the
        histogram is.
    """
    mass = tf.reduce_sum(joint, axis=(1, 2), keepdims=True)
    joint = joint / tf.maximum(mass, EPS)
    first, second = tf.reduce_sum(joint, axis=2), tf.reduce_sum(joint, axis=1)
    return tuple(
        -tf.reduce_sum(p * tf.math.log(tf.maximum(p, EPS)), axis=range(1, len(p.shape)))
        for p in (first, second, joint)
    )


def _in_rows(volume: tf.Tensor) -> tf.Tensor:
    """Lay out (batch, ...) as (rows, batch, voxels at once), zeros after the last voxel.

    The rows can be dealt out evenly to `_cores`.
    """
    voxels = int(np.prod(volume.shape[1:]))
    at_once = min(voxels, VOXELS_AT_ONCE_ON_GPU) if on_gpu() else VOXELS_AT_ONCE
    rows = -(-voxels // at_once)
    rows = -(-rows // _cores(rows)) * _cores(rows)
    flat = tf.reshape(volume, [-1, voxels])
    flat = tf.pad(flat, [[0, 0], [0, rows * at_once - voxels]])
    return tf.transpose(tf.reshape(flat, [-1, rows, at_once]), [1, 0, 2])


def on_gpu() -> bool:
    """Return whether TensorFlow has a GPU to work on."""
    return bool(tf.config.list_physical_devices("GPU"))


def _cores(rows: int) -> int:
    """Return over how many cores rows are spread."""
    return 1 if on_gpu() else min(rows, MOST_CORES, os.cpu_count() or 1)


def _spread(function: Callable, *rows: tf.Tensor) -> list[tf.Tensor]:
    """Call a function with equal shares of the rows: a compiled loop keeps only one core busy."""
    shares = zip(*(tf.split(each, _cores(each.shape[0])) for each in rows), strict=True)
    return [function(*share) for share in shares]


@functools.lru_cache
def _windows(num_bins: int, sigma: float, share: bool) -> Callable[..., tf.Tensor]:
    """Return the histogram of (rows, batch, voxels) with a gradient that makes windows anew."""
    value, gradient = _dense(num_bins, sigma, share)
    neighbours = math.ceil(FARTHEST * sigma * (num_bins - 1) - 0.5)  # half a bin: how far it may be
    if neighbours <= MOST_NEIGHBOURS and 2 * neighbours < num_bins and not on_gpu():
        value, gradient = _narrow(num_bins, sigma, share, neighbours)

    @symbolic
    @tf.custom_gradient
    def histogram(*tensors):
        # A tape that is running would follow the loop below too, and keep all its windows.
        first, second, weight = (tf.stop_gradient(tensor) for tensor in tensors)
        counts = _counts(weight)

        def along(own, other, upstream):  # apart, so a graph drops an unused one
            parts = _spread(lambda *rows: gradient(*rows, upstream), own, other, weight)
            return tf.concat(parts, axis=0)

        def back(upstream):
            upstream = upstream / counts
            turned = tf.transpose(upstream, [0, 2, 1])
            gradients = along(first, second, upstream), along(second, first, turned)
            return (*gradients, tf.zeros_like(weight))

        return tf.add_n(_spread(value, first, second, weight)) / counts, back

    return histogram


def _dense(num_bins: int, sigma: float, share: bool) -> tuple[Callable, Callable]:
    """Return the sums of a histogram and their gradient, by products of matrices."""

    def window(values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Return exp(...) and (c - v) / sigma, (batch, bins, voxels), and the factor of a voxel.

        Voxels come last: processors work along them, and sums over bins are sums of rows.
        """
        centres = tf.constant(np.linspace(0, 1, num_bins)[:, None], values.dtype)
        pull = (centres - values[:, None]) / sigma
        weights = tf.exp(-0.5 * pull**2)
        total = tf.reduce_sum(weights, axis=1, keepdims=True)
        return weights, pull, 1 / total if share else tf.ones_like(total)

    @traced(jit_compile=True)
    def value(first, second, weight):
        def add(row, total):
            (a, _, scale_a), (b, _, scale_b) = window(first[row]), window(second[row])
            a *= scale_a * scale_b * weight[row][:, None]
            return row + 1, total + tf.matmul(a, b, transpose_b=True)

        rows, batch = first.shape[0], tf.shape(first)[1]
        start = (0, tf.zeros([batch, num_bins, num_bins], first.dtype))
        return tf.while_loop(lambda row, _: row < rows, add, start, maximum_iterations=rows)[1]

    @traced(jit_compile=True)
    def gradient(own, other, weight, upstream):
        """Return the gradient with respect to `own`, along axis 1 of upstream."""

        def one(row):
            (b, _, scale_b), (a, pull, scale_a) = window(other[row]), window(own[row])
            # Sums over bins of arrays in hand: any other form would recompute the windows.
            force, pulled = tf.matmul(upstream, b), a * pull
            back = scale_a * tf.reduce_sum(pulled * force, axis=1, keepdims=True)
            if share:  # dW_k/dv = W_k (pull_k - sum_l W_l pull_l) / sigma, without: W_k pull_k
                mean = scale_a * tf.reduce_sum(pulled, axis=1, keepdims=True)
                back -= mean * scale_a * tf.reduce_sum(a * force, axis=1, keepdims=True)
            return tf.squeeze(back * scale_b, axis=1) * weight[row] / sigma

        return tf.map_fn(one, tf.range(own.shape[0]), fn_output_signature=own.dtype)

    return value, gradient


def _narrow(num_bins: int, sigma: float, share: bool, neighbours: int) -> tuple[Callable, Callable]:
    """Return the same as `_dense`, of windows that reach so many bins from the nearest one."""
    size = 2 * neighbours + 1

    def window(values: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor], list[tf.Tensor], tf.Tensor]:
        """Return the first bin reached, exp(...) and (c - v) / sigma of each, and the factor."""
        nearest = tf.cast(tf.round(values * (num_bins - 1)), tf.int32)
        first = tf.clip_by_value(nearest - neighbours, 0, num_bins - size)
        all_centres = tf.constant(np.linspace(0, 1, num_bins), values.dtype)
        centres = [tf.gather(all_centres, first + k) for k in range(size)]
        pulls = [(centre - values) / sigma for centre in centres]
        weights = [tf.exp(-0.5 * pull**2) for pull in pulls]
        return first, weights, pulls, 1 / tf.add_n(weights) if share else tf.ones_like(values)

    def places(first, second):
        """Return where in the flat histograms the pairs of bins are, by the bins of `first`."""
        batch = tf.range(tf.shape(first)[-2])[:, None] * num_bins**2
        corner = batch + first * num_bins + second
        return [[corner + (k * num_bins + m) for m in range(size)] for k in range(size)]

    @traced(jit_compile=True)
    def value(first, second, weight):
        rows, batch = first.shape[0], tf.shape(first)[1]

        def add(row, total):
            (at_a, a, _, scale_a), (at_b, b, _, scale_b) = window(first[row]), window(second[row])
            scale = scale_a * scale_b * weight[row]
            products = [scale * x * y for x in a for y in b]
            where = sum(places(at_a, at_b), [])
            sums = tf.math.unsorted_segment_sum(
                tf.stack(products), tf.stack(where), batch * num_bins**2
            )
            return row + 1, total + sums

        start = 0, tf.zeros([batch * num_bins**2], first.dtype)
        total = tf.while_loop(lambda row, _: row < rows, add, start, maximum_iterations=rows)[1]
        return tf.reshape(total, [-1, num_bins, num_bins])

    @traced(jit_compile=True)
    def gradient(own, other, weight, upstream):
        (at_a, a, pulls, scale_a), (at_b, b, _, scale_b) = window(own), window(other)
        flat = tf.reshape(upstream, [-1])
        forces = [
            tf.add_n([tf.gather(flat, at) * y for at, y in zip(line, b, strict=True)])
            for line in places(at_a, at_b)
        ]
        pulled = [x * pull for x, pull in zip(a, pulls, strict=True)]

        def mean(of):
            return scale_a * tf.add_n([x * y for x, y in zip(of, forces, strict=True)])

        back = mean(pulled)
        if share:
            back -= scale_a * tf.add_n(pulled) * mean(a)
        return back * scale_b * weight / sigma

    return value, gradient


def _counts(weight: tf.Tensor) -> tf.Tensor:
    """Return the sum of the weights, (batch, 1, 1), one where it is zero."""
    total = tf.reduce_sum(weight, axis=(0, 2))[:, None, None]
    return tf.where(total > 0, total, tf.ones_like(total))
