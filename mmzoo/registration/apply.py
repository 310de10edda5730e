"""Saved transforms applied to images, label maps and points, for `mmzoo apply`.

A transform may be a chain of files, each forward or inverse; see `mmzoo.io.transforms`.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mmzoo.checks import check_choice
from mmzoo.io import images
from mmzoo.io.images import Loaded, put_on, write_image
from mmzoo.io.nifti import APART_VOXELS
from mmzoo.io.paths import check_writable
from mmzoo.io.points import read_points
from mmzoo.io.transforms import read_steps
from mmzoo.registration.chain import Transforms, one_transform
from mmzoo.registration.label_shares import warp_labels
from mmzoo.spatial.frames import apart_voxels, ras_affine
from mmzoo.spatial.points import invert_points, transform_points

INTERPOLATIONS = {"linear": sitk.sitkLinear, "cubic": sitk.sitkBSpline}
LABELS = ("nearest", "linear")
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class OutputFile:
    """Where a result is written.

    Attributes:
        path: file to write; its suffix says the format.
        overwrite: replace an existing file, even an input.
        on_note: called with each note on the headers of the inputs.
    """

    path: Path
    overwrite: bool = False
    on_note: Callable[[str], None] = lambda note: None


def apply_to_image(
    transform: Transforms,
    moving: images.Source,
    reference: images.Source,
    out: str | Path | OutputFile,
    interpolation: str = "linear",
    inverse: bool = False,
) -> None:
    """Warp an image, or each frame of a 4-D one, onto the grid of another and write it, float32.

    Args:
        transform: file, or several in the order in which points of the reference go through them to
            the moving image, each with `:inverse` behind it if wanted.
        moving: image to warp.
        reference: image whose grid is filled.
        out: file to write.
        interpolation: "linear" or "cubic" (B-spline).
        inverse: apply the inverse: `moving` is in the space of the fixed image, `reference` in that
            of the moving one.

    Raises:
        ValueError: for bad input, or a file that is there already; nothing is written.
    """
    check_choice("interpolation", interpolation, INTERPOLATIONS)
    output = _output(out)
    image = images.read_image(moving, "moving", series=True, flat=True)
    way, grid = _way(transform, image, moving, reference, inverse)
    warped = [
        grid.turned_back(warped_image(frame, grid.image, way, interpolation))
        for frame in image.frames or (image.image,)
    ]
    _write(warped, image, grid, output)


def warped_image(
    image: sitk.Image, grid: sitk.Image, way: sitk.Transform, interpolation: str
) -> sitk.Image:
    """Warp an image onto a grid; outside the image its smallest value.

    Args:
        image: float32.
        grid: to be filled.
        way: takes points of the grid to the image.
        interpolation: of `INTERPOLATIONS`.
    """
    check_choice("interpolation", interpolation, INTERPOLATIONS)
    smallest = float(sitk.GetArrayViewFromImage(image).min())
    return sitk.Resample(image, grid, way, INTERPOLATIONS[interpolation], smallest)


def apply_to_labels(
    transform: Transforms,
    moving: images.Source,
    reference: images.Source,
    out: str | Path | OutputFile,
    interpolation: str = "nearest",
    inverse: bool = False,
    image: images.Source | None = None,
    progress: Progress = lambda done, total: None,
) -> None:
    """Warp a label map onto the grid of an image and write it, int32 (int64 where ids need it).

    Args:
        transform: as of `apply_to_image`.
        moving: label map.
        reference: image whose grid is filled.
        out: file to write.
        interpolation: "nearest", or "linear": each label is warped as a mask, and the label of the
            largest value wins.
        inverse: as of `apply_to_image`.
        image: the image of the label map, whose grid it must have. None: the registered image, if
            `registration.json` beside the transform names it.
        progress: called with how many parts of "linear" are done, and of how many.

    Raises:
        ValueError: for bad input, labels that do not lie on their image, or a file that is there
            already; nothing is written.
    """
    check_choice("labels", interpolation, LABELS)
    output = _output(out)
    labels = images.read_labels(moving, "moving", flat=True)
    if image is not None:
        labels = put_on(labels, images.read(image, "label map's", flat=True))
    else:
        _check_registered(labels, transform, inverse)
    way, grid = _way(transform, labels, moving, reference, inverse)
    warped = warped_labels(labels.image, grid.image, way, interpolation, progress)
    _write([grid.turned_back(warped)], labels, grid, output)


def warped_labels(
    labels: sitk.Image,
    grid: sitk.Image,
    way: sitk.Transform,
    interpolation: str,
    progress: Progress = lambda done, total: None,
) -> sitk.Image:
    """Warp a label map onto a grid, 0 outside; see `apply_to_labels`."""
    check_choice("labels", interpolation, LABELS)
    if interpolation == "nearest":
        return sitk.Resample(labels, grid, way, sitk.sitkNearestNeighbor, 0)
    return warp_labels(labels, grid, way, progress)


def _output(out: str | Path | OutputFile) -> OutputFile:
    output = out if isinstance(out, OutputFile) else OutputFile(Path(out))
    check_writable(output.path, output.overwrite)
    return output


def _write(frames: list[sitk.Image], image: Loaded, grid: Loaded, output: OutputFile) -> None:
    for note in dict.fromkeys([*image.notes, *grid.notes]):
        output.on_note(note)
    whole = frames[0] if len(frames) == 1 else sitk.JoinSeries(frames, 0.0, image.seconds)
    write_image(whole, output.path)


def _check_registered(labels: Loaded, transform: Transforms, inverse: bool) -> None:
    """Raise ValueError if labels do not lie on the registered image, where its report is there."""
    names = [transform] if isinstance(transform, (str, Path)) else list(transform)
    report = Path(names[0]).with_name("registration.json")
    if len(names) != 1 or not report.is_file():
        return
    try:
        name = "fixed" if inverse else "moving"
        grid = json.loads(report.read_text())["grids"][name]
        size, affine = tuple(grid["size"]), np.array(grid["affine"], float)
    except (ValueError, KeyError, TypeError):
        return  # of an older version, or of another program
    own = labels.image.GetSize()
    gap = apart_voxels(affine, ras_affine(labels.image), size) if own == size else np.inf
    if gap > APART_VOXELS:
        raise ValueError(
            f"{labels.title} does not lie on the {name} image that was registered: size {own} "
            f"against {size}, or up to {gap:.3g} voxels apart by their headers; was one of the two "
            "resampled, or its header lost? If it belongs to another image of the same space, name "
            "that with --image."
        )


def _way(transform: Transforms, image: Loaded, moving, reference, inverse: bool):
    """Return the transform from the reference to the moving image, and the grid to fill."""
    grid = images.read(reference, "reference", series=True, flat=True)
    files = [Path(each) if isinstance(each, (str, Path)) else None for each in (reference, moving)]
    steps = read_steps(transform, *(reversed(files) if inverse else files))
    return one_transform(steps, grid.image, image.image, inverse), grid


def apply_to_points(
    transform: Transforms,
    points: str | Path,
    out: str | Path | OutputFile,
    frame: str = "",
    inverse: bool = False,
) -> int:
    """Map points from the fixed to the moving image, or back; write them as they were read.

    Args:
        transform: as of `apply_to_image`; each step is exact, inverses included.
        points: CSV with columns x, y, z in mm (others are kept), or Slicer's .fcsv or .mrk.json.
        out: file of the same kind to write.
        frame: "ras" (NIfTI, FreeSurfer, Slicer's display) or "lps" (DICOM, ITK), of a CSV and of
            what is written; Slicer's files say it.
        inverse: from the moving image to the fixed one.

    Returns:
        How many points there are.

    Raises:
        ValueError: for bad input, a point without a preimage, or a file that is there already;
            nothing is written.
    """
    output = _output(out)
    steps = read_steps(transform)
    given = read_points(Path(points), frame)
    if inverse:
        steps = [step.reversed() for step in reversed(steps)]
    places = given.places
    for step in steps:
        carry = invert_points if step.inverse else transform_points
        places = carry(step.transform, places)
    given.write(output.path, places)
    return len(places)
