"""Contents of a registration's page: images and fields on one grid over the fixed image."""

import numpy as np
import SimpleITK as sitk

from mmzoo.metrics import jacobian_determinant
from mmzoo.registration.flat import in_plane, to_moving_plane
from mmzoo.registration.frame import reduced, whole_box
from mmzoo.registration.result import Registration
from mmzoo.registration.stages import resampled
from mmzoo.registration.transform import voxels
from mmzoo.report.scene import MAX_MAP_VOXELS, MAX_VOXELS, Scene, Stage
from mmzoo.spatial.frames import ras_affine
from mmzoo.spatial.view import window

LabelMaps = tuple[sitk.Image, sitk.Image]
STAGES = {"before": "before", "linear": "linear", "after": "field"}


def registration_scene(found: Registration, label_maps: LabelMaps | None = None) -> Scene:
    """Resample images and fields of a registration onto one grid over the fixed image.

    Args:
        found: the registration.
        label_maps: of the fixed and the moving image, to be outlined, if there are any.
    """
    fixed, moving = found.fixed, found.moving
    box = whole_box(fixed, MAX_VOXELS)
    grid = box.grid(fixed, box.shape)
    step = float(min(box.spacing_mm))
    small = reduced(fixed, step), reduced(moving, step)
    still = sitk.Transform(3, sitk.sitkIdentity)
    # For slices in two planes, "before" is the moving one moved onto the fixed one's plane.
    before = to_moving_plane(fixed, moving) if found.is_flat else still
    ways = {"before": before, "linear": found.linear}
    if found.displacement is not None:
        ways["after"] = found.transform
    limits = window(sitk.GetArrayViewFromImage(small[1]))
    labels = None if label_maps is None else _labels(label_maps)
    stages = tuple(
        Stage(
            STAGES[name],
            grey(resampled(small[1], grid, way, sitk.sitkLinear), limits),
            None if labels is None else _label_array(labels[1], grid, way),
        )
        for name, way in ways.items()
    )
    coarse = whole_box(fixed, MAX_MAP_VOXELS)
    maps = coarse.grid(fixed, coarse.shape)
    field = voxels(found.displacement, maps)
    return Scene(
        fixed=grey(
            resampled(small[0], grid, still, sitk.sitkLinear),
            window(sitk.GetArrayViewFromImage(small[0])),
        ),
        spacing_mm=grid.GetSpacing(),
        affine=ras_affine(grid),
        stages=stages,
        displacement_mm=field * np.array(maps.GetSpacing(), np.float32),
        determinant=jacobian_determinant(in_plane(field)).reshape(maps.GetSize()),
        map_spacing_mm=maps.GetSpacing(),
        labels=None if labels is None else _label_array(labels[0], grid, still),
        structures={} if labels is None else labels[2],
    )


def _labels(maps: LabelMaps) -> tuple[sitk.Image, sitk.Image, dict[int, str]]:
    """Return both label maps with values from 1 on, and the names of these."""
    arrays = [sitk.GetArrayViewFromImage(each) for each in maps]
    values = np.union1d(*(np.unique(array) for array in arrays))
    values = values[values != 0][:255]
    ranked = []
    for image, array in zip(maps, arrays, strict=True):
        place = np.searchsorted(values, array).clip(0, max(len(values) - 1, 0))
        known = values[place] == array if len(values) else np.zeros(array.shape, bool)
        ranked.append(sitk.GetImageFromArray(np.where(known, place + 1, 0).astype(np.uint8)))
        ranked[-1].CopyInformation(image)
    names = {k: f"label {value}" for k, value in enumerate(values, start=1)}
    return ranked[0], ranked[1], names


def _label_array(labels: sitk.Image, grid: sitk.Image, way: sitk.Transform) -> np.ndarray:
    return sitk.GetArrayFromImage(resampled(labels, grid, way, None)).T


def grey(image: sitk.Image, limits: tuple[float, float]) -> np.ndarray:
    """Return an image as greys of [0, 1] between limits, (dim1, dim2, dim3)."""
    low, high = limits
    values = (sitk.GetArrayViewFromImage(image).T - np.float32(low)) / np.float32(high - low)
    return np.clip(values, 0, 1)
