"""Linear filters along the axes of a volume: products with banded matrices, and sums of windows.

A product with a dense (n, n) matrix does more arithmetic than a convolution of a few taps, yet on
the CPU it runs near the machine's peak, where a convolution of one channel does not. Equal taps
need no products at all.
"""

import functools
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import tensorflow as tf

from mmzoo.ops.compiled import compiled
from mmzoo.ops.grid import are_known, dims_of
from mmzoo.ops.matrices import mean_matrix, resize_matrix


def gaussian_kernel(sigma: float) -> np.ndarray:
    """Return a normalised Gaussian of tail int(3 sigma): shape (2 * int(3 sigma) + 1,), float64.

    Args:
        sigma: standard deviation in voxels. Below 1/3 the kernel is a single one: no smoothing.
    """
    tail = int(3 * sigma)
    if not tail:
        return np.ones(1)
    weights = np.exp(-0.5 * (np.arange(-tail, tail + 1) / sigma) ** 2)
    return weights / weights.sum()


def apply_along_axes(volume: tf.Tensor, matrices: Sequence[np.ndarray | tf.Tensor]) -> tf.Tensor:
    """Multiply each of the three axes of a volume by its own matrix.

    Args:
        volume: (..., dim1, dim2, dim3).
        matrices: three arrays or tensors of shape (new_dim, dim), one an axis.

    Returns:
        (..., new_dim1, new_dim2, new_dim3).
    """
    matrices = [
        tf.cast(m, volume.dtype) if tf.is_tensor(m) else tf.constant(m, volume.dtype)
        for m in matrices
    ]
    leading = tf.shape(volume)[:-3]
    shapes = [_shape_of(matrix) for matrix in matrices]
    dims = [dim for _, dim in shapes]
    for axis in _order(shapes):  # each step is one product of matrices, nothing is transposed
        volume, dims[axis] = _product(volume, matrices[axis], axis, dims), shapes[axis][0]
    return tf.reshape(volume, tf.concat([leading, dims], axis=0))


def apply_along_axis(volume: tf.Tensor, matrix: tf.Tensor, axis: int) -> tf.Tensor:
    """Multiply one of the three axes of a volume, 0, 1 or 2, by a matrix (new_dim, dim)."""
    dims = list(volume.shape[-3:])
    product = _product(volume, matrix, axis, dims)
    dims[axis] = matrix.shape[0]
    return tf.reshape(product, tf.concat([tf.shape(volume)[:-3], dims], axis=0))


def _product(volume: tf.Tensor, matrix: tf.Tensor, axis: int, dims: Sequence) -> tf.Tensor:
    """Return the product of an axis of a volume of these dims with a matrix, in another shape."""
    if axis == 2:
        return tf.matmul(tf.reshape(volume, [-1, dims[2]]), matrix, transpose_b=True)
    line = dims[2] if axis == 1 else dims[1] * dims[2]
    return tf.matmul(matrix, tf.reshape(volume, [-1, dims[axis], line]))


def _order(shapes: Sequence[Sequence]) -> list[int]:
    """Return the axis that shrinks most first, for least work; the last one first among equals."""
    backwards = [2, 1, 0]
    if not are_known(*(n for shape in shapes for n in shape)):
        return backwards
    return sorted(backwards, key=lambda axis: shapes[axis][0] / shapes[axis][1])


def _shape_of(matrix: tf.Tensor) -> list:
    """Return rows and columns, as scalar tensors where they are not known."""
    known = matrix.shape
    return tf.unstack(tf.shape(matrix)) if None in known else list(known)


def gaussian_smooth(
    volume: tf.Tensor, sigmas: Sequence[float], rows: slice = slice(None)
) -> tf.Tensor:
    """Smooth a volume with a Gaussian, zeros outside.

    Args:
        volume: (..., dim1, dim2, dim3) with these three dims known.
        sigmas: three standard deviations in voxels, one an axis; 0 leaves all as it is.
        rows: of dim1, which to return.
    """
    for axis, sigma in zip((-1, -2, -3), reversed(sigmas), strict=True):
        kernel = tuple(gaussian_kernel(sigma))
        if len(kernel) > 1:
            volume = _compiled_taps(kernel, axis)(volume)
    return volume[..., rows, :, :]


