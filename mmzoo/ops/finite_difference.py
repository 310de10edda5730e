"""Finite differences of volumes and fields, in units per voxel."""

import tensorflow as tf

COMPONENTS = 3  # of a displacement


def in_rows(ddf: tf.Tensor) -> tf.Tensor:
    """Lay the components along the last axis of the volume: (batch, dim1, dim2, 3 dim3).

    Rows of 3 dim3 numbers are what the processor's vectors want; rows of 3 cost ten times as much.

    Args:
        ddf: (batch, dim1, dim2, dim3, 3).
    """
    shape = tf.shape(ddf)
    return tf.reshape(ddf, [shape[0], shape[1], shape[2], COMPONENTS * shape[3]])


def backward_gradient(volume: tf.Tensor) -> tf.Tensor:
    """One-sided differences v(x) - v(x - e) along each axis, without the first planes.

    Args:
        volume: (batch, dim1, dim2, dim3).

    Returns:
        (batch, 3, dim1 - 1, dim2 - 1, dim3 - 1), per voxel: the component comes before the
        voxels, so that what follows runs along whole rows.
    """
    here = volume[:, 1:, 1:, 1:]
    return tf.stack(
        [
            here - volume[:, :-1, 1:, 1:],
            here - volume[:, 1:, :-1, 1:],
            here - volume[:, 1:, 1:, :-1],
        ],
        axis=1,
    )
