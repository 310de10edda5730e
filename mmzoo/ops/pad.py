"""Padding a volume to a size that a network can halve, and back."""

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


def cut_back(volume: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
    """Cut from the far ends of a volume what `pad_to_multiple` has added.

    Args:
        volume: (batch, at least dim1, at least dim2, at least dim3, channels).
        like: (batch, dim1, dim2, dim3, any), the volume before.

    Returns:
        (batch, dim1, dim2, dim3, channels).
    """
    dims = tf.shape(like)[1:4] if None in like.shape[1:4] else like.shape[1:4]
    return volume[:, : dims[0], : dims[1], : dims[2]]
