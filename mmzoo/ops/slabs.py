"""Means of functions of windows, computed slab by slab.

The intermediate arrays of such a function take dozens of copies of a volume. Computed for a slab of
some rows, with the margin that its windows reach into on both sides, they take as many copies of
the slab: margins are computed twice, and memory no longer grows with the volume.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import tensorflow as tf

from mmzoo.ops.compiled import is_recorded, symbolic, traced

VOXELS_AT_ONCE = 2**20
FEWEST = 4  # margins that a slab's own rows make up, so that most work is not done twice
PAIR = (0, 1)  # the volumes that have a gradient


def slab_mean(
    *functions: Callable[..., tf.Tensor], margin: int, compiled: bool = False
) -> Callable[..., tf.Tensor]:
    """Return the weighted mean over the voxels of the sum of functions of two volumes' windows.

    Where a gradient will be asked for, it is found with the value, one function and one slab after
    the other, so that windows are computed once; a volume of it is what is kept. Sums are left to
    TensorFlow, since a compiled sum over a volume, and all that is fused into it, keeps only one
    core busy.

    Args:
        *functions: each (first, second, inside) -> (batch, rows, dim2', dim3'): of volumes of
            rows + 2 margin rows along dim1 the value of each voxel of the rows in the middle.
            Beyond the volume first and second are 0, and so is inside (rows + 2 margin,), which is
            1 within. Differentiable with respect to both volumes.
        margin: rows on each side that a voxel's value depends on.
        compiled: let XLA run each function and its gradient as one piece.

    Returns:
        (first, second, weight) -> (batch,): first and second (batch, dim1, ...) with dims known,
        weight (batch or 1, dim1, dim2', dim3'), whose gradient is not followed; 0 where all
        weights are.
    """
    pieces: dict = {}

    def piece(function, wanted):
        """Return a function of a slab: the weighted values, and the gradients that are wanted."""

        def run(pair, within, share):
            watched = [pair[i] for i in wanted]
            with tf.GradientTape() as tape:
                tape.watch(watched)
                value = share * function(*pair, within)
            return value, tape.gradient(value, watched, unconnected_gradients="zero")

        if (function, wanted) not in pieces:
            pieces[function, wanted] = traced(run, jit_compile=True) if compiled else run
        return pieces[function, wanted]

    def sums(first, second, weight, wanted=()):
        """Return the weighted sum over all voxels, and its gradients by the wanted volumes."""
        count, rows = _slabs(first.shape, margin)
        inside = tf.ones([1, first.shape[1]], first.dtype)

        def of_slab(before, slab):
            a, b, within = (_cut(v, slab, rows, margin) for v in (first, second, inside))
            share = _cut(weight, slab, rows, 0)

            def add(state, function):
                value, slopes = piece(function, wanted)([a, b], within[0], share)
                total = state[0] + tf.reduce_sum(value, axis=(1, 2, 3))
                return [total, *(x + y for x, y in zip(state[1:], slopes, strict=True))]

            start = [before[0], *(tf.zeros_like((a, b)[i]) for i in wanted)]
            return _in_turn(add, functions, start)[-1]

        each = _in_turn(of_slab, range(count), [tf.zeros(tf.shape(first)[:1], first.dtype)])
        slopes = [
            _join([slab[1 + k] for slab in each], first.shape[1], margin)
            for k in range(len(wanted))
        ]
        return each[-1][0], slopes

    def mean_of(recorded):
        @tf.custom_gradient
        def mean(*tensors):
            first, second, weight = (tf.stop_gradient(tensor) for tensor in tensors)
            weights = tf.reduce_sum(weight, axis=(1, 2, 3))
            share = tf.math.divide_no_nan(tf.ones_like(weights), weights)
            total, found = sums(first, second, weight, recorded)

            def back(upstream):
                slopes = dict(zip(recorded, found, strict=True))
                for i in PAIR:
                    if i not in slopes:
                        slopes[i] = sums(first, second, weight, (i,))[1][0]
                scale = tf.reshape(upstream * share, [-1] + [1] * (len(first.shape) - 1))
                return *(scale * slopes[i] for i in PAIR), tf.zeros_like(weight)

            return total * share, back

        return mean

    @symbolic
    def mean(first, second, weight):
        recorded = tuple(i for i in PAIR if is_recorded((first, second)[i]))
        return mean_of(recorded)(first, second, weight)

    return mean


def _slabs(shape: Sequence[int], margin: int) -> tuple[int, int]:
    """Return into how many slabs a volume (batch, dim1, dim2, dim3, ...) is cut, and their rows."""
    rows = max(VOXELS_AT_ONCE // (shape[2] * shape[3]), FEWEST * margin, 1)
    count = -(-shape[1] // rows)
    return count, -(-shape[1] // count)


def _cut(volume: tf.Tensor, slab: int, rows: int, margin: int) -> tf.Tensor:
    """Return a slab of rows + 2 margin rows along axis 1, zeros beyond the volume."""
    start = slab * rows - margin
    stop = start + rows + 2 * margin
    padding = [[0, 0] for _ in volume.shape]
    padding[1] = [max(-start, 0), max(stop - volume.shape[1], 0)]
    return tf.pad(volume[:, max(start, 0) : stop], padding)


def _in_turn(function: Callable, parts: Iterable, state: Any) -> list:
    """Return [function(state, part), ...], each after the one before, whose result is the state."""
    results: list = []
    for part in parts:
        with tf.control_dependencies(results[-1] if results else []):
            results.append(function(results[-1] if results else state, part))
    return results


def _join(slabs: list[tf.Tensor], length: int, margin: int) -> tf.Tensor:
    """Add up slabs where their margins overlap, and leave out what is beyond the volume."""
    if len(slabs) == 1:
        return slabs[0][:, margin : margin + length]
    pieces = [slabs[0][:, margin : 2 * margin]]
    for slab, following in zip(slabs, [*slabs[1:], None], strict=True):
        rows = slab.shape[1] - 2 * margin
        pieces.append(slab[:, 2 * margin : rows])
        end = slab[:, rows:]
        pieces.append(end if following is None else end + following[:, : 2 * margin])
    return tf.concat(pieces, axis=1)[:, :length]
