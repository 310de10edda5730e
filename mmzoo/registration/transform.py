"""Transforms in space: from a lattice to ITK's, displacement in mm, and the way back."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from mmzoo.registration.frame import Box
from mmzoo.registration.lattice import Lattice

BEYOND = 2  # voxels that the field reaches beyond the fixed image


def field_grid(fixed: sitk.Image, spacing_mm: np.ndarray) -> sitk.Image:
    """Return a grid over the whole fixed image and a little beyond, voxels about `spacing_mm`."""
    size = np.array(fixed.GetSize())
    edges = size * fixed.GetSpacing()
    shape = np.maximum(np.ceil(edges / spacing_mm - 1e-3), 2).astype(int)
    whole = Box(np.full(3, -0.5), size - 0.5, edges, tuple(shape.tolist()))
    return whole.grid(fixed, whole.shape, BEYOND)


def lattice_displacement(
    lattice: Lattice, fixed: sitk.Image, box: Box, spacing_mm: np.ndarray
) -> sitk.Image:
    """Return a lattice's displacement of points of the fixed image, as ITK has it.

    Returns:
        Vector image, mm towards left, posterior and superior, on `field_grid`.
    """
    grid = field_grid(fixed, spacing_mm)
    corner = fixed.TransformContinuousIndexToPhysicalPoint(box.lower.tolist())
    direction = np.array(fixed.GetDirection()).reshape(3, 3)
    first = direction.T @ (np.array(grid.GetOrigin()) - np.array(corner))
    steps = zip(first, grid.GetSpacing(), grid.GetSize(), strict=True)
    points = [start + step * np.arange(n) for start, step, n in steps]
    return displacement_image(lattice.field(points) @ direction.T, grid)


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
        # The transform takes the image's memory for its own: give it a copy.
        whole.AddTransform(sitk.DisplacementFieldTransform(sitk.Image(displacement)))
    return whole


def backward_composite(linear: sitk.Transform, displacement: sitk.Image) -> sitk.CompositeTransform:
    """Return the way back: a point leaves the linear stage first, then it is displaced."""
    whole = sitk.CompositeTransform(3)
    whole.AddTransform(sitk.DisplacementFieldTransform(sitk.Image(displacement)))
    whole.AddTransform(linear.GetInverse())
    return whole
