"""The way back: a transform that undoes another, for images and label maps."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from mmzoo.registration.transform import field_grid
from mmzoo.spatial.geometry import total_displacement

MOST_VOXELS = 1_000_000  # of the grid on which the inverse is kept
ROUNDS = 100
WORST_VOXELS, MEAN_VOXELS = 0.05, 0.005  # rest at which the rounds end, in voxels of that grid


def inverse_transform(transform: sitk.Transform, image: sitk.Image) -> sitk.Transform:
    """Return the transform that takes points back to the space of an image.

    The affine transform nearest to the given one over the image is undone exactly, what is left of
    it by ITK's inversion of a displacement field (fixed point, Christensen & Johnson 2001) on a
    grid over the image and two voxels beyond, its own voxels or coarser: at most a million.

    Args:
        transform: takes points of the space of `image` to another one. Where it folds, there is no
            inverse, and the result is one of several answers.
        image: what is to be carried through the result; 3-D.

    Returns:
        An ITK composite; beyond the image the affine part alone.

    Raises:
        ValueError: the transform makes the image flat, so nothing leads back.
    """
    size, spacing = np.array(image.GetSize()), np.array(image.GetSpacing())
    coarser = max(1.0, (size.prod() / MOST_VOXELS) ** (1 / 3))
    grid = field_grid(image, spacing * coarser)
    there = nearest_affine(transform, grid)
    # The rest: where the transform takes a point, brought back by the affine part.
    rest = sitk.CompositeTransform(3)
    rest.AddTransform(there.GetInverse())
    rest.AddTransform(transform)
    back = sitk.InvertDisplacementField(
        sitk.Cast(total_displacement(rest, grid), sitk.sitkVectorFloat64),
        maximumNumberOfIterations=ROUNDS,
        maxErrorToleranceThreshold=WORST_VOXELS,
        meanErrorToleranceThreshold=MEAN_VOXELS,
        enforceBoundaryCondition=False,
    )
    whole = sitk.CompositeTransform(3)
    whole.AddTransform(sitk.DisplacementFieldTransform(back))
    whole.AddTransform(there.GetInverse())
    return whole


def nearest_affine(transform: sitk.Transform, grid: sitk.Image) -> sitk.AffineTransform:
    """Return the affine transform nearest to one over a grid, by least squares.

    Raises:
        ValueError: it has no inverse.
    """
    half = (np.array(grid.GetSize()) - 1) / 2
    ends = np.stack(np.meshgrid(*[np.linspace(0.1, 0.9, 7)] * 3), axis=-1).reshape(-1, 3)
    points = np.array(
        [grid.TransformContinuousIndexToPhysicalPoint(p) for p in (ends * 2 * half).tolist()]
    )
    goals = np.array([transform.TransformPoint(point) for point in points.tolist()])
    centre = points.mean(axis=0)
    matrix = np.linalg.lstsq(points - centre, goals - goals.mean(axis=0), rcond=None)[0].T
    if not abs(np.linalg.det(matrix)) > 1e-6:
        raise ValueError("the transform has no inverse: it takes the image's points to a plane.")
    found = sitk.AffineTransform(3)
    found.SetCenter(centre.tolist())
    found.SetMatrix(matrix.ravel().tolist())
    found.SetTranslation((goals.mean(axis=0) - centre).tolist())
    return found
