"""Means of what windows say, a slab of the volume at a time.

What the windows of a whole volume are made of takes dozens of its copies. Of a slab of some rows,
with the rows that its windows reach into on both sides, it takes as many copies of the slab: those
rows are computed twice, and memory no longer grows with the volume.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from mmzoo.ops.compiled import symbolic

VOXELS_AT_ONCE = 2**20
FEWEST = 4  # margins that a slab's own rows make up, so that most work is not done twice


def slab_mean(*functions: Callable[..., tf.Tensor], margin: int) -> Callable[..., tf.Tensor]:
    """Return the weighted mean over the voxels of the sum of functions of two volumes' windows.

    Its gradient computes the windows anew, one function and one slab after the other. Sums are left
    to TensorFlow, since a compiled sum over a volume, and all that is fused into it, keeps only one
    core busy.

    Args:
        *functions: each (first, second, inside) -> (batch, rows, dim2', dim3'): of volumes of
            rows + 2 margin rows along dim1 the value of each voxel of the rows in the middle.
            Beyond the volume first and second are 0, and so is inside (rows + 2 margin,), which is
            1 within. Differentiable with respect to both volumes.
        margin: rows on each side that a voxel's value depends on.

    Returns:
        (first, second, weight) -> (batch,): first and second (batch, dim1, ...) with dims known,
        weight (batch or 1, dim1, dim2', dim3'), whose gradient is not followed; 0 where all
        weights are.
    """

    @symbolic
    @tf.custom_gradient
    def mean(*tensors):
        first, second, weight = (tf.stop_gradient(tensor) for tensor in tensors)
        count, rows = _slabs(first.shape, margin)
        inside = tf.ones([1, first.shape[1]], first.dtype)
        total = tf.reduce_sum(weight, axis=(1, 2, 3))

        def windows(slab):
            a, b, within = (_cut(v, slab, rows, margin) for v in (first, second, inside))
            return [a, b], within[0], _cut(weight, slab, rows, 0)

        def add(before, part):
            slab, function = part
            pair, within, share = windows(slab)
            return before + tf.reduce_sum(share * function(*pair, within), axis=(1, 2, 3))

        def back(upstream):
            each = tf.math.divide_no_nan(upstream, total)[:, None, None, None]

            def gradient(index, slab):
                pair, within, share = windows(slab)

                def add(before, function):
                    with tf.GradientTape() as tape:
                        tape.watch(pair[index])
                        value = function(*pair, within)
                    return before + tape.gradient(value, pair[index], each * share)

                return _in_turn(add, functions, tf.zeros_like(pair[index]))[-1]

            along = [_in_turn(lambda _, slab, i=i: gradient(i, slab), range(count)) for i in (0, 1)]
            joined = [_join(gradients, first.shape[1], margin) for gradients in along]
            return *joined, tf.zeros_like(weight)

        parts = [(slab, function) for slab in range(count) for function in functions]
        sums = _in_turn(add, parts, tf.zeros_like(total))
        return tf.math.divide_no_nan(sums[-1], total), back

    return mean


def _slabs(shape, margin: int) -> tuple[int, int]:
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


def _in_turn(function, parts, state=None) -> list:
    """Return [function(state, part), ...], each after the one before, whose result is the state."""
    results: list = []
    for part in parts:
        with tf.control_dependencies(results[-1:]):
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
