"""Voxel spacing as losses take it: one number, or one for each axis."""

from collections.abc import Sequence

import numpy as np

Spacing = float | Sequence[float]


def per_axis(spacing: Spacing) -> tuple[float, float, float]:
    """Return the length of a voxel along each of three axes.

    Args:
        spacing: one number for all axes, or three.

    Raises:
        ValueError: neither, or not finite numbers above zero.
    """
    try:
        dim1, dim2, dim3 = np.broadcast_to(np.asarray(spacing, float), 3).tolist()
    except (TypeError, ValueError):
        raise ValueError(f"`spacing` must be a number or three, got {spacing!r}.") from None
    if not (0 < min(dim1, dim2, dim3) and np.isfinite([dim1, dim2, dim3]).all()):
        raise ValueError(f"`spacing` must be finite and above 0, got {spacing!r}.")
    return dim1, dim2, dim3
