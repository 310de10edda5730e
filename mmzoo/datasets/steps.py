"""Steps of preparation: orient, crop, resample, resize, clip, normalise.

Volumes are SimpleITK images, in physical space; intensity steps take arrays. Labels are resampled
to the nearest voxel.
"""

import numpy as np
import SimpleITK as sitk

from mmzoo.checks import check_positive
from mmzoo.spatial import geometry

Box = tuple[np.ndarray, np.ndarray]


def orient(image: sitk.Image, axes: str = "RAS") -> sitk.Image:
    """Return the image reoriented to the axes nearest to `axes`, without resampling.

    Args:
        image: 3-D.
        axes: where the three axes point, as R(ight) A(nterior) S(uperior).
    """
    return sitk.DICOMOrient(image, axes)


def whole_box(image: sitk.Image) -> Box:
    """Return the corners of the field of view, in continuous voxel index, edges of voxels."""
    return np.full(3, -0.5), np.array(image.GetSize()) - 0.5


def label_box(labels: sitk.Image, values, margin_mm: float = 0.0) -> Box:
    """Return the box round some labels with a margin, within the field of view.

    Args:
        labels: label map.
        values: which labels.
        margin_mm: what is added on each side.

    Returns:
        Lower and upper corner (3,), in continuous voxel index, edges of voxels.

    Raises:
        ValueError: if none of the labels is there.
    """
    inside = np.isin(sitk.GetArrayViewFromImage(labels), list(values)).T
    if not inside.any():
        raise ValueError(f"there is no voxel of label value(s) {sorted(values)} to crop round.")
    ends = [np.flatnonzero(inside.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    margin = margin_mm / np.array(labels.GetSpacing())
    lower = np.array([end[0] for end in ends]) - 0.5 - margin
    upper = np.array([end[-1] for end in ends]) + 0.5 + margin
    return within(labels, (lower, upper))


def within(image: sitk.Image, box: Box) -> Box:
    """Return the part of a box that lies in the field of view."""
    low, high = whole_box(image)
    return np.maximum(box[0], low), np.minimum(box[1], high)


def centred_box(image: sitk.Image, box: Box, edges_mm) -> Box:
    """Return a box of given edges round the middle of another; it may leave the field of view."""
    middle = (box[0] + box[1]) / 2
    half = np.asarray(edges_mm, float) / np.array(image.GetSpacing()) / 2
    return middle - half, middle + half


def crop(image: sitk.Image, box: Box) -> sitk.Image:
    """Crop to the voxels that a box touches, within the image.

    Raises:
        ValueError: if the box lies outside the image altogether.
    """
    lower = np.clip(np.floor(box[0] + 0.5), 0, None).astype(int)
    upper = np.minimum(np.ceil(box[1] + 0.5), image.GetSize()).astype(int)
    if np.any(upper <= lower):
        raise ValueError(f"the box from {box[0]} to {box[1]} lies outside {image.GetSize()}.")
    return sitk.RegionOfInterest(image, (upper - lower).tolist(), lower.tolist())


def resample(image: sitk.Image, spacing_mm, *, labels: bool = False) -> sitk.Image:
    """Resample the field of view to another voxel size, to the nearest whole number of voxels.

    Args:
        image: image or label map.
        spacing_mm: three voxel sizes.
        labels: take the nearest voxel instead of interpolating.
    """
    for length in spacing_mm:
        check_positive("spacing", length)
    edges = np.array(image.GetSize()) * image.GetSpacing()
    size = np.maximum(1, np.round(edges / spacing_mm)).astype(int)
    middle = centred_box(image, whole_box(image), size * np.asarray(spacing_mm))
    return onto(image, geometry.make_grid(image, *middle, size), labels=labels)


def resize(image: sitk.Image, size, *, labels: bool = False) -> sitk.Image:
    """Resample the field of view to so many voxels along each axis; see ``resample``."""
    return onto(image, geometry.make_grid(image, *whole_box(image), size), labels=labels)


def onto(image: sitk.Image, grid: sitk.Image, *, labels: bool = False) -> sitk.Image:
    """Resample onto another grid, linearly after smoothing for a coarser one, or nearest."""
    image = _what_meets(image, grid)
    if labels:
        identity, nearest = sitk.Transform(), sitk.sitkNearestNeighbor
        return sitk.Resample(image, grid, identity, nearest, 0)
    result = sitk.GetImageFromArray(geometry.resample_image(image, grid).T)
    result.CopyInformation(grid)
    return result


def _what_meets(image: sitk.Image, grid: sitk.Image) -> sitk.Image:
    """Crop an image to the neighbourhood of a grid: smoothing all of a large scan is slow."""
    try:
        lower, upper = geometry.common_box(image, grid)
    except ValueError:
        return image
    room = 4 * np.array(grid.GetSpacing()) / np.array(image.GetSpacing()) + 4
    return crop(image, (lower - room, upper + room))


def clip(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return intensities clipped to a window, float32."""
    return np.clip(values, low, high).astype(np.float32)


def clip_percentiles(values: np.ndarray, low: float = 1, high: float = 99) -> np.ndarray:
    """Return intensities clipped to two of their percentiles, float32.

    Raises:
        ValueError: if the two are the same: nearly all of the image is one value.
    """
    bounds = np.percentile(values, (low, high))
    if not bounds[1] > bounds[0]:
        raise ValueError(
            f"the image is {bounds[0]:g} from its {low}th to its {high}th percentile: it shows "
            "next to nothing here."
        )
    return clip(values, *bounds)


def zscore(values: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """Return intensities less their mean, over their standard deviation, float32.

    Args:
        values: any shape.
        mask: voxels that mean and deviation are taken of, such as the brain. All if None.
    """
    inside = values if mask is None else values[mask]
    return ((values - inside.mean()) / max(float(inside.std()), 1e-12)).astype(np.float32)
