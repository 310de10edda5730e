"""Pyramid levels: both images as arrays on grids along the fixed image's axes."""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from scipy.ndimage import gaussian_filter

from mmzoo.registration.frame import Box, ImagePair, field_of_view
from mmzoo.spatial import geometry

REACH_MM = 16.0  # how far the moving image is sampled beyond the box
PERCENTILES = (0.5, 99.5)
FINE, FINER = 1.5, 0.75  # standard deviations, in voxels, between which detail shows
DARK = 0.1  # greys below are background


@dataclass(frozen=True)
class Level:
    """Two images at one resolution.

    Attributes:
        fixed: (dim1, dim2, dim3) float32 in [0, 1].
        moving: (m_dim1, m_dim2, m_dim3, 2) float32: the image, resampled by the linear stage on a
            grid that is larger than the box by `margin`, and the weight of each voxel.
        mask: (dim1, dim2, dim3) float32, weight of each voxel of the fixed image.
        spacing_mm: (3,), of both.
    """

    fixed: np.ndarray
    moving: np.ndarray
    mask: np.ndarray
    spacing_mm: np.ndarray


def blank_level(shape, edges_mm: np.ndarray) -> Level:
    """Return a level of zeros, for compiling while the linear stage runs."""
    spacing = edges_mm / shape
    still = np.zeros(shape, np.float32)
    moving = np.zeros((*(np.asarray(shape) + 2 * margin(spacing, shape)), 2), np.float32)
    return Level(still, moving, still, spacing)


def make_level(pair: ImagePair, linear: sitk.Transform, box: Box, shape) -> Level:
    """Resample two images onto a grid over the box.

    Args:
        pair: the images.
        linear: takes points of the fixed image to the moving one.
        box: part of the fixed image.
        shape: voxels of it along each axis.

    Raises:
        ValueError: if an image has no voxel in the box.
    """
    spacing = box.edges_mm / shape
    small = pair.reduced(float(spacing.min()))
    beyond = margin(spacing, shape)
    grid, wide = box.grid(pair.fixed, shape), box.grid(pair.fixed, shape, beyond)
    still = sitk.Transform(3, sitk.sitkIdentity)
    within = field_of_view(small.fixed, small.fixed_mask, grid, still)
    covered = field_of_view(small.moving, small.moving_mask, wide, linear)
    mask, weight = (geometry.to_array(each).astype(np.float32) for each in (within, covered))
    inner = _inner(spacing, shape)
    moving = _carry(small.moving, wide, linear)
    moving = _scaled("moving", moving, weight[inner] * mask > 0.5, inner)
    fixed = _scaled("fixed", _carry(small.fixed, grid, still), mask > 0.5)
    return Level(fixed, np.stack([moving, weight], axis=-1), mask, spacing)


def margin(spacing_mm: np.ndarray, shape) -> np.ndarray:
    """Return by how many voxels `Level.moving` is larger than `fixed` on each side, (3,).

    At most the box's longest edge: a header in a wrong unit would give thousands.
    """
    longest = float(np.max(spacing_mm * shape))
    return np.ceil(min(REACH_MM, longest) / spacing_mm).astype(int)


def _inner(spacing_mm: np.ndarray, shape) -> tuple[slice, ...]:
    """Return where the box lies in `Level.moving`."""
    beyond = margin(spacing_mm, shape)
    return tuple(slice(m, m + n) for m, n in zip(beyond, shape, strict=True))


def detail(level: Level) -> float:
    """Return how much detail the less detailed of two images has, from 1 on.

    By how much a Gaussian of 1.5 voxels in place of one of 0.75 lowers the root mean squared
    gradient, over the standard deviation of the greys: hardly at all where a scanner, a
    reconstruction or an average of many people has blurred an image, and with it its noise.
    """
    moving, weight = np.moveaxis(level.moving[_inner(level.spacing_mm, level.fixed.shape)], -1, 0)
    known = (level.mask > 0.5) & (weight > 0.5)
    return min(_detail(each, known, level.spacing_mm) for each in (level.fixed, moving))


def _detail(image: np.ndarray, known: np.ndarray, spacing_mm: np.ndarray) -> float:
    sigma = spacing_mm.min() / spacing_mm
    fine, finer = (gaussian_filter(image, share * sigma) for share in (FINE, FINER))
    counts = known & (fine > DARK)
    steep = [_steepness(each, counts, spacing_mm) for each in (finer, fine)]
    return steep[0] / steep[1] if steep[1] else 1.0


def _steepness(image: np.ndarray, counts: np.ndarray, spacing_mm: np.ndarray) -> float:
    """Return the root mean squared gradient over the standard deviation, 1/mm; 0 if flat."""
    deviation = image[counts].std() if counts.any() else 0.0
    if not deviation > 0:
        return 0.0
    axes = [axis for axis, n in enumerate(image.shape) if n > 1]
    slopes = [np.gradient(image, spacing_mm[axis], axis=axis)[counts] for axis in axes]
    return float(np.sqrt(sum(np.mean(np.square(slope)) for slope in slopes)) / deviation)


def _carry(image: sitk.Image, grid: sitk.Image, transform: sitk.Transform) -> np.ndarray:
    """Resample linearly, smoothed for a coarser grid; edge values are repeated outside."""
    smooth = geometry.antialiased(image, grid)
    found = sitk.Resample(smooth, grid, transform, sitk.sitkLinear, 0.0, sitk.sitkFloat32, True)
    return geometry.to_array(found)


def _scaled(name: str, image: np.ndarray, counts: np.ndarray, inner=...) -> np.ndarray:
    """Scale to [0, 1] by percentiles of the voxels that count."""
    values = image[inner][counts]
    low, high = np.percentile(values, PERCENTILES) if values.size else (0.0, 0.0)
    if not high > low and values.size:
        low, high = values.min(), values.max()
    if not high > low:
        raise ValueError(
            f"the {name} image shows nothing to register where the two images overlap (within the "
            "masks, if given): check that they belong together, or give larger masks."
        )
    return np.clip((image - low) / (high - low), 0, 1).astype(np.float32)
