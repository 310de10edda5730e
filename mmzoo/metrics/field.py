"""Displacement fields: Jacobian determinant, folding, inverse consistency, distance to the truth.

All fields are `ddf`s in voxels on the fixed grid, warped(x) = moving(x + ddf(x)), so the
transform is phi(x) = x + u(x) and its Jacobian J = I + grad u.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_erosion, map_coordinates

from mmzoo.metrics.arrays import as_mask, check_field, check_same_shape, check_spacing


@dataclass(frozen=True)
class JacobianStatistics:
    """Figures of a Jacobian determinant map over the grid, or over a mask.

    Attributes:
        mean: 1 keeps the volume.
        std: population standard deviation; 0 for an affine transform.
        folding_percent: share of voxels with a determinant of 0 or less, in percent.
    """

    mean: float
    std: float
    folding_percent: float


def jacobian_determinant(ddf: np.ndarray) -> np.ndarray:
    """Return det(I + grad u) at each voxel.

    Second-order central differences inside and one-sided differences on the first and last plane of
    each axis, so the map covers the whole grid. Central differences are zero for a field that
    alternates from voxel to voxel; they are the convention of the literature, kept for comparison
    with published figures.

    Args:
        ddf: (dim1, dim2, dim3, 3) or (dim1, dim2, 2), voxels; component i moves along axis i.

    Returns:
        (dim1, dim2, dim3), float64: 1 keeps the volume, above 1 expands, 0 or less folds. As
        both grids are counted in voxels, it is the ratio of physical volumes where moving and
        fixed images have the same voxel size.

    Raises:
        ValueError: if the shape is wrong, an axis has a single voxel, or a value is not finite.
    """
    ddf = check_field("ddf", ddf)
    rank = ddf.shape[-1]
    if min(ddf.shape[:-1]) < 2:
        raise ValueError(
            f"`ddf` must have at least 2 voxels on each axis to be differentiated, "
            f"got {ddf.shape[:-1]}."
        )
    # gradient[..., i, j] = d u_i / d x_j
    gradient = np.stack(np.gradient(ddf, axis=tuple(range(rank))), axis=-1)
    return np.linalg.det(np.eye(rank) + gradient)


def folding_fraction(determinant: np.ndarray) -> float:
    """Return the share of voxels, in [0, 1], whose Jacobian determinant is 0 or less."""
    return float(np.mean(np.asarray(determinant) <= 0.0))


def jacobian_statistics(ddf: np.ndarray) -> JacobianStatistics:
    """Return mean, standard deviation and folding percentage of the Jacobian determinant.

    Args:
        ddf: (dim1, dim2, dim3, 3), voxels; see `jacobian_determinant`, which also says what
            is raised.
    """
    return determinant_statistics(jacobian_determinant(ddf))


def determinant_statistics(
    determinant: np.ndarray, mask: np.ndarray | None = None
) -> JacobianStatistics:
    """Return the figures of a map from `jacobian_determinant`, of all voxels or of some.

    Args:
        determinant: (dim1, dim2, dim3).
        mask: same shape, binary, voxels that count; all if None.

    Returns:
        The figures; all NaN where no voxel counts.

    Raises:
        ValueError: if the mask is not binary or of another shape.
    """
    if mask is not None:
        check_same_shape("mask", mask, "determinant", determinant)
        determinant = determinant[as_mask("mask", mask)]
    if not determinant.size:
        return JacobianStatistics(math.nan, math.nan, math.nan)
    return JacobianStatistics(
        mean=float(determinant.mean()),
        std=float(determinant.std()),
        folding_percent=100.0 * folding_fraction(determinant),
    )


def log_jacobian_std(ddf: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Return SDlogJ as the Learn2Reg challenge has it: 0 for an affine map, lower is smoother.

    The standard deviation of ln(J + 3), J + 3 held above 1e-9, without the two outermost voxels on
    each side. (The 3 keeps folds, J <= 0, finite; it makes values smaller than those of ln J.)
    Source: github.com/MDL-UzL/L2R, folder evaluation, read at commit 00106df.

    Args:
        ddf: (dim1, dim2, dim3, 3), voxels, at least 5 on each axis.
        mask: (dim1, dim2, dim3) binary, voxels that count; all if None.

    Returns:
        The deviation; NaN where no voxel counts.

    Raises:
        ValueError: the shape is wrong, an axis is too short, a value is not finite, or the mask is
            not binary.
    """
    ddf = check_field("ddf", ddf)
    if min(ddf.shape[:-1]) < 5:
        raise ValueError(f"`ddf` must have at least 5 voxels on each axis, got {ddf.shape[:-1]}.")
    inner = (slice(2, -2),) * (ddf.ndim - 1)
    logarithm = np.log(np.clip(jacobian_determinant(ddf)[inner] + 3, 1e-9, 1e9))
    if mask is not None:
        check_same_shape("mask", mask, "one component of ddf", ddf[..., 0])
        logarithm = logarithm[as_mask("mask", mask)[inner]]
    return float(logarithm.std()) if logarithm.size else math.nan


