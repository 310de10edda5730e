"""Global normalised cross-correlation: how linear the relation of two volumes is.

Source: de Vos et al. 2020, cardiac experiments, and 2017 (DIRNet); their later code: TorchIR.
Differs from that code, which takes one coefficient over all volumes of a batch: one a volume.
"""

import dataclasses

import tensorflow as tf

from mmzoo.checks import check_one_channel, check_positive, check_rank, check_same_shape
from mmzoo.framework import keras
from mmzoo.losses.base import FunctionLoss
from mmzoo.ops.compiled import recomputed

EPS = 1e-8


def ncc(
    fixed: tf.Tensor, warped: tf.Tensor, mask: tf.Tensor | None = None, *, eps: float = EPS
) -> tf.Tensor:
    """Return the negative correlation coefficient.

        L = -cov(A, B) / sqrt((var(A) + eps) (var(B) + eps))

    Signed: reversed contrast gives +1, the worst. Unchanged when the two are swapped, and when
    either is scaled by a positive number and shifted, as long as its variance is well above eps.
    Takes a few passes over the images; nothing is stored for the gradient.

    Args:
        fixed: (batch, dim1, dim2, dim3) or with one channel, dims known.
        warped: the same shape.
        mask: the same shape; voxels where it is 0 do not count, others by its value. All if None.
        eps: added to the variances, for constant volumes; made for intensities in about [0, 1].

    Returns:
        (batch,), in [-1, 1]; 0 where a volume is constant or the mask empty.

    Raises:
        ValueError: unequal shapes, a wrong rank, more than one channel, or eps not positive.
    """
    check_positive("eps", eps)
    check_rank("fixed", fixed, (4, 5))
    check_same_shape("fixed", fixed, "warped", warped)
    check_one_channel("fixed", fixed)
    mask = tf.ones_like(fixed) if mask is None else tf.cast(mask, fixed.dtype)
    check_same_shape("fixed", fixed, "mask", mask)
    return _ncc(fixed, warped, mask, tf.constant(eps, fixed.dtype))


@recomputed
def _ncc(fixed, warped, mask, eps):
    axes = tuple(range(1, len(fixed.shape)))
    total = tf.reduce_sum(mask, axis=axes, keepdims=True)
    total = tf.where(total > 0, total, tf.ones_like(total))

    def mean(volume):
        return tf.reduce_sum(mask * volume, axis=axes, keepdims=True) / total

    a, b = fixed - mean(fixed), warped - mean(warped)
    variances = (mean(a * a) + eps) * (mean(b * b) + eps)
    return -tf.reshape(mean(a * b) * tf.math.rsqrt(variances), [-1])


@keras.saving.register_keras_serializable(package="mmzoo")
@dataclasses.dataclass(eq=False)
class NCC(FunctionLoss):
    """The `ncc` loss; see that function for what the arguments mean."""

    eps: float = EPS
    function = staticmethod(ncc)

    def check_settings(self) -> None:
        """Raise ValueError as `ncc` does."""
        check_positive("eps", self.eps)
