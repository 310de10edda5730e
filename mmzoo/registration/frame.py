"""The box and the grids on which two images are compared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from mmzoo.spatial import geometry

MARGIN_MM = 10.0  # round the foreground of the fixed image
SHORTEST = 4  # voxels along an axis of the grid
FEWEST = 12  # voxels that joining leaves along an axis


@dataclass(frozen=True)
class Pair:
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

    def reduced(self, spacing_mm: float) -> Pair:
        """Return the pair with voxels joined that are at most half of a spacing."""
        masks = (self.fixed_mask, self.moving_mask)
        fewer = [None if mask is None else reduced(mask, spacing_mm) for mask in masks]
        images = reduced(self.fixed, spacing_mm), reduced(self.moving, spacing_mm)
        return Pair(*images, fewer[0], fewer[1], self.flat)


@dataclass(frozen=True)
class Box:
    """The part of the fixed image that is compared, and the resolution.

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
        """Return an empty image of `shape` voxels over the box, and of a margin all round."""
        step = (self.upper - self.lower) / shape
        wider = np.asarray(shape) + 2 * np.asarray(margin)
        return geometry.make_grid(
            fixed, self.lower - margin * step, self.upper + margin * step, wider
        )


def shown(image: sitk.Image, mask: sitk.Image | None, grid: sitk.Image, transform) -> sitk.Image:
    """Return 1 where an image, or its mask, shows something of a grid, else 0.

    Args:
        image: on its own grid; only where it lies counts.
        mask: on the same grid, or None for all of it.
        grid: image whose voxels are asked for.
        transform: takes points of the grid to the image.
    """
    if mask is None:
        mask = sitk.Image(image.GetSize(), sitk.sitkUInt8) + 1
        mask.CopyInformation(image)
    return sitk.Resample(mask, grid, transform, sitk.sitkNearestNeighbor, 0.0)


def reduced(image: sitk.Image, spacing_mm: float) -> sitk.Image:
    """Return an image whose voxels are means of blocks, none longer than a spacing."""
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
    """Return all of an image, and a grid for it of at most so many voxels."""
    size, spacing = np.array(image.GetSize()), np.array(image.GetSpacing())
    shape = grid_shape(size * spacing, spacing, 0.0, max_voxels)
    return Box(np.full(3, -0.5), size - 0.5, size * spacing, shape)


def choose_box(pair: Pair, resolution_mm: float | None, max_voxels: int) -> Box:
    """Return the foreground of the fixed image, or its mask, and a grid for it."""
    size = np.array(pair.fixed.GetSize())
    lower, upper = _inside(pair)
    lower, upper = np.maximum(lower, -0.5), np.minimum(upper, size - 0.5)
    spacing = np.array(pair.fixed.GetSpacing())
    edges = (upper - lower) * spacing
    shape = grid_shape(edges, spacing, resolution_mm or 0.0, max_voxels)
    return Box(lower, upper, edges, shape)


def _inside(pair: Pair) -> tuple[np.ndarray, np.ndarray]:
    """Return lower and upper corner of what counts of the fixed image, in its index."""
    small = pair.reduced(4.0)
    source = small.fixed_mask
    if source is None:
        source = sitk.OtsuThreshold(small.fixed, 0, 1)
    index = np.argwhere(sitk.GetArrayViewFromImage(source))[:, ::-1]
    if not len(index):
        return np.full(3, -0.5), np.array(pair.fixed.GetSize()) - 0.5
    factor = np.array(pair.fixed.GetSize()) / np.array(small.fixed.GetSize())
    margin = MARGIN_MM / np.array(pair.fixed.GetSpacing())
    # BinShrink drops what is left over at the far end; the margin is more than that.
    return index.min(0) * factor - 0.5 - margin, (index.max(0) + 1) * factor - 0.5 + margin


def grid_shape(edges, spacing, resolution_mm: float, max_voxels: int) -> tuple[int, ...]:
    """Return the voxels along each axis of the finest grid that is allowed."""
    step = max(resolution_mm, 0.1)
    while True:
        steps = np.maximum(step, spacing * (1 - 1e-6))
        shape = np.maximum(np.ceil(edges / steps - 1e-3), SHORTEST).astype(int)
        if np.prod(shape) <= max_voxels:
            return tuple(int(n) for n in shape)
        step *= 1.02


def level_shapes(box: Box, levels: int = 2) -> list[tuple[int, ...]]:
    """Return the shapes of the grids, coarse to fine; an axis is halved while it is the finest."""
    shapes = [box.shape]
    while len(shapes) < levels:
        spacing = box.edges_mm / shapes[0]
        coarse = np.maximum(spacing, 2 * spacing.min())
        shape = np.maximum(np.ceil(box.edges_mm / coarse - 1e-3), SHORTEST).astype(int)
        shapes.insert(0, tuple(int(n) for n in shape))
    return shapes
