"""Mutual information of two volumes by Parzen windows.

Source: van Ulsen 2022, Eq. 3.5-3.10, with the windows of DeepReg's `gmi`, on which the thesis
builds: intensities in [0, 1], the weights of a voxel over the bins sum to 1, sigma half a bin.
Differs from DeepReg's code: an empty bin stays empty (there 1e-5 is added), and memory does not
grow with voxels times bins.
"""

import dataclasses

import tensorflow as tf

from mmzoo.framework import keras
from mmzoo.losses.base import FunctionLoss
from mmzoo.losses.parzen import check_bins, histogram_of
from mmzoo.ops.histogram import entropies

NUM_BINS = 24
SIGMA_RATIO = 0.5


def mi(
    fixed: tf.Tensor,
    warped: tf.Tensor,
    mask: tf.Tensor | None = None,
    *,
    num_bins: int = NUM_BINS,
    sigma_ratio: float = SIGMA_RATIO,
) -> tf.Tensor:
    """Return the negative mutual information in nats.

        L = -(H(A) + H(B) - H(A, B))    (Eq. 3.5)

    Unchanged when the two are swapped, and when both are permuted alike. See `nmi` for bins, sigma
    and intensity range; here all voxels have the same weight.

    Args:
        fixed: (batch, dim1, dim2, dim3) or with one channel, dims known, in [0, 1].
        warped: the same shape.
        mask: the same shape; voxels where it is 0 do not count, others by its value. All if None.
        num_bins: at least 2.
        sigma_ratio: of the Gaussian window, in bins, above 0.

    Returns:
        (batch,), in [-log(num_bins), 0]; 0 where an image is constant or the mask empty.

    Raises:
        ValueError: unequal shapes, a wrong rank, more than one channel, or a setting out of range.
    """
    check_bins(num_bins, sigma_ratio, "sigma_ratio")
    sigma = sigma_ratio / (num_bins - 1)
    joint = histogram_of(fixed, warped, mask, num_bins=num_bins, sigma=sigma, share=True)
    h_fixed, h_warped, h_joint = entropies(joint)
    return h_joint - h_fixed - h_warped


@keras.saving.register_keras_serializable(package="mmzoo")
@dataclasses.dataclass(eq=False)
class MI(FunctionLoss):
    """The `mi` loss; see that function for what the arguments mean."""

    num_bins: int = NUM_BINS
    sigma_ratio: float = SIGMA_RATIO
    function = staticmethod(mi)

    def check_settings(self) -> None:
        """Raise ValueError as `mi` does."""
        check_bins(self.num_bins, self.sigma_ratio, "sigma_ratio")
