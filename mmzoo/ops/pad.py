"""Padding a volume to a size that a network can halve."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf


def pad_to_multiple(volume: tf.Tensor, steps: Sequence[int]) -> tf.Tensor:
    """Lengthen each axis at its far end to a multiple of its step; border values go on there.

    Like the zoo's warp, which continues border values too: zeros would be an edge that no image
    has. A volume that fits is returned as it is.

    Args:
        volume: (batch, dim1, dim2, dim3, channels).
        steps: three whole numbers above 0.

    Returns:
        (batch, ceil(dim / step) * step for each axis, channels).
    """
    for axis, step in enumerate(steps, start=1):
        dim = volume.shape[axis]
        if dim is None or dim % step:
            dim = tf.shape(volume)[axis] if dim is None else dim
            whole = -(-dim // step) * step
            volume = tf.gather(volume, tf.minimum(tf.range(whole), dim - 1), axis=axis)
    return volume
