"""Cycle consistency: an image sent forth and back should be itself again.

Source: Ding et al. 2021, Eq. 9. Differs from the paper: nothing.
"""

from __future__ import annotations

import tensorflow as tf
import tf_keras as keras

from mmzoo.checks import check_rank, check_same_shape


def cycle_consistency(original: tf.Tensor, restored: tf.Tensor) -> tf.Tensor:
    """Return the mean absolute difference of an image and its forth-and-back warped self.

        L = 1/|Omega| sum_x |restored(x) - original(x)|     (Eq. 9)

    Args:
        original: (batch, dim1, dim2, dim3) or with a channel axis.
        restored: the same shape: the image warped by the forward, then by the backward ddf.

    Returns:
        (batch,), at least 0, in units of intensity.

    Raises:
        ValueError: unequal shapes or a wrong rank.
    """
    check_rank("original", original, (4, 5))
    check_same_shape("original", original, "restored", restored)
    return tf.reduce_mean(tf.abs(restored - original), axis=range(1, len(original.shape)))


@keras.saving.register_keras_serializable(package="mmzoo")
class CycleConsistency(keras.losses.Loss):
    """The `cycle` loss of (original, restored); see `cycle_consistency`."""

    def __init__(
        self,
        reduction: str = keras.losses.Reduction.AUTO,
        name: str = "CycleConsistency",
    ):
        """Keep the name and the Keras reduction."""
        super().__init__(reduction=reduction, name=name)

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Return the loss of (original, restored), shape (batch,)."""
        return cycle_consistency(y_true, y_pred)
