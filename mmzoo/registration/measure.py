"""Evaluation of transforms by labels and landmarks, and their smoothness."""

import math
from collections.abc import Mapping

import numpy as np
import SimpleITK as sitk
from scipy.ndimage import find_objects

from mmzoo.metrics import (
    average_surface_distance,
    determinant_statistics,
    dice,
    hausdorff_distance,
    jacobian_determinant,
    log_jacobian_std,
    surface_distances,
)
from mmzoo.registration.flat import in_plane
from mmzoo.spatial.frames import FRAMES
from mmzoo.spatial.geometry import total_displacement, voxel_vectors
from mmzoo.spatial.points import transform_points

OVERLAP = ("dice", "asd_mm", "hd95_mm")
FIELD = ("sd_log_j", "folds_percent")
MAX_VOXELS = 4_000_000  # of the grid on which a transform is differentiated
Pair = tuple[sitk.Image, sitk.Image]
Points = tuple[np.ndarray, np.ndarray]


def measure(
    stages: Mapping[str, sitk.Transform],
    labels: Pair | None = None,
    points: Points | None = None,
    grid: sitk.Image | None = None,
) -> dict:
    """Measure transforms stage by stage.

    Args:
        stages: by name, from points of the fixed image to the moving one, LPS mm.
        labels: label maps of the fixed and the moving image; the latter is warped (nearest).
        points: landmarks of the fixed image and where they are in the moving one, (n, 3) LPS mm.
        grid: fixed image, on whose grid transforms are differentiated (every second voxel, or
            third, ..., where it has more than 4,000,000). None: that of the labels, if any.

    Returns:
        By figure, then by stage: "dice", "asd_mm", "hd95_mm", means over all labels that either map
        has (an infinite distance does not count), and each "..._by_label"; "tre_mm" and
        "tre_mm_by_point"; "sd_log_j" and "folds_percent", of nonlinear stages. NaN where nothing is
        known.
    """
    said: dict = {}
    for stage, transform in stages.items():
        if labels is not None:
            for name, found in _overlap(*labels, transform).items():
                said.setdefault(f"{name}_by_label", {})[stage] = found
                said.setdefault(name, {})[stage] = _mean(found.values())
        if points is not None:
            far = np.linalg.norm(transform_points(transform, points[0]) - points[1], axis=1)
            said.setdefault("tre_mm_by_point", {})[stage] = far.round(4).tolist()
            said.setdefault("tre_mm", {})[stage] = round(float(far.mean()), 4)
        domain = labels[0] if grid is None and labels is not None else grid
        if domain is not None and not transform.IsLinear():
            for name, value in _smoothness(transform, domain).items():
                said.setdefault(name, {})[stage] = value
    return said


def _overlap(fixed: sitk.Image, moving: sitk.Image, transform: sitk.Transform) -> dict:
    """Return Dice and surface distances of each label that one of two maps has."""
    warped = sitk.Resample(moving, fixed, transform, sitk.sitkNearestNeighbor, 0)
    # Of a slice the contour counts, not the two faces of a thin volume.
    apart = [k for k, n in enumerate(fixed.GetSize()) if n > 1]
    spacing = [fixed.GetSpacing()[k] for k in apart]
    shape = [fixed.GetSize()[k] for k in apart]
    arrays = [sitk.GetArrayViewFromImage(each).T.reshape(shape) for each in (fixed, warped)]
    values = np.union1d(label_values(fixed), label_values(moving))
    found: dict[str, dict[str, float]] = {name: {} for name in OVERLAP}
    places = _places(arrays, values)
    for value, place in zip(values.tolist(), places, strict=True):
        masks = [array[place] == value for array in arrays]
        distances = surface_distances(*masks, spacing_mm=spacing)
        figures = (
            dice(*masks),
            average_surface_distance(distances),
            hausdorff_distance(distances, percent=95),
        )
        for name, figure in zip(OVERLAP, figures, strict=True):
            found[name][str(value)] = round(figure, 4)
    return found


