"""Input checks shared by the metrics (NumPy only, so that metrics never import the ops)."""

from collections.abc import Sequence

import numpy as np


def mask_pair(fixed_mask: np.ndarray, warped_mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both masks as bool arrays after checking that they are binary and of one shape."""
    check_same_shape("fixed_mask", fixed_mask, "warped_mask", warped_mask)
    return as_mask("fixed_mask", fixed_mask), as_mask("warped_mask", warped_mask)


def as_mask(name: str, mask: np.ndarray) -> np.ndarray:
    """Return `mask` as a bool array.

    Raises:
        ValueError: if a value is neither 0 nor 1.
    """
    mask = np.asarray(mask)
    if mask.dtype != bool and not np.isin(mask, (0, 1)).all():
        raise ValueError(
            f"`{name}` must be binary (0 and 1), got values from {mask.min()} to {mask.max()}; "
            "threshold it first, for example `mask >= 0.5`."
        )
    return mask.astype(bool)


def check_same_shape(name_a: str, a: np.ndarray, name_b: str, b: np.ndarray) -> None:
    """Raise ValueError if the two arrays differ in shape."""
    if np.shape(a) != np.shape(b):
        raise ValueError(
            f"`{name_a}` and `{name_b}` must have the same shape, got {np.shape(a)} and "
            f"{np.shape(b)}; resample one onto the grid of the other."
        )


def check_spacing(spacing_mm: Sequence[float], rank: int) -> tuple[float, ...]:
    """Return the spacing as a tuple of floats, one positive number for each array axis."""
    spacing = tuple(float(step) for step in np.atleast_1d(spacing_mm))
    if len(spacing) != rank or not all(np.isfinite(step) and step > 0 for step in spacing):
        raise ValueError(
            f"`spacing_mm` must hold {rank} positive numbers in the order of the array axes, "
            f"got {spacing}."
        )
    return spacing


def check_field(name: str, ddf: np.ndarray) -> np.ndarray:
    """Return `ddf` as float64 after checking rank, channels and finiteness."""
    ddf = np.asarray(ddf, dtype=np.float64)
    if ddf.ndim < 2 or ddf.shape[-1] != ddf.ndim - 1:
        raise ValueError(
            f"`{name}` must have shape (dim1, dim2, dim3, 3) (or (dim1, dim2, 2)), got {ddf.shape}."
        )
    if not np.isfinite(ddf).all():
        count = int((~np.isfinite(ddf)).any(axis=-1).sum())
        raise ValueError(
            f"`{name}` must be finite, got NaN or infinity in {count} voxels; "
            "the training that made it has probably diverged."
        )
    return ddf
