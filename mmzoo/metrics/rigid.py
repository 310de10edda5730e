"""Rigid motion of a structure under a displacement field: least-squares fit, and its error.

The fit is Kabsch's (A solution for the best rotation to relate two sets of vectors, Acta
Crystallographica A32, 1976, 922-923), least squares over the voxels of the structure, in mm.
"""

import math
import warnings
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from mmzoo.metrics.arrays import as_mask, check_field, check_same_shape

FEWEST_VOXELS = 3


@dataclass(frozen=True)
class MotionError:
    """Difference of the fitted motion of a structure from its true one.

    Attributes:
        shift_mm: distance between where both take the structure's centre.
        turn_degrees: angle of the rotation between both, 0 to 180.
    """

    shift_mm: float
    turn_degrees: float


def fit_rigid(points: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """Return the rigid motion, (4, 4), that takes points nearest to where they moved.

    Args:
        points: (n, 3), in mm.
        moved: (n, 3), in mm, in the same order.

    Raises:
        ValueError: if the shapes differ, or there are fewer than 3 points.
    """
    check_same_shape("points", points, "moved", moved)
    if len(points) < FEWEST_VOXELS:
        raise ValueError(f"`points` must be {FEWEST_VOXELS} or more, got {len(points)}.")
    centre, goal = points.mean(axis=0), moved.mean(axis=0)
    with warnings.catch_warnings():  # of points on a line any turn about it is as good
        warnings.filterwarnings("ignore", "Optimal rotation is not uniquely", UserWarning)
        rotation, _ = Rotation.align_vectors(moved - goal, points - centre)
    motion = np.eye(4)
    motion[:3, :3] = rotation.as_matrix()
    motion[:3, 3] = goal - motion[:3, :3] @ centre
    return motion


def rigid_motion_error(
    ddf: np.ndarray,
    mask: np.ndarray,
    true_motion: np.ndarray,
    *,
    fixed_affine: np.ndarray,
    moving_affine: np.ndarray,
) -> MotionError:
    """Compare the rigid motion that fits a field inside a structure with the true one.

    Args:
        ddf: (dim1, dim2, dim3, 3), voxels of the moving grid, on the fixed grid.
        mask: (dim1, dim2, dim3) binary, the structure in the fixed image.
        true_motion: (4, 4), takes a point of the fixed image to the moving one, both in mm.
        fixed_affine: (4, 4), voxel to mm, of the fixed grid.
        moving_affine: (4, 4), of the moving grid.

    Returns:
        The error; both NaN where the mask has fewer than 3 voxels.

    Raises:
        ValueError: if the mask is not binary or of another shape, or the field is not finite.
    """
    ddf = check_field("ddf", ddf)
    check_same_shape("mask", mask, "one component of ddf", ddf[..., 0])
    inside = as_mask("mask", mask)
    if inside.sum() < FEWEST_VOXELS:
        return MotionError(math.nan, math.nan)
    voxels = np.argwhere(inside)
    points = _to_mm(voxels, fixed_affine)
    motion = fit_rigid(points, _to_mm(voxels + ddf[inside], moving_affine))
    centre = points.mean(axis=0, keepdims=True)
    shift = _to_mm(centre, motion) - _to_mm(centre, true_motion)
    turn = Rotation.from_matrix(motion[:3, :3] @ np.asarray(true_motion)[:3, :3].T)
    return MotionError(float(np.linalg.norm(shift)), float(np.degrees(turn.magnitude())))


def _to_mm(voxels: np.ndarray, affine: np.ndarray) -> np.ndarray:
    return voxels @ np.asarray(affine)[:3, :3].T + np.asarray(affine)[:3, 3]
