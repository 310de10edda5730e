"""DeepReg's `lncc`: squared local correlation, its windows computed as separable filters."""

import functools

import numpy as np
import tensorflow as tf

from mmzoo.deepreg.adaptations.acceleration import is_on
from mmzoo.ops.compiled import compiled, symbolic
from mmzoo.ops.filters import apply_along_axes, box_sum
from mmzoo.ops.matrices import convolution_matrix
from mmzoo.ops.slabs import slab_mean

Taps = tuple[tuple[float, ...], ...]  # of three axes, then of the channels


def lncc(first, second, taps: Taps, volume: float, eps: float) -> tf.Tensor:
    """Return DeepReg's squared local correlation of two volumes, positive.

        cross = S(ab) - S(a) S(b) / n,  mean over voxels of (cross^2 + eps) / (var_a var_b + eps)

    S sums a window weighted by the kernel, zeros beyond the border; n is DeepReg's volume of the
    kernel.

    Args:
        first: (batch, dim1, dim2, dim3, channels), dims known.
        second: the same shape.
        taps: weights along each axis and of the channels, whose outer product is the kernel.
        volume: n.
        eps: DeepReg's.

    Returns:
        (batch,).
    """
    return _correlation(taps, volume, eps)(first, second)


@functools.lru_cache
def _correlation(taps: Taps, volume: float, eps: float):
    *axes, channels = taps
    weights = {weight for axis in axes for weight in axis}

    def products(a, b):  # of each voxel, (batch, 5, dim1, dim2, dim3)
        stacked = tf.stack([a, b, a * a, b * b, a * b], axis=1)
        return tf.reduce_sum(stacked * tf.constant(channels, a.dtype), axis=-1)

    def correlation(sums):
        sum_a, sum_b, var_a, var_b, cross = tf.unstack(sums, axis=1)
        cross -= sum_a * sum_b / volume
        var_a -= sum_a * sum_a / volume
        var_b -= sum_b * sum_b / volume
        return (cross * cross + eps) / (var_a * var_b + eps)

    if len(weights) == 1:
        weight, window = weights.pop() ** 3, len(axes[0])
        margin = window // 2

        def of_rows(a, b, _):  # zeros beyond the border are DeepReg's own
            sums = weight * box_sum(products(a, b), window, padded=(-2, -1))
            return correlation(sums[:, :, 1 - window % 2 :])  # an even window has a row more

        mean = slab_mean(of_rows, margin=margin, compiled=True)
        return symbolic(lambda a, b: mean(a, b, tf.ones([1, *a.shape[1:4]], a.dtype)))

    def along_axes(volumes):
        # A convolution reads the kernel as it stands, a product with a matrix too.
        matrices = [
            convolution_matrix(_centred(axis), n)
            for axis, n in zip(axes, volumes.shape[2:], strict=True)
        ]
        return apply_along_axes(volumes, matrices)

    multiply = compiled(products)
    divide = compiled(lambda sums: tf.reduce_mean(correlation(sums), axis=(1, 2, 3)))
    return symbolic(lambda a, b: divide(along_axes(multiply(a, b))))


def _centred(taps: tuple[float, ...]) -> np.ndarray:
    """Return an odd number of taps: before an even number of them comes a zero."""
    return np.array(taps if len(taps) % 2 else (0.0, *taps))


def factors(kernel: np.ndarray) -> Taps | None:
    """Factorise a kernel (k, k, k, channels) into weights of its axes; None if inseparable."""
    peak = np.unravel_index(np.argmax(kernel), kernel.shape)
    lines = [
        kernel[tuple(slice(None) if a == axis else p for a, p in enumerate(peak))].astype(float)
        for axis in range(4)
    ]
    lines[3] /= kernel[peak] ** 3
    product = np.einsum("i,j,k,c->ijkc", *lines)
    if not np.allclose(product, kernel, rtol=1e-5, atol=1e-6 * kernel[peak]):
        return None
    return tuple(tuple(line.tolist()) for line in lines)


def correlate_fast(image) -> None:
    """Compute the `lncc` loss without five convolutions of one channel, which run slowly."""
    if not is_on():
        return
    original = image.LocalNormalizedCrossCorrelation.call

    @functools.lru_cache
    def kernel_of(kernel_fn, size: int, channels: int):
        with tf.init_scope():
            filters, volume = kernel_fn(kernel_size=size, input_channel=channels)
            return factors(filters.numpy()[..., 0]), float(volume)

    @functools.wraps(original)
    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        volumes = (y_true, y_pred)
        if any(len(v.shape) not in (4, 5) or None in v.shape[1:] for v in volumes):
            return original(self, y_true, y_pred)
        first, second = (v if len(v.shape) == 5 else v[..., None] for v in volumes)
        taps, volume = kernel_of(self.kernel_fn, self.kernel_size, first.shape[4])
        if taps is None:
            return original(self, y_true, y_pred)
        return lncc(first, second, taps, volume, image.EPS)

    image.LocalNormalizedCrossCorrelation.call = call
