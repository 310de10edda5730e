"""Input checks and joint histogram of `mi` and `nmi`, by Parzen windows."""

from typing import Any

import tensorflow as tf

from mmzoo.checks import check_one_channel, check_positive, check_rank, check_same_shape
from mmzoo.ops.histogram import joint_histogram


def check_bins(num_bins: int, width: float, name: str = "sigma") -> None:
    """Raise ValueError unless there are two bins or more and the window has a width."""
    if not isinstance(num_bins, int) or isinstance(num_bins, bool) or num_bins < 2:
        raise ValueError(f"`num_bins` must be a whole number of at least 2, got {num_bins!r}.")
    check_positive(name, width)


def histogram_of(
    fixed: tf.Tensor, warped: tf.Tensor, mask: tf.Tensor | None, **settings: Any
) -> tf.Tensor:
    """Return the joint histogram of two volumes after checking them.

    Args:
        fixed: (batch, dim1, dim2, dim3) or with one channel.
        warped: the same shape.
        mask: the same shape, or None for all voxels.
        settings: of `joint_histogram`.

    Returns:
        (batch, num_bins, num_bins), the fixed image along axis 1.

    Raises:
        ValueError: unequal shapes, a wrong rank, more than one channel.
    """
    mask = tf.ones_like(fixed) if mask is None else mask
    check_rank("fixed", fixed, (4, 5))
    check_same_shape("fixed", fixed, "warped", warped)
    check_same_shape("fixed", fixed, "mask", mask)
    check_one_channel("fixed", fixed)
    return joint_histogram(fixed, warped, tf.cast(mask, fixed.dtype), **settings)
