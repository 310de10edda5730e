"""Motion correction of a 4-D series: frames are rigidly aligned to their mean."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import SimpleITK as sitk

import mmzoo
from mmzoo.io import images
from mmzoo.io.images import Source
from mmzoo.registration.api import register
from mmzoo.registration.climb import climbed
from mmzoo.registration.frame import ImagePair
from mmzoo.registration.frame import field_of_view as where_shown
from mmzoo.registration.information import Linear, MutualInformation
from mmzoo.registration.result import Registration
from mmzoo.registration.stages import resampled
from mmzoo.spatial.frames import FRAMES, matrix_of
from mmzoo.terminal import Report

SPACINGS_MM, SAMPLES = (6.0, 3.0), 20_000
PASSES = 2  # to the middle frame, then to the mean of the aligned frames
PARAMETERS = (
    *("rotation_x_degrees", "rotation_y_degrees", "rotation_z_degrees"),
    *("translation_x_mm", "translation_y_mm", "translation_z_mm"),
)


@dataclass(frozen=True)
class SeriesRegistration:
    """The result of `register_series`.

    Attributes:
        warped: the frames, aligned: 4-D, on the fixed image's grid, or on the series' own.
        mean: of the frames that were aligned to each other, on the series' grid.
        motion: a row a frame: `PARAMETERS` (turns about x, y and z, in this order, about the middle
            of the image; x to the right, y to the front, z up), "frame", "seconds" and
            "mean_displacement_mm": the displacement between the frame and the mean, averaged over
            the body's voxels.
        transforms: of each frame: from points of the fixed image, or of the mean, to the frame.
        report: what was done, for `registration.json`.
        registration: of the mean to the fixed image; None without one.
        frames: as they were, axes turned to right-anterior-superior.
    """

    warped: sitk.Image
    mean: sitk.Image
    motion: list[dict[str, float]]
    transforms: list[sitk.Transform]
    report: dict
    registration: Registration | None
    frames: Sequence[sitk.Image] = ()


def register_series(
    moving: Source,
    fixed: Source | None = None,
    *,
    moving_mask: Source | None = None,
    seed: int = 1,
    progress: Report = lambda stage, done, total: None,
    **options: Any,
) -> SeriesRegistration:
    """Align each frame of a 4-D image: to the mean of all (motion correction), or to an image.

    Each frame is rigidly aligned by mutual information with the middle frame, then with the mean of
    the aligned frames. With a fixed image, the mean is registered to it, and its transform is
    applied to all frames.

    Args:
        moving: the series.
        fixed: image to align to; None: the series' own mean.
        moving_mask: 3-D, on the frames' grid: voxels that count, without parts that move
            differently.
        seed: of the points that are drawn.
        progress: see `mmzoo.register`.
        options: of `mmzoo.register`, with a fixed image.

    Raises:
        ValueError: it is no series, or other bad input; says what to change.
    """
    series = images.read_image(moving, "moving", series=True)
    if not series.frames:
        raise ValueError(
            f"{series.title} is one volume and no series of several; give `--fixed`, the image "
            "that it is aligned to."
        )
    mask = images.read_mask(moving_mask, series, "moving mask")
    on_grid = None if mask is None else mask.image
    steps, mean = _aligned(series.frames, on_grid, seed, progress)
    motion = [_parameters(step, mean) for step in steps]
    for k, row in enumerate(motion):
        row |= {"frame": k, "seconds": round(k * series.seconds, 4)}
    ways: list[sitk.Transform] = [step.to_itk() for step in steps]
    found, grid = None, series
    if fixed is not None:
        grid = images.read(fixed, "fixed")
        found = register(fixed, mean, moving_mask=on_grid, seed=seed, progress=progress, **options)
        ways = [sitk.CompositeTransform([way, found.transform]) for way in ways]
    linear = sitk.sitkLinear
    warped = [
        grid.turned_back(resampled(frame, grid.image, way, linear))
        for frame, way in zip(series.frames, ways, strict=True)
    ]
    report: dict[str, Any] = {
        "mmzoo": mmzoo.__version__,
        "SimpleITK": sitk.Version_VersionString(),
        "frames": len(steps),
        "motion_matrices": [matrix_of(step.to_itk()).round(6).tolist() for step in steps],
        "largest_displacement_mm": max(row["mean_displacement_mm"] for row in motion),
        "notes": list(dict.fromkeys([*series.notes, *(mask.notes if mask else [])])),
    }
    if found is not None:
        report = {**found.report, **report, "notes": [*report["notes"], *found.report["notes"]]}
    return SeriesRegistration(
        sitk.JoinSeries(warped, 0.0, series.seconds),
        series.turned_back(mean),
        motion,
        ways,
        report,
        found,
        series.frames,
    )


def _aligned(
    frames: Sequence[sitk.Image], mask: sitk.Image | None, seed: int, progress: Report
) -> tuple[list[Linear], sitk.Image]:
    """Return the rigid motion of each frame against their mean, and this mean."""
    steps = [Linear.still()] * len(frames)
    target, done = frames[len(frames) // 2], 0
    for _ in range(PASSES):
        for k, frame in enumerate(frames):
            for spacing_mm in SPACINGS_MM:
                pair = ImagePair(target, frame, mask).reduced(spacing_mm)
                compared = MutualInformation(pair, SAMPLES, seed)
                steps[k] = climbed(compared, steps[k], "rigid", spacing_mm / 4)
            done += 1
            progress("frames", done, PASSES * len(frames))
        target = _mean(frames, steps, target)
    return steps, target


def _mean(frames: Sequence[sitk.Image], steps: list[Linear], grid: sitk.Image) -> sitk.Image:
    """Return the mean of the frames; in each voxel of those that cover it."""
    total = np.zeros(grid.GetSize()[::-1])
    field_of_view = np.zeros_like(total)
    for frame, step in zip(frames, steps, strict=True):
        way = step.to_itk()
        moved = sitk.Resample(frame, grid, way, sitk.sitkLinear, 0.0)
        total += sitk.GetArrayFromImage(moved)
        field_of_view += sitk.GetArrayFromImage(where_shown(frame, None, grid, way))
    mean = sitk.GetImageFromArray((total / np.maximum(field_of_view, 1)).astype(np.float32))
    mean.CopyInformation(grid)
    return mean


def _parameters(step: Linear, mean: sitk.Image) -> dict[str, float]:
    """Return the motion parameters of a frame."""
    middle = np.array(
        mean.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in mean.GetSize()])
    )
    ras = np.diag(FRAMES["ras"])
    turn = ras @ step.matrix @ ras  # R = Rz Ry Rx
    angles = (
        np.arctan2(turn[2, 1], turn[2, 2]),
        np.arcsin(np.clip(-turn[2, 0], -1, 1)),
        np.arctan2(turn[1, 0], turn[0, 0]),
    )
    shift = ras @ (step.at(middle) - middle)
    values = [*np.rad2deg(angles), *shift]
    row = {name: round(float(v), 4) for name, v in zip(PARAMETERS, values, strict=True)}
    return row | {"mean_displacement_mm": round(_mean_displacement(step, mean), 4)}


def _mean_displacement(step: Linear, mean: sitk.Image) -> float:
    """Return the mean displacement of the body's voxels by a motion, mm."""
    small = ImagePair(mean, mean).reduced(8.0).fixed
    body = sitk.OtsuThreshold(small, 0, 1)
    index = np.argwhere(sitk.GetArrayFromImage(body))[:, ::-1]
    axes = np.array(small.GetDirection()).reshape(3, 3) * small.GetSpacing()
    points = index @ axes.T + np.array(small.GetOrigin())
    return float(np.linalg.norm(step.at(points) - points, axis=1).mean())
