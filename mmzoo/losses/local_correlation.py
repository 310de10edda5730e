"""Squared local cross-correlation: how linear the relation of two images is around each voxel.

Source: Balakrishnan et al. 2019 (VoxelMorph), as Deform-GAN (Zhang et al. 2020, Eq. 5) pairs it
with the local gradient: between an image and the translation of the other into its modality.
Differs from DeepReg's `lncc` and from the authors' code: windows are cut off at the border of the
image (theirs count zeros outside, which add an edge to both images); a window of constant intensity
gives 0 (`lncc` counts two of them as a perfect match).
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from mmzoo.checks import check_positive, check_window
from mmzoo.framework import keras
from mmzoo.losses.base import FunctionLoss, mean_over_channels
from mmzoo.ops.filters import box_sum
from mmzoo.ops.slabs import slab_mean

WINDOW = 7
EPS = 1e-5


def local_correlation(
    fixed: tf.Tensor,
    warped: tf.Tensor,
    mask: tf.Tensor | None = None,
    *,
    window: int = WINDOW,
    eps: float = EPS,
) -> tf.Tensor:
    """Return the negative mean squared correlation of the windows of two volumes.

        cov(A, B)(x) = sum (A - mean A) (B - mean B) over window^3 voxels around x
        L = -mean_x cov(A, B)^2 / (cov(A, A) cov(B, B) + eps)

    Symmetric in its two volumes; unchanged by shifting either, and by scaling either with a number
    of any sign as long as the variances stay well above eps. Its cost grows with the logarithm of
    the window; from value to gradient it keeps the gradient's volume alone, and what it takes
    beside the volumes is of a slab of about a million voxels.

    Args:
        fixed: (batch, dim1, dim2, dim3) or with a channel axis (the mean over channels is
            returned), dims known, finite; made for intensities in about [-1, 1].
        warped: the same shape.
        mask: (batch or 1, dim1, dim2, dim3); voxels count by its value. All alike if None.
        window: odd, in voxels, at least 3.
        eps: added to the product of two sums of squares, for constant windows.

    Returns:
        (batch,), in [-1, 0]; 0 where a volume is constant.

    Raises:
        ValueError: unequal shapes, a wrong rank, a window that is not odd or is 1, or eps not
            positive.
    """
    check_settings(window, eps)
    return -mean_over_channels(_compiled(window, eps), fixed, warped, mask)


def check_settings(window: int, eps: float) -> None:
    """Raise ValueError where a setting of `local_correlation` is out of its range."""
    check_window("window", window)
    if window == 1:
        raise ValueError("`window` must be at least 3, got 1: one voxel has no correlation.")
    check_positive("eps", eps)


@functools.lru_cache
def _compiled(window: int, eps: float) -> Callable[..., tf.Tensor]:
    margin = window // 2

    def centred(volume, inside):
        # No variance changes by a shift, but squares of large numbers would lose float32's digits.
        centre = tf.stop_gradient(tf.reduce_mean(volume[:, margin], axis=(1, 2)))
        return (volume - centre[:, None, None, None]) * inside

    def squared_correlation(fixed, warped, inside):
        inside = inside[:, None, None]
        fixed, warped = centred(fixed, inside), centred(warped, inside)
        planes = tf.constant(window_sizes((1, *fixed.shape[2:]), window), fixed.dtype)
        count = tf.maximum(box_sum(inside, window, padded=(-2, -1)), 1) * planes
        sum_a, sum_b, sum_aa, sum_bb, sum_ab = (
            box_sum(v, window, padded=(-2, -1))
            for v in (fixed, warped, fixed**2, warped**2, fixed * warped)
        )
        cov = sum_ab - sum_a * sum_b / count
        var_a = tf.maximum(sum_aa - sum_a**2 / count, 0)
        var_b = tf.maximum(sum_bb - sum_b**2 / count, 0)
        return cov**2 / (var_a * var_b + eps)

    return slab_mean(squared_correlation, margin=margin, compiled=True)


def window_sizes(shape: Sequence[int], window: int) -> np.ndarray:
    """Return how many voxels of a volume (dim1, dim2, dim3) each voxel's window holds."""
    margin = window // 2
    rows = [
        np.minimum(np.arange(n) + margin, n - 1) - np.maximum(np.arange(n) - margin, 0) + 1
        for n in shape
    ]
    return np.einsum("i,j,k->ijk", *rows)


@keras.saving.register_keras_serializable(package="mmzoo")
@dataclasses.dataclass(eq=False)
class LocalCorrelation(FunctionLoss):
    """The `local-correlation` loss; see that function for what the arguments mean."""

    window: int = WINDOW
    eps: float = EPS
    function = staticmethod(local_correlation)

    def check_settings(self) -> None:
        """Raise ValueError as `local_correlation` does."""
        check_settings(self.window, self.eps)
