"""Boxes around images in physical space, and resampling onto a common grid."""

import numpy as np
import SimpleITK as sitk
from numpy.typing import ArrayLike

from mmzoo.spatial.frames import FRAMES
from mmzoo.spatial.grid import Counts


def common_box(fixed: sitk.Image, moving: sitk.Image) -> tuple[np.ndarray, np.ndarray]:
    """Return the box, along the fixed image's axes, that lies in both fields of view.

    Returns:
        Lower and upper corner (3,), in the fixed image's continuous voxel index, edges of voxels.

    Raises:
        ValueError: if there is no such box.
    """
    corners = []
    for corner in np.ndindex(2, 2, 2):
        index = [-0.5 + end * size for end, size in zip(corner, moving.GetSize(), strict=True)]
        point = moving.TransformContinuousIndexToPhysicalPoint(index)
        corners.append(fixed.TransformPhysicalPointToContinuousIndex(point))
    lower = np.maximum(np.min(corners, axis=0), -0.5)
    upper = np.minimum(np.max(corners, axis=0), np.array(fixed.GetSize()) - 0.5)
    if np.any(upper - lower < 1):
        raise ValueError(
            f"the images do not overlap in space: fixed covers {_extent(fixed)}, moving "
            f"{_extent(moving)} (mm, right-anterior-superior); their headers must share one frame."
        )
    return lower, upper


def foreground_box(image: sitk.Image, margin_mm: float = 5.0) -> tuple[np.ndarray, np.ndarray]:
    """Return the box round the foreground (Otsu's threshold), as ``common_box`` does."""
    mask = sitk.GetArrayFromImage(sitk.OtsuThreshold(image, 0, 1)).T
    inside = np.argwhere(mask)
    margin = margin_mm / np.array(image.GetSpacing())
    return inside.min(0) - 0.5 - margin, inside.max(0) + 0.5 + margin


def make_grid(fixed: sitk.Image, lower: ArrayLike, upper: ArrayLike, shape: Counts) -> sitk.Image:
    """Return an empty image whose voxels fill a box given in the fixed image's index."""
    lower, upper = np.asarray(lower, float), np.asarray(upper, float)
    step = (upper - lower) / np.asarray(shape)
    grid = sitk.Image([int(size) for size in shape], sitk.sitkUInt8)
    grid.SetSpacing((step * fixed.GetSpacing()).tolist())
    grid.SetDirection(fixed.GetDirection())
    grid.SetOrigin(fixed.TransformContinuousIndexToPhysicalPoint((lower + step / 2).tolist()))
    return grid


def total_displacement(transform: sitk.Transform, grid: sitk.Image) -> sitk.Image:
    """Return a transform as a displacement field on a grid, mm, float32."""
    return sitk.TransformToDisplacementField(
        transform,
        sitk.sitkVectorFloat32,
        grid.GetSize(),
        grid.GetOrigin(),
        grid.GetSpacing(),
        grid.GetDirection(),
    )


def voxel_vectors(field: sitk.Image) -> np.ndarray:
    """Return a vector image in mm as (dim1, dim2, dim3, 3) in voxels along its own axes."""
    vectors = np.moveaxis(sitk.GetArrayFromImage(field), (0, 1, 2), (2, 1, 0))
    direction = np.array(field.GetDirection()).reshape(3, 3)
    return vectors @ direction / np.array(field.GetSpacing())


def resample_image(image: sitk.Image, grid: sitk.Image) -> np.ndarray:
    """Resample linearly onto a grid, smoothed first where the grid is coarser.

    Returns:
        (dim1, dim2, dim3) float32; outside the image, its smallest value.
    """
    smallest = float(sitk.GetArrayFromImage(image).min())
    image = antialiased(image, grid)
    return to_array(sitk.Resample(image, grid, sitk.Transform(), sitk.sitkLinear, smallest))


def antialiased(image: sitk.Image, grid: sitk.Image) -> sitk.Image:
    """Return an image smoothed for a coarser grid along the same axes."""
    # ITK's recursive filter wants four voxels along each axis.
    if min(image.GetSize()) < 4:
        return image
    return sitk.SmoothingRecursiveGaussian(image, _antialias(image, grid))


def resample_labels(labels: sitk.Image, grid: sitk.Image, values: list[int]) -> np.ndarray:
    """Resample a label map to the nearest voxel: (dim1, dim2, dim3, len(values)) uint8."""
    nearest = to_array(sitk.Resample(labels, grid, sitk.Transform(), sitk.sitkNearestNeighbor, 0))
    return np.stack([nearest == value for value in values], axis=-1).astype(np.uint8)


def _antialias(image: sitk.Image, grid: sitk.Image) -> list[float]:
    """Return Gaussian sigmas in mm for resampling to coarser voxels; about 0 for finer ones."""
    old, new = np.array(image.GetSpacing()), np.array(grid.GetSpacing())
    return np.maximum(0.5 * np.sqrt(np.maximum(new**2 - old**2, 0)), 1e-3 * old).tolist()


def to_array(image: sitk.Image) -> np.ndarray:
    """Return an image as (dim1, dim2, dim3), the axes in ITK's order: x, y, z."""
    return np.ascontiguousarray(sitk.GetArrayFromImage(image).T)


def field_of_view(image: sitk.Image) -> tuple[np.ndarray, np.ndarray]:
    """Return the corners of the box round a field of view, edges of voxels, RAS mm, (3,) each."""
    ends = np.array([np.full(3, -0.5), np.array(image.GetSize()) - 0.5])
    picks = [ends[list(pick), range(3)].tolist() for pick in np.ndindex(2, 2, 2)]
    points = [image.TransformContinuousIndexToPhysicalPoint(pick) for pick in picks]
    points = np.array(points) * FRAMES["ras"]
    return points.min(axis=0), points.max(axis=0)


def _extent(image: sitk.Image) -> str:
    ends = zip(*field_of_view(image), strict=True)
    return " x ".join(f"[{low:.0f}, {high:.0f}]" for low, high in ends)
