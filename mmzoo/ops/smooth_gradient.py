"""The smoothed gradient of a volume, by smoothing one volume instead of three components.

Smoothing and differences commute, but for the borders; there, summation by parts says what is left.
Along a line whose voxels count from 1 to n, where voxel 0 takes part in the first difference alone,

    sum_p w(p - x) (v(p) - v(p - 1)) = s(x) - s(x - 1) - w(1 - x) v(0) + w(n + 1 - x) v(n)
    s(x) = sum_p w(p - x) v(p)

So each axis is smoothed once for all three components, a third of the products, while the first and
the last plane ride along: v(0) and v(n) of an axis are smoothed along the two others.
"""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf

from mmzoo.ops.compiled import traced
from mmzoo.ops.filters import apply_along_axis, gaussian_kernel, taps
from mmzoo.ops.matrices import convolution_matrix


class Line(NamedTuple):
    """How one axis is smoothed.

    Attributes:
        kernel: the weights w.
        rows: first and after the last of those whose smoothed differences are wanted.
        counts: (length,), 1 for the voxels from 1 to n, else 0.
        planes: (2, length), which voxels are 0 and n.
        ends: (rows, 2), the weights of v(0) and v(n) in the difference of each row.
        whole: whether voxels 0 and n are the first and the last one, and all rows wanted.
    """

    kernel: tuple[float, ...]
    rows: tuple[int, int]
    counts: tf.Tensor
    planes: tf.Tensor
    ends: tf.Tensor
    whole: bool = False


def smoothed_line(sigma: float, inside: tf.Tensor, rows: slice = slice(1, None)) -> Line:
    """Return how an axis is smoothed with a Gaussian.

    Args:
        sigma: standard deviation in voxels; 0 for no smoothing.
        inside: (length,), 1 where the axis lies within the volume, else 0.
        rows: the voxels whose smoothed differences are wanted, from 1 on.
    """
    kernel, (start, stop, _) = gaussian_kernel(sigma), rows.indices(inside.shape[0])
    weights = convolution_matrix(kernel, inside.shape[0])[start - 1 : stop - 1]
    counts = tf.pad(inside[1:] * inside[:-1], [[1, 0]])
    ends = counts - tf.pad(counts[1:], [[0, 1]])  # -1 at voxel 0, 1 at voxel n
    first, last = tf.nn.relu(-ends), tf.nn.relu(ends)
    ends = tf.matmul(tf.constant(weights, inside.dtype), tf.stack([-first, last], axis=1))
    return Line(tuple(kernel), (start, stop), counts, tf.stack([first, last]), ends)


@functools.lru_cache(maxsize=64)
def whole_line(sigma: float, length: int, dtype: tf.DType) -> Line:
    """Return how a whole axis is smoothed, made once.

    Made outside of any graph: a graph that holds its weights as constants, for every slab anew,
    takes more memory than the slabs.
    """
    with tf.init_scope():
        return smoothed_line(sigma, tf.ones([length], dtype))._replace(whole=True)


def smooth_gradient(volume: tf.Tensor, lines: Sequence[Line]) -> tf.Tensor:
    """Return the one-sided differences of a volume, smoothed, zeros outside.

    The same as `gaussian_smooth(backward_gradient(volume), sigmas)`.

    Args:
        volume: (batch, dim1, dim2, dim3), dims known.
        lines: of `smoothed_line` or `whole_line`, one an axis.

    Returns:
        (batch, 3, rows1, rows2, rows3), per voxel.
    """
    ends = [line.ends for line in lines]

    @tf.custom_gradient
    def differences(smoothed):
        return _stacked_differences(smoothed, *ends), lambda upstream: transposed_differences(
            tf.unstack(upstream, axis=1), lines
        )

    return differences(smooth(volume, lines))


def smooth(volume: tf.Tensor, lines: Sequence[Line]) -> tf.Tensor:
    """Return s(x), from the row before the first one on, then v(0) and v(n), along each axis.

    Args:
        volume: (batch, dim1, dim2, dim3), dims known.
        lines: one an axis.

    Returns:
        (batch, rows1 + 3, rows2 + 3, rows3 + 3).
    """
    for axis in (1, 2, 3):  # the first one leaves margins out
        volume = _smooth_axis(volume, lines[axis - 1], axis)
    return volume


def _smooth_axis(volume: tf.Tensor, line: Line, axis: int) -> tf.Tensor:
    value, gradient = _compiled_line(line.kernel, axis, line.rows, volume.shape[axis])

    @tf.custom_gradient
    def along(volume):
        at = _at(volume, axis)
        if line.whole:
            ends = at(slice(0, 1)), at(slice(-1, None))
        else:  # a product keeps all cores busy, where a compiled sum does not
            ends = (apply_along_axis(volume, line.planes, axis - 1),)
        back = functools.partial(gradient, counts=line.counts, planes=line.planes)
        return value(volume, line.counts, *ends), back

    return along(volume)


def _at(volume: tf.Tensor, axis: int) -> Callable[[slice], tf.Tensor]:
    return lambda part: volume[(slice(None),) * axis + (part,)]


@functools.lru_cache(maxsize=64)
def _compiled_line(
    kernel: tuple[float, ...], axis: int, rows: tuple[int, int], length: int
) -> tuple[Callable, Callable]:
    """Return what `_smooth_axis` does along an axis, and its transpose."""
    size = len(kernel)
    start, stop = rows[0] - 1 - size // 2, rows[1] + size // 2  # of the voxels that are reached
    reached = slice(max(start, 0), min(stop, length))

    def along(weights):
        return tf.reshape(weights, [-1] + [1] * (3 - axis))

    @traced(jit_compile=True)
    def value(volume, counts, *ends):
        counted = along(counts[reached]) * _at(volume, axis)(reached)
        return tf.concat(
            [taps(counted, kernel, axis, (max(-start, 0), max(stop - length, 0))), *ends], axis
        )

    @traced(jit_compile=True)
    def gradient(upstream, counts, planes):
        at = _at(upstream, axis)
        total = along(counts) * taps(
            at(slice(0, -2)), kernel, axis, (size - 1 + start, size - 1 + length - stop)
        )
        return total + along(planes[0]) * at(slice(-2, -1)) + along(planes[1]) * at(slice(-1, None))

    return value, gradient


