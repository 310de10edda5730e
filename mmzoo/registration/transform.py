"""ITK transforms from control points: displacement in mm, forward and backward transform."""

import numpy as np
import SimpleITK as sitk

from mmzoo.registration.control_grid import ControlGrid
from mmzoo.registration.frame import Box
from mmzoo.spatial.geometry import voxel_vectors

BEYOND = 2  # voxels that the field reaches beyond the fixed image


def field_grid(fixed: sitk.Image, spacing_mm: np.ndarray) -> sitk.Image:
    """Return a grid over the whole fixed image and a little beyond, voxels about `spacing_mm`."""
    size = np.array(fixed.GetSize())
    edges = size * fixed.GetSpacing()
    shape = np.maximum(np.ceil(edges / spacing_mm - 1e-3), 2).astype(int)
    whole = Box(np.full(3, -0.5), size - 0.5, edges, tuple(shape.tolist()))
    return whole.grid(fixed, whole.shape, BEYOND)


def control_displacement(
    controls: ControlGrid, fixed: sitk.Image, box: Box, spacing_mm: np.ndarray
) -> sitk.Image:
    """Return the displacement field of control points as a vector image.

    Returns:
        Vector image, mm towards left, posterior and superior, on `field_grid`.
    """
    grid = field_grid(fixed, spacing_mm)
    corner = fixed.TransformContinuousIndexToPhysicalPoint(box.lower.tolist())
    direction = np.array(fixed.GetDirection()).reshape(3, 3)
    first = direction.T @ (np.array(grid.GetOrigin()) - np.array(corner))
    steps = zip(first, grid.GetSpacing(), grid.GetSize(), strict=True)
    points = [start + step * np.arange(n) for start, step, n in steps]
    return displacement_image(controls.field(points) @ direction.T, grid)


def displacement_image(vectors: np.ndarray, grid: sitk.Image) -> sitk.Image:
    """Return vectors (dim1, dim2, dim3, 3) in mm as an image on a grid, float64."""
    image = sitk.GetImageFromArray(
        np.ascontiguousarray(vectors.transpose(2, 1, 0, 3), dtype=np.float64), isVector=True
    )
    image.CopyInformation(grid)
    return image


def composite(linear: sitk.Transform, displacement: sitk.Image | None) -> sitk.CompositeTransform:
    """Return one transform: a point is displaced first, then moved by the linear stage."""
    whole = sitk.CompositeTransform(3)
    whole.AddTransform(linear)
    if displacement is not None:
        # The transform takes over the image's memory: give it a copy.
        whole.AddTransform(sitk.DisplacementFieldTransform(sitk.Image(displacement)))
    return whole


def backward_composite(linear: sitk.Transform, displacement: sitk.Image) -> sitk.CompositeTransform:
    """Return the backward transform: the inverse linear stage first, then the displacement."""
    whole = sitk.CompositeTransform(3)
    whole.AddTransform(sitk.DisplacementFieldTransform(sitk.Image(displacement)))
    whole.AddTransform(linear.GetInverse())
    return whole


def voxels(displacement: sitk.Image | None, grid: sitk.Image) -> np.ndarray:
    """Return a displacement in mm as one in voxels of a grid, (*size, 3); None as zeros."""
    if displacement is None:
        return np.zeros((*grid.GetSize(), 3), np.float32)
    on_grid = sitk.Resample(displacement, grid, sitk.Transform(), sitk.sitkLinear)
    return voxel_vectors(on_grid).astype(np.float32)