@functools.lru_cache(maxsize=64)
def _compiled_taps(kernel: tuple[float, ...], axis: int) -> Callable[..., tf.Tensor]:
    """Return the filter along one axis; its gradient is the same filter."""
    ends = (len(kernel) // 2,) * 2

    @tf.custom_gradient
    def filtered(volume):
        return taps(volume, kernel, axis, ends), lambda upstream: taps(upstream, kernel, axis, ends)

    return compiled(filtered)


def taps(volume: tf.Tensor, kernel: Sequence[float], axis: int, ends: tuple[int, int]) -> tf.Tensor:
    """Filter a volume along one axis with a kernel that is the same from both ends.

    Made for `compiled` code, where it is one loop: a few taps cost less than a product of matrices.

    Args:
        volume: (..., dim1, dim2, dim3).
        kernel: an odd number of weights.
        axis: of the volume.
        ends: zeros before and after it; the result has len(kernel) - 1 rows less.
    """
    half, padded = len(kernel) // 2, _padded(volume, axis, ends)
    rows = padded.shape[axis] - 2 * half
    axis -= len(volume.shape) if axis >= 0 else 0

    def at(start):
        return _cut(padded, axis, start, start + rows)

    total = kernel[half] * at(half)
    for k in range(half):
        total += kernel[k] * (at(k) + at(2 * half - k))
    return total


def box_sum(volume: tf.Tensor, window: int, padded: Sequence[int] = (-3, -2, -1)) -> tf.Tensor:
    """Sum a volume over the cube of `window` voxels around each voxel, zeros outside.

    An even window has its further voxel after the middle, as convolutions with padding "SAME".

    One axis after the other, each by sums of 1, 2, 4 ... voxels in a row: the cost grows with the
    logarithm of the window. Made for `compiled` code, where all of it is a few loops.

    Args:
        volume: (..., dim1, dim2, dim3).
        window: number of voxels, at least 1.
        padded: axes that keep their length; the others lose window - 1, where a window would
            reach beyond the volume.
    """
    for axis in (-3, -2, -1):
        ends = ((window - 1) // 2, window // 2) if axis in padded else (0, 0)
        volume = _line_sum(window, axis, ends)(volume)
    return volume


def _line_sum(window: int, axis: int, ends: tuple[int, int]) -> Callable:
    """Return the sum of windows along one axis, with so many zeros before and after it."""

    @tf.custom_gradient
    def total(volume):
        # Each voxel is in `window` windows in a row: the same sum again, where the automatic
        # gradient adds up padded slices.
        back = _line_sum(window, axis, (window - 1 - ends[0], window - 1 - ends[1]))
        return _row_sum(_padded(volume, axis, ends), window, axis), back

    return total


def _padded(volume: tf.Tensor, axis: int, ends: tuple[int, int]) -> tf.Tensor:
    """Return a volume with so many zeros before and after it."""
    padding = [[0, 0] for _ in volume.shape]
    padding[axis] = list(ends)
    return tf.pad(volume, padding)


def _row_sum(volume: tf.Tensor, count: int, axis: int) -> tf.Tensor:
    """Sum each `count` voxels in a row along an axis, which gets shorter by count - 1."""
    if count == 1:
        return volume
    half = count // 2
    sums = _row_sum(volume, half, axis)
    sums = _cut(sums, axis, stop=-half) + _cut(sums, axis, start=half)
    if count % 2:
        sums = _cut(sums, axis, stop=-1) + _cut(volume, axis, start=count - 1)
    return sums


def _cut(volume: tf.Tensor, axis: int, start: int = 0, stop: int | None = None) -> tf.Tensor:
    after = [slice(None)] * (-axis - 1)
    return volume[(..., slice(start, stop), *after)]


def resize(volume: tf.Tensor, shape: Sequence) -> tf.Tensor:
    """Resize a volume trilinearly, voxel centres aligned as in `tf.image.resize`.

    Args:
        volume: (batch, dim1, dim2, dim3, channels), channels known.
        shape: (new_dim1, new_dim2, new_dim3), numbers or scalar tensors.

    Returns:
        (batch, *shape, channels).
    """
    dims = dims_of(volume)
    if are_known(*dims, *shape) and tuple(dims) == tuple(shape):
        return volume
    return _apply_beside_channels(volume, map(resize_matrix, dims, shape), shape)


def smooth_with_neighbours(volume: tf.Tensor, times: int) -> tf.Tensor:
    """Return the mean over 3^3 voxels, so many times, border values going on.

    Nearly a Gaussian of sqrt(2/3 times) voxels. One product of matrices an axis, however often.

    Args:
        volume: (batch, dim1, dim2, dim3, channels), channels known.
        times: 0 or more.
    """
    if not times:
        return volume
    dims = dims_of(volume)
    return _apply_beside_channels(volume, (mean_matrix(n, times) for n in dims), dims)


def _apply_beside_channels(volume: tf.Tensor, matrices: Iterable, shape: Sequence) -> tf.Tensor:
    """Multiply each axis of (batch, dim1, dim2, dim3, channels) by its matrix, to a new shape."""
    along = list(matrices)
    dims, channels = dims_of(volume), volume.shape[4]
    # (dim3, channels) as one axis, for the Kronecker product of its matrix and the identity.
    along[2] = _kron_identity(along[2], channels)
    flat = tf.reshape(volume, [-1, dims[0], dims[1], dims[2] * channels])
    return tf.reshape(apply_along_axes(flat, along), [-1, *shape, channels])


def weighted_mean(
    values: tf.Tensor, weights: tf.Tensor, axis: int | Sequence[int] = (1, 2, 3)
) -> tf.Tensor:
    """Return the weighted mean along some axes, 0 where all weights are 0.

    Args:
        values: of a volume (batch, dim1, dim2, dim3), or as the axes say.
        weights: at least 0, of the same rank; an axis of length 1 stands for all of it.
        axis: along which to average, the voxels of a volume by default.
    """
    total = tf.reduce_sum(weights * values, axis=axis)
    return tf.math.divide_no_nan(total, tf.reduce_sum(weights, axis=axis))


def _kron_identity(matrix: np.ndarray | tf.Tensor, size: int) -> np.ndarray | tf.Tensor:
    """Return the Kronecker product of a matrix with the identity, as what the matrix is."""
    if not tf.is_tensor(matrix):
        return np.kron(matrix, np.eye(size))
    rows, columns = _shape_of(matrix)
    product = tf.einsum("ij,cd->icjd", matrix, tf.eye(size, dtype=matrix.dtype))
    return tf.reshape(product, [rows * size, columns * size])
