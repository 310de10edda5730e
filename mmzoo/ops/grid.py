"""Voxel coordinates of a volume."""

from __future__ import annotations

import tensorflow as tf


def reference_grid(shape, dtype: tf.DType = tf.float32) -> tf.Tensor:
    """Return the voxel coordinates of a volume: grid[i, j, k] = (i, j, k).

    Args:
        shape: (dim1, dim2, dim3), numbers or scalar tensors.
        dtype: a floating type.

    Returns:
        Tensor of shape (dim1, dim2, dim3, 3), in voxels.
    """
    axes = [tf.range(n) for n in shape]
    return tf.cast(tf.stack(tf.meshgrid(*axes, indexing="ij"), axis=-1), dtype)