def differences(smoothed: tf.Tensor, *ends: tf.Tensor) -> list[tf.Tensor]:
    """Return s(x) - s(x - 1) and what the ends add, for each axis, for `compiled` code.

    Args:
        smoothed: of `smooth`.
        *ends: `Line.ends` of each axis.
    """
    here, before = slice(1, -2), slice(0, -3)
    components = []
    for axis in range(3):

        def at(place, axis=axis):  # the rows of the two other axes
            return smoothed[(slice(None), *(place if k == axis else here for k in range(3)))]

        first, last = (tf.reshape(ends[axis][:, k], [-1] + [1] * (2 - axis)) for k in range(2))
        difference = at(here) - at(before)
        components.append(difference + first * at(slice(-2, -1)) + last * at(slice(-1, None)))
    return components


@traced(jit_compile=True)
def _stacked_differences(smoothed: tf.Tensor, *ends: tf.Tensor) -> tf.Tensor:
    return tf.stack(differences(smoothed, *ends), axis=1)


@functools.lru_cache
def gradient_cosine(absolute: bool, eps: float, scales: tuple[float, ...]) -> Callable:
    """Return the cosine between the gradients of two volumes, from the volumes as smoothed.

    No volume of three components is made on the way to the value: each is a difference of two
    neighbours that are in the cache.

    Args:
        absolute: return its absolute value.
        eps: added to the squared length of a gradient.
        scales: by which the component along each axis is multiplied.

    Returns:
        (a, b, lines) -> (batch, rows1, rows2, rows3), of what `smooth` returns with these lines.
    """

    def components(smoothed, ends):
        parts = differences(smoothed, *ends)
        return [scale * part for scale, part in zip(scales, parts, strict=True)]

    @traced(jit_compile=True)
    def measures(a, b, *ends):
        """Return the scalar product and the inverse lengths, each by a loop of its own."""
        a, b = components(a, ends), components(b, ends)
        products = [
            tf.add_n([x * y for x, y in zip(*pair, strict=True)])
            for pair in ((a, b), (a, a), (b, b))
        ]
        return products[0], *(tf.math.rsqrt(square + eps) for square in products[1:])

    @traced(jit_compile=True)
    def value(dot, inverse_a, inverse_b):
        cosine = dot * inverse_a * inverse_b
        return tf.abs(cosine) if absolute else cosine

    @traced(jit_compile=True)
    def slopes(a, b, dot, inverse_a, inverse_b, upstream, *ends):
        """Return the gradient by the components of b."""
        upstream *= inverse_a * inverse_b * (tf.sign(dot) if absolute else 1)
        along = upstream * dot * inverse_b**2
        pairs = zip(components(a, ends), components(b, ends), scales, strict=True)
        return [scale * (upstream * x - along * y) for x, y, scale in pairs]

    def compare(a, b, lines):
        ends = [line.ends for line in lines]

        @tf.custom_gradient
        def cosine(a, b):
            dot, *inverse = measures(a, b, *ends)

            def back(upstream):
                of_a = slopes(b, a, dot, *inverse[::-1], upstream, *ends)
                of_b = slopes(a, b, dot, *inverse, upstream, *ends)
                return [transposed_differences(parts, lines) for parts in (of_a, of_b)]

            return value(dot, *inverse), back

        return cosine(a, b)

    return compare


def transposed_differences(parts: Sequence[tf.Tensor], lines: Sequence[Line]) -> tf.Tensor:
    """Return the gradient by what `smooth` returns, from that by each component."""
    planes = [_plane_sums(*axis) for axis in zip(parts, lines, (1, 2, 3), strict=True)]
    return _transposed(parts, planes)


def _plane_sums(part: tf.Tensor, line: Line, axis: int) -> tf.Tensor:
    """Return the gradient by v(0) and v(n) of an axis, from that by the component along it."""
    near = len(line.kernel) // 2 + 1  # rows that they count in
    if not line.whole or near > part.shape[axis]:  # a product keeps all cores busy
        return apply_along_axis(part, tf.transpose(line.ends), axis - 1)
    return _outermost_sums(part, line.ends, axis, near)


@traced(jit_compile=True)
def _outermost_sums(part: tf.Tensor, ends: tf.Tensor, axis: int, near: int) -> tf.Tensor:
    sums = []
    for k, rows in enumerate((slice(0, near), slice(-near, None))):
        weights = tf.reshape(ends[rows, k], [-1] + [1] * (3 - axis))
        sums.append(tf.reduce_sum(weights * _at(part, axis)(rows), axis, keepdims=True))
    return tf.concat(sums, axis)


@traced(jit_compile=True)
def _transposed(parts: Sequence[tf.Tensor], planes: Sequence[tf.Tensor]) -> tf.Tensor:
    here, before = [1, 2], [0, 3]

    def placed(volume, places):
        return tf.pad(volume, [[0, 0], *places])

    total = placed(tf.add_n(parts), [here] * 3)
    for axis, (part, plane) in enumerate(zip(parts, planes, strict=True)):
        riding = [part.shape[axis + 1] + 1, 0]
        total -= placed(part, [before if k == axis else here for k in range(3)])
        total += placed(plane, [riding if k == axis else here for k in range(3)])
    return total
