"""Coordinate frames: LPS mm (left, posterior, superior) in ITK and DICOM, RAS mm in NIfTI.

The only place that converts between them, and between linear ITK transforms and matrices.
"""

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk

FRAMES = {"lps": np.array([1.0, 1.0, 1.0]), "ras": np.array([-1.0, -1.0, 1.0])}
RIGHT_ANGLE = 1e-4
RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])  # its own inverse


def change_frame(motion: np.ndarray) -> np.ndarray:
    """Convert an affine matrix, (4, 4), from LPS mm to RAS mm, or back."""
    return RAS_TO_LPS @ motion @ RAS_TO_LPS


def ras_affine(image: sitk.Image) -> np.ndarray:
    """Return voxel index to RAS mm, (4, 4), as NIfTI has it."""
    affine = np.eye(4)
    direction = np.array(image.GetDirection()).reshape(3, 3)
    affine[:3, :3] = direction * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    return RAS_TO_LPS @ affine


def set_ras_affine(image: sitk.Image, affine: np.ndarray) -> None:
    """Set spacing, direction and origin from an affine, (4, 4), of voxel index to RAS mm."""
    affine = RAS_TO_LPS @ affine
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((affine[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin(affine[:3, 3].tolist())


def apart_voxels(affine: np.ndarray, other: np.ndarray, shape: Sequence[int]) -> float:
    """Return the largest distance between corners of two grids of one shape, in voxels.

    Args:
        affine: (4, 4), voxel index to mm.
        other: likewise.
        shape: of both.
    """
    ends = np.array([[*corner, 1.0] for corner in np.ndindex(2, 2, 2)])
    corners = (ends * [*(np.array(shape[:3]) - 1.0), 1.0]).T
    gaps = np.linalg.solve(affine, other) @ corners - corners
    return float(np.abs(gaps).max())


def shear_degrees(axes: np.ndarray) -> float:
    """Return how far axes are from right angles; 0 where ITK's NIfTI reader takes them for such.

    Args:
        axes: (3, 3), unit columns.
    """
    if np.abs(axes @ axes.T - np.eye(3)).max() < RIGHT_ANGLE:
        return 0.0
    worst = np.abs(axes.T @ axes - np.eye(3)).max()
    return float(np.degrees(np.arcsin(min(worst, 1.0))))


def matrix_of(linear: sitk.Transform) -> np.ndarray:
    """Return a linear transform as (4, 4), LPS mm."""
    matrix = np.eye(4)
    matrix[:3, 3] = linear.TransformPoint((0.0, 0.0, 0.0))
    for axis in range(3):
        matrix[:3, axis] = np.array(linear.TransformPoint(np.eye(3)[axis].tolist()))
    matrix[:3, :3] -= matrix[:3, 3:]
    return matrix


def transform_of(matrix: np.ndarray) -> sitk.AffineTransform:
    """Return the ITK transform of a (4, 4) matrix, LPS mm."""
    return sitk.AffineTransform(matrix[:3, :3].ravel().tolist(), matrix[:3, 3].tolist())
