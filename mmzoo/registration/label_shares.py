"""Linear warping of label maps: the label of the largest weight among the eight nearest voxels.

Equal to warping each label as a mask and taking the label of the largest value, for any number of
labels at once, slab by slab.
"""

from collections.abc import Callable

import numpy as np
import SimpleITK as sitk

SLAB = 1 << 20  # points at a time


def warp_labels(
    labels: sitk.Image,
    grid: sitk.Image,
    transform: sitk.Transform,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> sitk.Image:
    """Warp a label map onto a grid; of equal weights the smaller label, 0 outside the map.

    Args:
        labels: 3-D, any integer type, which is kept.
        grid: image whose grid is filled.
        transform: takes points of the grid to the label map.
        progress: called with the slabs that are done, and all of them.
    """
    size = grid.GetSize()
    thickness = max(1, SLAB // (size[0] * size[1]))
    source = sitk.GetArrayViewFromImage(labels).transpose(2, 1, 0)  # x, y, z as ITK counts them
    warped = np.zeros(size[::-1], source.dtype)
    starts = range(0, size[2], thickness)
    for done, start in enumerate(starts, start=1):
        slab = grid[:, :, start : start + thickness]
        warped[start : start + thickness] = _largest(source, _index(labels, slab, transform))
        progress(done, len(starts))
    image = sitk.GetImageFromArray(warped)
    image.CopyInformation(grid)
    return image


def _index(labels: sitk.Image, slab: sitk.Image, transform: sitk.Transform) -> np.ndarray:
    """Return a slab's points as indices of the label map, (dim3, dim2, dim1, 3)."""
    displacement = sitk.TransformToDisplacementField(
        transform,
        sitk.sitkVectorFloat64,
        slab.GetSize(),
        slab.GetOrigin(),
        slab.GetSpacing(),
        slab.GetDirection(),
    )
    counts = np.moveaxis(np.indices(slab.GetSize()[::-1])[::-1], 0, -1)
    to_mm = np.reshape(slab.GetDirection(), (3, 3)) * slab.GetSpacing()
    points = counts @ to_mm.T + slab.GetOrigin() + sitk.GetArrayViewFromImage(displacement)
    to_index = np.linalg.inv(np.reshape(labels.GetDirection(), (3, 3)) * labels.GetSpacing())
    return (points - labels.GetOrigin()) @ to_index.T


def _largest(source: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Return the label of the largest weight at each index, 0 outside the map."""
    last = np.array(source.shape) - 1
    inside = np.all((index >= -0.5) & (index <= last + 0.5), axis=-1)
    place = np.clip(index[inside], 0, last)
    lower = np.minimum(place.astype(np.intp), np.maximum(last - 1, 0))
    upper = np.minimum(lower + 1, last)
    part = place - lower
    corners = []
    for corner in np.ndindex(2, 2, 2):
        ends = [np.where(end, upper[:, axis], lower[:, axis]) for axis, end in enumerate(corner)]
        shares = np.where(corner, part, 1 - part).prod(axis=-1)
        corners.append((source[tuple(ends)], shares))
    best = np.zeros(len(place))
    winner = np.zeros(len(place), source.dtype)
    for label, _ in corners:
        share = sum(np.where(other == label, shares, 0) for other, shares in corners)
        better = (share > best + 1e-9) | ((share > best - 1e-9) & (label < winner))
        best, winner = np.where(better, share, best), np.where(better, label, winner)
    warped = np.zeros(index.shape[:-1], source.dtype)
    warped[inside] = winner
    return warped
