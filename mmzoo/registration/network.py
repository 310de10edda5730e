"""The method with a model: a trained network predicts the field of the pair."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Protocol

import numpy as np
import SimpleITK as sitk
from scipy.ndimage import map_coordinates

from mmzoo.metrics import jacobian_determinant
from mmzoo.registration.direct import Deformation, Method
from mmzoo.registration.frame import Box, ImagePair, choose_box, field_of_view
from mmzoo.registration.transform import displacement_image, field_grid
from mmzoo.spatial import geometry
from mmzoo.terminal import Report

PERCENTILES = (1, 99)  # as of `mmzoo prepare`


class Predicts(Protocol):
    """What a method needs of a network; `mmzoo.Predictor` has it."""

    image_size: tuple[int, ...]
    spacing_mm: tuple[float, float, float] | None

    def __call__(
        self,
        moving: np.ndarray,
        fixed: np.ndarray,
        *,
        refine: int,
        on_step: Callable[[int, int], None] | None,
    ):
        """Return an object with the `ddf` of two volumes of `image_size`, and `losses`.

        Also `backward_ddf`, from fixed to moving, or None.
        """


def network(predicts: Predicts, refine: int = 0) -> Method:
    """Return the method that predicts the field by a network.

    The network sees what it was trained on by `mmzoo prepare pairs --size`: the part of the fixed
    image that the moving one shows too, or the box round the fixed mask, resampled to the size of
    its training, the moving image carried there by the linear stage, both clipped to their 1st and
    99th percentile. A network of images of one voxel size sees a box of that size instead, see
    `box_at_spacing`, and there what both images show. Outside the box the displacement of its
    border goes on. A mask of the moving image matters to the linear stage alone.

    Args:
        predicts: the network, scaling intensities as in training.
        refine: steps of instance optimisation, 0 for none.
    """

    def search(pair: ImagePair, linear: sitk.Transform, report: Report) -> Deformation:
        if predicts.spacing_mm is None:
            box = box_of(pair, linear, predicts.image_size)
        else:
            box = box_at_spacing(pair, linear, predicts.image_size, predicts.spacing_mm)
        grid = box.grid(pair.fixed, box.shape)
        still = sitk.Transform(3, sitk.sitkIdentity)
        views = (pair.moving, grid, linear), (pair.fixed, grid, still)
        moving, fixed = (_carry(*view) for view in views)
        if predicts.spacing_mm is not None:
            # An edge of one field of view would be drawn to what the other image shows there.
            both = np.logical_and(*(_shows(*view) for view in views))
            moving, fixed = (np.where(both, each, each.min()) for each in (moving, fixed))
        report("network", 0, 1)
        found = predicts(
            moving, fixed, refine=refine, on_step=lambda *done: report("refinement", *done)
        )
        report("network", 1, 1)
        determinant = jacobian_determinant(found.ddf)
        folding = float(np.mean(determinant <= 0))
        said = {
            "voxels": list(box.shape),
            "resolution_mm": box.spacing_mm.round(3).tolist(),
            "smallest_determinant": float(determinant.min()),
            "folding_percent": 100 * folding,
            "refinement": [round(float(loss), 6) for loss in found.losses],
        }
        notes = (f"the field folds in {100 * folding:.3f} % of its voxels",) if folding else ()
        backward = found.backward_ddf
        if backward is not None:
            backward = spread(backward, pair.fixed, box)
        return Deformation(spread(found.ddf, pair.fixed, box), said, notes, backward)

    return lambda pair: functools.partial(search, pair)


def box_of(pair: ImagePair, linear: sitk.Transform, shape: tuple[int, ...]) -> Box:
    """Return the part of the fixed image that a network sees, with its training's voxels.

    Raises:
        ValueError: after the linear stage the two images do not overlap.
    """
    if pair.fixed_mask is not None:
        # Edges of voxels, in the fixed image's index.
        index = np.argwhere(sitk.GetArrayViewFromImage(pair.fixed_mask))[:, ::-1]
        lower, upper = index.min(axis=0) - 0.5, index.max(axis=0) + 0.5
    else:
        lower, upper = geometry.common_box(pair.fixed, _carried_frame(pair.moving, linear))
    edges = (upper - lower) * np.array(pair.fixed.GetSpacing())
    return Box(lower, upper, edges, tuple(shape))


def box_at_spacing(
    pair: ImagePair, linear: sitk.Transform, shape: tuple[int, ...], spacing_mm: tuple[float, ...]
) -> Box:
    """Return a box of voxels of one size, in the middle of what both images show of the body.

    Where the body is longer than the box, as a head with its neck, the box ends where the body ends
    above: heads are what such networks are for.

    Raises:
        ValueError: after the linear stage the two images do not overlap.
    """
    known = box_of(pair, linear, shape)
    body = choose_box(pair, None, 10**9)
    lower, upper = np.maximum(known.lower, body.lower), np.minimum(known.upper, body.upper)
    if np.any(upper <= lower):
        lower, upper = known.lower, known.upper
    half = np.multiply(shape, spacing_mm) / np.array(pair.fixed.GetSpacing()) / 2
    middle = (lower + upper) / 2
    middle[2] = max(middle[2], upper[2] - half[2])
    return Box(middle - half, middle + half, np.multiply(shape, spacing_mm), tuple(shape))


def spread(ddf: np.ndarray, fixed: sitk.Image, box: Box) -> sitk.Image:
    """Return a field on a box as displacement over the whole fixed image.

    Args:
        ddf: (dim1, dim2, dim3, 3), voxels of the grid over the box.
        fixed: the image.
        box: where the field lives; beyond it the displacement of its border goes on.

    Returns:
        Vector image, mm towards left, posterior and superior, on `field_grid`.
    """
    grid = field_grid(fixed, box.spacing_mm)
    direction = np.array(fixed.GetDirection()).reshape(3, 3)
    corner = np.array(fixed.TransformContinuousIndexToPhysicalPoint(box.lower.tolist()))
    first = direction.T @ (np.array(grid.GetOrigin()) - corner)
    steps = zip(first, grid.GetSpacing(), grid.GetSize(), box.spacing_mm, strict=True)
    lines = [(start + step * np.arange(n)) / own - 0.5 for start, step, n, own in steps]
    index = np.stack(np.meshgrid(*lines, indexing="ij"))
    mm = ddf * box.spacing_mm
    parts = [map_coordinates(mm[..., axis], index, order=1, mode="nearest") for axis in range(3)]
    return displacement_image(np.stack(parts, axis=-1) @ direction.T, grid)


def _carried_frame(moving: sitk.Image, linear: sitk.Transform) -> sitk.Image:
    """Return an empty image that lies where the linear stage puts the moving one.

    Its box along the fixed image's axes is what counts, so a box round the eight carried corners.
    """
    back = linear.GetInverse()
    corners = []
    for corner in np.ndindex(2, 2, 2):
        index = [-0.5 + end * n for end, n in zip(corner, moving.GetSize(), strict=True)]
        corners.append(back.TransformPoint(moving.TransformContinuousIndexToPhysicalPoint(index)))
    lower, upper = np.min(corners, axis=0), np.max(corners, axis=0)
    frame = sitk.Image([2, 2, 2], sitk.sitkUInt8)
    frame.SetSpacing(((upper - lower) / 2).tolist())
    frame.SetOrigin((lower + (upper - lower) / 4).tolist())
    return frame


def _carry(image: sitk.Image, grid: sitk.Image, transform: sitk.Transform) -> np.ndarray:
    """Resample linearly, smoothed where the grid is coarser, and clip: as `mmzoo prepare` does."""
    smooth = geometry.antialiased(image, grid)
    smallest = float(sitk.GetArrayViewFromImage(image).min())
    found = sitk.Resample(smooth, grid, transform, sitk.sitkLinear, smallest, sitk.sitkFloat32)
    array = np.ascontiguousarray(sitk.GetArrayViewFromImage(found).T)
    return np.clip(array, *np.percentile(array, PERCENTILES))


def _shows(image: sitk.Image, grid: sitk.Image, transform: sitk.Transform) -> np.ndarray:
    """Return where on a grid an image has values: (dim1, dim2, dim3), bool."""
    return sitk.GetArrayViewFromImage(field_of_view(image, None, grid, transform)).T > 0