def mean_change_at_edge(determinant: np.ndarray, mask: np.ndarray) -> float:
    """Return the mean of |J - 1| over the voxels of a mask with a face in common with another.

    Args:
        determinant: J, (dim1, dim2, dim3), from `jacobian_determinant`.
        mask: same shape, binary. It may touch the border, which is no edge.

    Returns:
        0 where no volume changes; NaN where the mask has no edge.

    Raises:
        ValueError: if the mask is not binary or of another shape.
    """
    check_same_shape("mask", mask, "determinant", determinant)
    mask = as_mask("mask", mask)
    edge = mask & ~binary_erosion(mask, border_value=1)
    return float(np.abs(determinant[edge] - 1).mean()) if edge.any() else math.nan


def inverse_consistency_error(ddf: np.ndarray, backward_ddf: np.ndarray) -> float:
    """Return the mean inverse consistency error, in voxels.

    mean over x of |u(x) + v(x + u(x))|, with v interpolated linearly. Points that u takes outside
    the grid of v, where v is not defined, are left out. 0 is perfect.

    Args:
        ddf: u, (dim1, dim2, dim3, 3), voxels, on the fixed grid.
        backward_ddf: v, same shape, voxels, on the moving grid.

    Raises:
        ValueError: if the shapes differ, are no fields, hold NaN, or no point stays inside.
    """
    check_same_shape("ddf", ddf, "backward_ddf", backward_ddf)
    forward, backward = check_field("ddf", ddf), check_field("backward_ddf", backward_ddf)
    shape, rank = forward.shape[:-1], forward.shape[-1]
    points = np.moveaxis(np.indices(shape), 0, -1) + forward
    inside = np.all((points >= 0) & (points <= np.array(shape) - 1), axis=-1)
    if not inside.any():
        raise ValueError("`ddf` takes every voxel out of the grid; nothing is left to compare.")
    there = points[inside].T  # (rank, n)
    back = [map_coordinates(backward[..., i], there, order=1) for i in range(rank)]
    return float(np.linalg.norm(forward[inside] + np.stack(back, axis=-1), axis=-1).mean())


def target_registration_error(
    ddf: np.ndarray,
    true_ddf: np.ndarray,
    *,
    spacing_mm: Sequence[float],
    mask: np.ndarray | None = None,
) -> float:
    """Return the mean distance, in mm, of the predicted position of a point from its true one.

    mean over x of |S (u(x) - t(x))| with S the voxel size. 0 is perfect; a field of zeros gives
    the mean length of the true displacement.

    Args:
        ddf: u, (dim1, dim2, dim3, 3), voxels, on the fixed grid.
        true_ddf: t, same shape; NaN where it is not known, and these voxels do not count.
        spacing_mm: voxel size in mm of the grid that the field leads to (which for images of one
            person in one frame is the fixed one's too), in the order of the array axes.
        mask: (dim1, dim2, dim3) binary, voxels that count; all if None.

    Returns:
        The distance; NaN where no voxel counts.

    Raises:
        ValueError: if shapes differ, `ddf` is not finite or the mask is not binary.
    """
    check_same_shape("ddf", ddf, "true_ddf", true_ddf)
    ddf, true_ddf = check_field("ddf", ddf), np.asarray(true_ddf, dtype=np.float64)
    spacing = check_spacing(spacing_mm, ddf.shape[-1])
    counts = np.isfinite(true_ddf).all(axis=-1)
    if mask is not None:
        check_same_shape("mask", mask, "one component of ddf", ddf[..., 0])
        counts &= as_mask("mask", mask)
    if not counts.any():
        return float("nan")
    return float(np.linalg.norm((ddf - true_ddf)[counts] * spacing, axis=-1).mean())
