"""Normalised mutual information of two images.

Assumes only that each intensity of one image goes with few intensities of the other, and so suits
images of different modalities.

Source: de Vos et al. 2020, Eq. 1, with Gaussian Parzen windows; their later code: BDdeVos/TorchIR.
Differs from that code, which doubles the value and adds 1e-10 to every bin: Eq. 1 is taken
literally, and an empty bin stays empty.
"""

import dataclasses

import tensorflow as tf

from mmzoo.framework import keras
from mmzoo.losses.base import FunctionLoss
from mmzoo.losses.parzen import check_bins, histogram_of
from mmzoo.ops.histogram import entropies

NUM_BINS = 64
SIGMA = 0.003  # section 2.2, in units of intensity
SMALLEST = 1e-6  # entropy in nats below which images count as constant


def nmi(
    fixed: tf.Tensor,
    warped: tf.Tensor,
    mask: tf.Tensor | None = None,
    *,
    num_bins: int = NUM_BINS,
    sigma: float = SIGMA,
) -> tf.Tensor:
    """Return the negative normalised mutual information.

        L = -I(A, B) / (H(A) + H(B)),  I = H(A) + H(B) - H(A, B)    (Eq. 1)

    Unchanged when the two are swapped, and when both are permuted alike; nearly unchanged when
    intensities are mapped one to one. Memory does not grow with voxels times bins, see
    `mmzoo.ops.histogram`.

    Settings: the histogram has `num_bins` bins, evenly spaced over [0, 1]. A voxel counts in bin k
    with weight exp(-(v - c_k)^2 / (2 sigma^2)): with a sigma far below the distance of bins, as
    printed (0.19 of it), nearly as in a plain histogram, and voxels halfway between two bins hardly
    count and have the steepest gradient; with a sigma of half a bin or more the histogram is smooth
    and blurred. Intensities outside [0, 1] are clipped and have no gradient, so bring the range
    that matters there first (the paper: 1st to 99th percentile).

    Args:
        fixed: (batch, dim1, dim2, dim3) or with one channel, dims known, in [0, 1].
        warped: the same shape.
        mask: the same shape; voxels where it is 0 do not count, others by its value. All if None.
        num_bins: at least 2.
        sigma: of the Gaussian window, in units of intensity, above 0.

    Returns:
        (batch,), in [-0.5, 0]; 0 where an image is constant or the mask empty.

    Raises:
        ValueError: unequal shapes, a wrong rank, more than one channel, or a setting out of range.
    """
    check_bins(num_bins, sigma)
    joint = histogram_of(fixed, warped, mask, num_bins=num_bins, sigma=sigma, share=False)
    h_fixed, h_warped, h_joint = entropies(joint)
    both = h_fixed + h_warped
    return -(both - h_joint) / tf.maximum(both, SMALLEST)


@keras.saving.register_keras_serializable(package="mmzoo")
@dataclasses.dataclass(eq=False)
class NMI(FunctionLoss):
    """The `nmi` loss; see that function for what the arguments mean."""

    num_bins: int = NUM_BINS
    sigma: float = SIGMA
    function = staticmethod(nmi)

    def check_settings(self) -> None:
        """Raise ValueError as `nmi` does."""
        check_bins(self.num_bins, self.sigma)