def _places(arrays: list[np.ndarray], values: np.ndarray) -> list[tuple[slice, ...]]:
    """Return the box round each label in both maps, one voxel wider on each side."""
    found = []
    for array in arrays:
        rank = np.where(array == 0, 0, np.searchsorted(values, array) + 1).astype(np.int32)
        found.append(find_objects(rank, len(values)))
    boxes = []
    for both in zip(*found, strict=True):
        parts = [box for box in both if box is not None]
        ends = zip(*parts, strict=True)
        box = tuple(
            slice(max(min(s.start for s in side) - 1, 0), max(s.stop for s in side) + 1)
            for side in ends
        )
        boxes.append(box or (slice(0, 1),) * arrays[0].ndim)  # in the moving map alone
    return boxes


def label_values(image: sitk.Image) -> np.ndarray:
    """Return the values of a label map but 0, ascending."""
    values = np.unique(sitk.GetArrayViewFromImage(image))
    return values[values != 0]


def _mean(values) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return round(float(np.mean(finite)), 4) if finite else math.nan


def _smoothness(transform: sitk.Transform, image: sitk.Image) -> dict[str, float]:
    """Return SDlogJ and the percentage of folded voxels of a transform.

    Of slices within their plane.
    """
    step = 1
    while np.prod(np.ceil(np.array(image.GetSize()) / step)) > MAX_VOXELS:
        step += 1
    ddf = in_plane(voxel_displacement(transform, image[::step, ::step, ::step]))
    folding = determinant_statistics(jacobian_determinant(ddf)).folding_percent
    short = min(ddf.shape[:-1]) < 5
    sd = math.nan if short else log_jacobian_std(ddf)
    return dict(zip(FIELD, (round(sd, 6), round(folding, 4)), strict=True))


def voxel_displacement(transform: sitk.Transform, grid: sitk.Image) -> np.ndarray:
    """Return a transform's displacement in voxels of a grid, (dim1, dim2, dim3, 3)."""
    return voxel_vectors(total_displacement(transform, grid))


def check_labels(fixed: sitk.Image, moving: sitk.Image) -> list[str]:
    """Return notes on unusual values of two label maps.

    Raises:
        ValueError: they have no value in common.
    """
    own = label_values(fixed), label_values(moving)
    if not len(np.intersect1d(own[0], own[1])):
        raise ValueError(
            f"the label maps have no value in common: the fixed one has {_few(own[0])}, the moving "
            f"one {_few(own[1])}; the same structure must have the same number in both."
        )
    notes = []
    for name, first, second in (("fixed", own[0], own[1]), ("moving", own[1], own[0])):
        if len(lacking := np.setdiff1d(first, second)):
            notes.append(
                f"only the {name} label map has {_few(lacking)}: counted with a Dice of 0; an "
                "infinite distance is left out of the mean"
            )
    return notes


def check_points(points: np.ndarray, image: sitk.Image, name: str, frame: str) -> None:
    """Raise ValueError where landmarks do not lie in their image; says what may be wrong.

    Args:
        points: (n, 3), LPS mm.
        image: in which most of them must lie.
        name: "fixed" or "moving".
        frame: of the file, "ras" or "lps".
    """
    inside = _share_inside(points, image)
    if inside >= 0.5:
        return
    reason = "are they in mm, and of this image?"
    if _share_inside(points * FRAMES["ras"], image) >= 0.5:
        other = {"ras": "lps", "lps": "ras"}[frame]
        reason = f"with x and y the other way round they do: are they {other.upper()}?"
    elif _share_inside(points * 10, image) >= 0.5:
        reason = "ten times as far from the origin they do: are they in cm?"
    raise ValueError(
        f"{100 * (1 - inside):.0f} % of the {name} image's landmarks do not lie in it; {reason}"
    )


def _share_inside(points: np.ndarray, image: sitk.Image) -> float:
    index = [image.TransformPhysicalPointToContinuousIndex(point) for point in points.tolist()]
    ends = np.array(image.GetSize()) - 0.5
    return float(np.all((np.array(index) >= -0.5) & (np.array(index) <= ends), axis=1).mean())


def _few(values: np.ndarray, most: int = 8) -> str:
    listed = ", ".join(str(value) for value in values[:most].tolist())
    return (listed + (", ..." if len(values) > most else "")) or "none"
