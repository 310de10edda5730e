"""The region and the grids on which two images are compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from mmzoo.spatial import geometry

MARGIN_MM = 10.0  # round the foreground of the fixed image
SHORTEST = 4  # voxels along an axis of the grid
FEWEST = 12  # voxels that downsampling leaves along an axis
MULTIPLE = 8  # of longer axes' voxels, see `common_box`
OCTAVE = 8  # voxel sizes from one to twice as large, see `common_box`


@dataclass(frozen=True)
class ImagePair:
    """Two images in space, with masks on their own grids.

    Attributes:
        fixed: 3-D float image; likewise `moving`.
        fixed_mask: uint8, on the grid of `fixed`, or None for all of it; likewise `moving_mask`.
        flat: each is one slice, repeated along z, and is moved within x and y alone.
    """

    fixed: sitk.Image
    moving: sitk.Image
    fixed_mask: sitk.Image | None = None
    moving_mask: sitk.Image | None = None
    flat: bool = False

    def reduced(self, spacing_mm: float) -> ImagePair:
        """Return the pair downsampled by block means, to voxels no longer than a spacing."""
        return self.each(lambda image: reduced(image, spacing_mm))

    def each(self, change: Callable[[sitk.Image], sitk.Image]) -> ImagePair:
        """Return the pair with both images and the masks changed by a function."""
        masks = (self.fixed_mask, self.moving_mask)
        fixed, moving = (None if mask is None else change(mask) for mask in masks)
        return ImagePair(change(self.fixed), change(self.moving), fixed, moving, self.flat)


@dataclass(frozen=True)
class Box:
    """The region of the fixed image that is compared, and its grid.

    Attributes:
        lower: (3,), corner in the fixed image's continuous index, edge of a voxel; `upper` too.
        edges_mm: (3,).
        shape: voxels along each axis at the finest level.
    """

    lower: np.ndarray
    upper: np.ndarray
    edges_mm: np.ndarray
    shape: tuple[int, ...]

    @property
    def spacing_mm(self) -> np.ndarray:
        """Voxel size at the finest level."""
        return self.edges_mm / self.shape

    def grid(self, fixed: sitk.Image, shape, margin=0) -> sitk.Image:
        """Return an empty image of `shape` voxels over the box, plus a margin on each side."""
        step = (self.upper - self.lower) / shape
        wider = np.asarray(shape) + 2 * np.asarray(margin)
        return geometry.make_grid(
            fixed, self.lower - margin * step, self.upper + margin * step, wider
        )


def field_of_view(
    image: sitk.Image, mask: sitk.Image | None, grid: sitk.Image, transform
) -> sitk.Image:
    """Return the field of view of an image, or its mask, on a grid: 1 within, 0 outside.

    Args:
        image: of which only the grid counts.
        mask: on the same grid, or None for all of it.
        grid: image whose voxels are evaluated.
        transform: takes points of the grid to the image.
    """
    if mask is None:
        mask = sitk.Image(image.GetSize(), sitk.sitkUInt8) + 1
        mask.CopyInformation(image)
    return sitk.Resample(mask, grid, transform, sitk.sitkNearestNeighbor, 0.0)


def reduced(image: sitk.Image, spacing_mm: float) -> sitk.Image:
    """Return an image downsampled by block means, to voxels no longer than a spacing."""
    factors = np.maximum(1, np.floor(spacing_mm / np.array(image.GetSpacing()) + 1e-6))
    factors = np.minimum(factors, np.maximum(1, np.array(image.GetSize()) // FEWEST))
    if factors.max() == 1:
        return image
    if image.GetPixelID() == sitk.sitkUInt8:  # a mask: no means of ones and zeros
        return (
            sitk.BinShrink(sitk.Cast(image, sitk.sitkFloat32), factors.astype(int).tolist()) >= 0.5
        )
    return sitk.BinShrink(image, factors.astype(int).tolist())


def whole_box(image: sitk.Image, max_voxels: int) -> Box:
    """Return the box of a whole image, with a grid of at most so many voxels; a slice stays one."""
    size, spacing = np.array(image.GetSize()), np.array(image.GetSpacing())
    shape = np.array(grid_shape(size * spacing, spacing, 0.0, max_voxels))
    shape[size == 1] = 1
    return Box(np.full(3, -0.5), size - 0.5, size * spacing, tuple(shape.tolist()))


def choose_box(pair: ImagePair, resolution_mm: float | None, max_voxels: int) -> Box:
    """Return the box round the fixed image's mask or foreground, with its grid."""
    size = np.array(pair.fixed.GetSize())
    lower, upper = _inside(pair)
    lower, upper = np.maximum(lower, -0.5), np.minimum(upper, size - 0.5)
    spacing = np.array(pair.fixed.GetSpacing())
    edges = (upper - lower) * spacing
    shape = grid_shape(edges, spacing, resolution_mm or 0.0, max_voxels)
    return Box(lower, upper, edges, shape)


