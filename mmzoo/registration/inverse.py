"""Inversion of transforms, for images and label maps."""

import numpy as np
import SimpleITK as sitk
from scipy.ndimage import map_coordinates

from mmzoo.registration.transform import displacement_image, field_grid
from mmzoo.spatial.geometry import total_displacement, voxel_vectors

MOST_VOXELS = 1_000_000  # of the grid on which the inverse is kept
ROUNDS, FULL_STEPS = (
    100,
    15,
)  # then half steps, which converge for steep fields too
REST_VOXELS = 0.01  # tolerance of a point, in voxels of that grid


def inverse_transform(transform: sitk.Transform, image: sitk.Image) -> sitk.Transform:
    """Return the inverse of a transform, over an image.

    The nearest affine transform (least squares over the image) is inverted exactly, the residual
    displacement on a grid that reaches two voxels beyond the image, of its voxels or coarser ones:
    at most a million.

    Args:
        transform: of points of the space of `image`. Where it folds, it has no inverse, and the
            result is one of several solutions.
        image: 3-D, to be warped by the result.

    Returns:
        An ITK composite; beyond the image the affine part alone.

    Raises:
        ValueError: the affine part is singular.
    """
    size, spacing = np.array(image.GetSize()), np.array(image.GetSpacing())
    coarser = max(1.0, (size.prod() / MOST_VOXELS) ** (1 / 3))
    grid = field_grid(image, spacing * coarser)
    there = nearest_affine(transform, grid)
    # The residual: the transform followed by the inverse of the affine part.
    rest = sitk.CompositeTransform(3)
    rest.AddTransform(there.GetInverse())
    rest.AddTransform(transform)
    ddf = voxel_vectors(total_displacement(rest, grid))
    back = inverse_field(np.moveaxis(ddf, -1, 0))
    whole = sitk.CompositeTransform(3)
    whole.AddTransform(sitk.DisplacementFieldTransform(_in_mm(back, grid)))
    whole.AddTransform(there.GetInverse())
    return whole


def inverse_field(ddf: np.ndarray) -> np.ndarray:
    """Return the displacement v that undoes u: v(y) = -u(y + v(y)), by fixed-point iteration.

    Source: Chen et al. 2008, "A simple fixed-point approach to invert a deformation field". Only
        points that have not converged are iterated. u is interpolated linearly; edge values are
        repeated outside.

    Args:
        ddf: u, (3, dim1, dim2, dim3), in voxels.

    Returns:
        v, likewise. Where u folds there is no inverse, and v is one of several solutions.
    """
    components = [np.ascontiguousarray(each, dtype=np.float32) for each in ddf]
    shape = components[0].shape
    places = np.indices(shape, dtype=np.float32).reshape(3, -1)
    back = -np.stack([each.ravel() for each in components])
    left = np.arange(places.shape[1])
    for step in [1.0] * FULL_STEPS + [0.5] * (ROUNDS - FULL_STEPS):
        points = places[:, left] + back[:, left]
        there = [
            map_coordinates(each, points, np.float32, order=1, mode="nearest")
            for each in components
        ]
        rest = np.stack(there) + back[:, left]
        back[:, left] -= step * rest
        left = left[np.abs(rest).max(axis=0) > REST_VOXELS]
        if not left.size:
            break
    return back.reshape(3, *shape)


def _in_mm(ddf: np.ndarray, grid: sitk.Image) -> sitk.Image:
    """Return a field (3, dim1, dim2, dim3) in voxels as a vector image in mm, on a grid."""
    direction = np.array(grid.GetDirection()).reshape(3, 3)
    return displacement_image(ddf.transpose(1, 2, 3, 0) * grid.GetSpacing() @ direction.T, grid)


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
