"""Overlap of two binary masks.

Source: Dice 1945, "Measures of the amount of ecologic association between species".
"""

import numpy as np

from mmzoo.metrics.arrays import mask_pair


def dice(fixed_mask: np.ndarray, warped_mask: np.ndarray) -> float:
    """Return twice the common volume over the sum of both volumes.

    Dice = 2 |A and B| / (|A| + |B|); symmetric, in [0, 1], higher is better.

    Args:
        fixed_mask: binary mask of any rank (bool, or numbers that are all 0 or 1).
        warped_mask: binary mask of the same shape.

    Returns:
        The coefficient; 0.0 when just one mask is empty, NaN when both are.

    Raises:
        ValueError: if the shapes differ or a mask is not binary.
    """
    fixed_mask, warped_mask = mask_pair(fixed_mask, warped_mask)
    total = int(fixed_mask.sum()) + int(warped_mask.sum())
    common = int(np.logical_and(fixed_mask, warped_mask).sum())
    return 2.0 * common / total if total else float("nan")