def common_box(box: Box, keep_spacing: bool = False) -> Box:
    """Return a slightly larger box whose shape and edges other pairs have, too: compiled once.

    Axes of more than two `MULTIPLE` voxels get a multiple of it; the voxel size along an axis is
    the fixed image's own, or the nearest 2^(k / `OCTAVE`) mm, k whole. What is added lies on both
    sides, by whole voxels; what of it is beyond the fixed image does not count.

    Args:
        box: to enlarge.
        keep_spacing: keep the voxel size as it is.
    """
    own = box.edges_mm / (box.upper - box.lower)
    spacing = box.spacing_mm
    if not keep_spacing:
        nearest = 2.0 ** (np.round(np.log2(spacing) * OCTAVE) / OCTAVE)
        spacing = np.where(nearest < own * 1.05, own, nearest)
    count = np.ceil(box.edges_mm / spacing - 1e-3)
    shape = np.where(count > 2 * MULTIPLE, np.ceil(count / MULTIPLE) * MULTIPLE, count)
    lower = box.lower - (shape - count) // 2 * spacing / own
    upper = lower + shape * spacing / own
    return Box(lower, upper, shape * spacing, tuple(int(n) for n in shape))


def _inside(pair: ImagePair) -> tuple[np.ndarray, np.ndarray]:
    """Return the corners of the box round the fixed image's mask or foreground, in its index."""
    small = pair.reduced(4.0)
    source = small.fixed_mask
    if source is None:
        source = sitk.OtsuThreshold(small.fixed, 0, 1)
    index = np.argwhere(sitk.GetArrayViewFromImage(source))[:, ::-1]
    if not len(index):
        return np.full(3, -0.5), np.array(pair.fixed.GetSize()) - 0.5
    factor = np.array(pair.fixed.GetSize()) / np.array(small.fixed.GetSize())
    margin = MARGIN_MM / np.array(pair.fixed.GetSpacing())
    # BinShrink drops incomplete blocks at the far end; the margin is larger.
    return index.min(0) * factor - 0.5 - margin, (index.max(0) + 1) * factor - 0.5 + margin


def grid_shape(edges, spacing, resolution_mm: float, max_voxels: int) -> tuple[int, ...]:
    """Return the shape of the finest allowed grid."""
    step = max(resolution_mm, 0.1)
    while True:
        steps = np.maximum(step, spacing * (1 - 1e-6))
        shape = np.maximum(np.ceil(edges / steps - 1e-3), SHORTEST).astype(int)
        if np.prod(shape) <= max_voxels:
            return tuple(int(n) for n in shape)
        step *= 1.02


def level_shapes(box: Box) -> list[tuple[int, ...]]:
    """Return the shapes of the two pyramid levels, coarse and fine; the finest axes are halved."""
    coarse = np.maximum(box.spacing_mm, 2 * box.spacing_mm.min())
    shape = np.maximum(np.ceil(box.edges_mm / coarse - 1e-3), SHORTEST).astype(int)
    return [tuple(int(n) for n in shape), box.shape]
