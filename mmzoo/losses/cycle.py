"""Cycle consistency: an image warped forward and back should equal itself.

Source: Ding et al. 2021, Eq. 9. Differs from the paper: nothing.
"""

import dataclasses

import tensorflow as tf

from mmzoo.checks import check_rank, check_same_shape
from mmzoo.framework import keras
from mmzoo.losses.base import FunctionLoss


def cycle_consistency(original: tf.Tensor, restored: tf.Tensor) -> tf.Tensor:
    """Return the mean absolute difference of an image and the same warped forward and back.

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
@dataclasses.dataclass(eq=False)
class CycleConsistency(FunctionLoss):
    """The `cycle` loss of (original, restored); see `cycle_consistency`."""

    function = staticmethod(cycle_consistency)
