"""Distances between the surfaces of two binary masks, in millimetres.

The surfaces and their areas come from DeepMind's `surface-distance`: a surface element sits at
each corner of the voxel grid whose 2x2x2 neighbourhood holds both inside and outside, and weighs
as much as the area of the surface that passes there. So the figures do not depend on how voxels
happen to be stretched, unlike counts of border voxels (medpy, MONAI).

Definitions used throughout the zoo:
* average surface distance: the mean of the two directed averages, (d(A, B) + d(B, A)) / 2, as
  medpy's `assd` (which the authors of MMRegNet use);
* mean surface distance: the average over the elements of both surfaces together, in which the
  larger surface weighs more (van Ulsen 2022, Eq. 4.2; MONAI);
* robust Hausdorff distance HD_p: the larger of the two directed p-th percentiles of the
  area-weighted distances, which are always distances that do occur (no interpolation).
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmzoo.metrics.arrays import check_spacing, mask_pair


@dataclass(frozen=True)
class SurfaceDistances:
    """Distances from each surface element of one mask to the surface of the other.

    Attributes:
        fixed_to_warped: (n,), mm, ascending; one entry for each element of the fixed surface.
        warped_to_fixed: (m,), mm, ascending.
        fixed_areas: (n,), mm^2 (mm in 2-D), areas in the order of `fixed_to_warped`.
        warped_areas: (m,), mm^2 (mm in 2-D).

    With one mask empty its arrays are empty and the other's distances infinite; with both
    empty all are empty.
    """

    fixed_to_warped: np.ndarray
    warped_to_fixed: np.ndarray
    fixed_areas: np.ndarray
    warped_areas: np.ndarray

    @property
    def missing(self) -> float | None:
        """NaN if both masks are empty, infinity if one is, None if both have a surface."""
        if self.fixed_to_warped.size and self.warped_to_fixed.size:
            return None
        any_surface = self.fixed_to_warped.size or self.warped_to_fixed.size
        return float("inf") if any_surface else float("nan")


def surface_distances(
    fixed_mask: np.ndarray, warped_mask: np.ndarray, *, spacing_mm: Sequence[float]
) -> SurfaceDistances:
    """Measure how far the surfaces of two masks lie apart (the heavy step; reduce it below).

    Args:
        fixed_mask: binary mask (dim1, dim2, dim3) or (dim1, dim2).
        warped_mask: binary mask of the same shape.
        spacing_mm: voxel size in mm, in the order of the array axes.

    Returns:
        The distances and areas; symmetric up to exchanging the two directions.

    Raises:
        ValueError: if shapes differ, a mask is not binary, the rank is not 2 or 3, or the
            spacing does not fit the rank.
    """
    fixed_mask, warped_mask = mask_pair(fixed_mask, warped_mask)
    if fixed_mask.ndim not in (2, 3):
        raise ValueError(f"`fixed_mask` must have rank 2 or 3, got shape {fixed_mask.shape}.")
    spacing = check_spacing(spacing_mm, fixed_mask.ndim)
    if not (fixed_mask.any() and warped_mask.any()):
        # surface-distance 0.1 asks NumPy for `np.Inf` here, which NumPy 2 no longer has.
        return _without_surface(bool(fixed_mask.any()), bool(warped_mask.any()))
    return _measure(fixed_mask, warped_mask, spacing)


def average_surface_distance(distances: SurfaceDistances) -> float:
    """Return the symmetric average surface distance in mm (lower is better, 0 is perfect).

    Mean of both directed, area-weighted averages. Infinity if one mask is empty, NaN if both.
    """
    if distances.missing is not None:
        return distances.missing
    forward = np.average(distances.fixed_to_warped, weights=distances.fixed_areas)
    backward = np.average(distances.warped_to_fixed, weights=distances.warped_areas)
    return float((forward + backward) / 2.0)


def mean_surface_distance(distances: SurfaceDistances) -> float:
    """Return the mean distance of the points of both surfaces in mm (lower is better, 0 perfect).

    Area-weighted, over both surfaces pooled: (sum d(p, S') + sum d(p', S)) / (|S| + |S'|), as Eq.
    4.2 of van Ulsen 2022. Infinity if one mask is empty, NaN if both.
    """
    if distances.missing is not None:
        return distances.missing
    values = np.concatenate([distances.fixed_to_warped, distances.warped_to_fixed])
    areas = np.concatenate([distances.fixed_areas, distances.warped_areas])
    return float(np.average(values, weights=areas))


def hausdorff_distance(distances: SurfaceDistances, *, percent: float = 95.0) -> float:
    """Return the robust Hausdorff distance in mm (lower is better, 0 is perfect).

    Args:
        distances: from `surface_distances`.
        percent: share of each surface, by area, that lies within the distance; 100 gives the
            plain Hausdorff distance.

    Returns:
        The larger of the two directed percentiles; infinity if one mask is empty, NaN if both.

    Raises:
        ValueError: if `percent` is not in (0, 100].
    """
    if not 0.0 < percent <= 100.0:
        raise ValueError(f"`percent` must be in (0, 100], got {percent}; use 95 or 99.")
    if distances.missing is not None:
        return distances.missing
    return max(
        _weighted_percentile(distances.fixed_to_warped, distances.fixed_areas, percent),
        _weighted_percentile(distances.warped_to_fixed, distances.warped_areas, percent),
    )


def _weighted_percentile(values: np.ndarray, weights: np.ndarray, percent: float) -> float:
    """Return the smallest of the ascending values that reaches the share of the weight."""
    share = np.cumsum(weights) / np.sum(weights)
    # The last cumulative share may fall short of 1 by rounding.
    index = min(int(np.searchsorted(share, percent / 100.0)), values.size - 1)
    return float(values[index])


def _measure(
    fixed_mask: np.ndarray, warped_mask: np.ndarray, spacing: tuple[float, ...]
) -> SurfaceDistances:
    from surface_distance import compute_surface_distances

    with warnings.catch_warnings():
        # surface-distance 0.1 uses SciPy namespaces that go away with SciPy 2.
        warnings.simplefilter("ignore", DeprecationWarning)
        found = compute_surface_distances(fixed_mask, warped_mask, spacing)
    return SurfaceDistances(
        fixed_to_warped=found["distances_gt_to_pred"],
        warped_to_fixed=found["distances_pred_to_gt"],
        fixed_areas=found["surfel_areas_gt"],
        warped_areas=found["surfel_areas_pred"],
    )


def _without_surface(has_fixed: bool, has_warped: bool) -> SurfaceDistances:
    def far(present: bool) -> np.ndarray:
        return np.full(1 if present else 0, np.inf)

    return SurfaceDistances(
        fixed_to_warped=far(has_fixed),
        warped_to_fixed=far(has_warped),
        fixed_areas=np.ones(int(has_fixed)),
        warped_areas=np.ones(int(has_warped)),
    )
