"""Voxel coordinates of a volume."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf


def dims_of(volume: tf.Tensor, first: int = 1) -> list:
    """Return [dim1, dim2, dim3] of (batch, dim1, dim2, dim3, ...).

    As numbers, or as scalar tensors where a graph is built for volumes of any size.

    Args:
        volume: likewise.
        first: the axis of dim1; 2 of (batch, channels, dim1, dim2, dim3).
    """
    axes = slice(first, first + 3)
    known = volume.shape[axes]
    return tf.unstack(tf.shape(volume)[axes]) if None in known else list(known)


def are_known(*dims: object) -> bool:
    """Whether all dims are numbers, not tensors."""
    return all(isinstance(n, (int, np.integer)) for n in dims)


def reference_grid(shape: Sequence, dtype: tf.DType = tf.float32) -> tf.Tensor:
    """Return the voxel coordinates of a volume: grid[i, j, k] = (i, j, k).

    Args:
        shape: (dim1, dim2, dim3), numbers or scalar tensors.
        dtype: a floating type.

    Returns:
        Tensor of shape (dim1, dim2, dim3, 3), in voxels.
    """
    axes = [tf.range(n) for n in shape]
    return tf.cast(tf.stack(tf.meshgrid(*axes, indexing="ij"), axis=-1), dtype)
