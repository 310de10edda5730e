"""Saved transforms on images, label maps and points: what `mmzoo apply` calls.

A transform may be several files in a row, each forth or back; see `mmzoo.io.transforms`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
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
from mmzoo.io.transforms import Step, compose, parts, read_steps, write_transform
from mmzoo.registration.inverse import inverse_transform
from mmzoo.registration.label_shares import warp_labels
from mmzoo.spatial.frames import apart_voxels, ras_affine
from mmzoo.spatial.points import invert_points, transform_points

INTERPOLATIONS = {"linear": sitk.sitkLinear, "cubic": sitk.sitkBSpline}
LABELS = ("nearest", "linear")
Progress = Callable[[int, int], None]
Transforms = str | Path | Sequence[str | Path]
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Output:
    """Where a result goes.

    Attributes:
        path: file to write; its suffix says the format.
        overwrite: replace what is there, be it one of the inputs.
        tell: is told what is odd about the headers of the inputs.
    """

    path: Path
    overwrite: bool = False
    tell: Tell = lambda note: None


def apply_to_image(
    transform: Transforms,
    moving: images.Source,
    reference: images.Source,
    out: str | Path | Output,
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
        inverse: `moving` lies in the space of the fixed image and goes to that of the moving one.

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
    """Return an image on a grid, its smallest value where it shows nothing.

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
    out: str | Path | Output,
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
        interpolation: "nearest", or "linear": each label is warped as a mask of its own would be,
            and the largest share wins.
        inverse: as of `apply_to_image`.
        image: what the label map was drawn on, on whose grid it must lie. None: the image that was
            registered, where `registration.json` beside the transform tells of it.
        progress: told how much of "linear" is done, and of how much.

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
    """Return a label map on a grid, 0 where it shows nothing; see `apply_to_labels`."""
    check_choice("labels", interpolation, LABELS)
    if interpolation == "nearest":
        return sitk.Resample(labels, grid, way, sitk.sitkNearestNeighbor, 0)
    return warp_labels(labels, grid, way, progress)


def _output(out: str | Path | Output) -> Output:
    output = out if isinstance(out, Output) else Output(Path(out))
    check_writable(output.path, output.overwrite)
    return output


def _write(frames: list[sitk.Image], image: Loaded, grid: Loaded, output: Output) -> None:
    for note in dict.fromkeys([*image.notes, *grid.notes]):
        output.tell(note)
    whole = frames[0] if len(frames) == 1 else sitk.JoinSeries(frames, 0.0, image.seconds)
    write_image(whole, output.path)


def _check_registered(labels: Loaded, transform: Transforms, inverse: bool) -> None:
    """Refuse labels off the image that was registered, where the report of that is there."""
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


def one_transform(
    steps: list[Step], reference: sitk.Image, moving: sitk.Image, inverse: bool = False
) -> sitk.Transform:
    """Return one transform of several steps.

    A curved step is inverted over the image that it was made for: the moving one where it is the
    last on the way there, else the grid of its own field, or the reference where it has none.

    Args:
        steps: in the order in which a point of the reference goes through them.
        reference: where the points lie.
        moving: where they end.
        inverse: all of it the other way round: the last step first.

    Raises:
        ValueError: a step has no inverse.
    """
    if inverse:
        steps = [step.reversed() for step in reversed(steps)]
    found = []
    for k, step in enumerate(steps):
        way = step.transform
        if step.inverse and all(part.IsLinear() for part in parts(way)):
            way = way.GetInverse()
        elif step.inverse:
            last = k == len(steps) - 1
            way = inverse_transform(way, moving if last else _domain(way, reference))
        found.append(way)
    return compose(found)


def _domain(transform: sitk.Transform, otherwise: sitk.Image) -> sitk.Image:
    """Return the grid of a transform's field, of which only the place counts."""
    for part in parts(transform):
        if part.GetTransformEnum() == sitk.sitkDisplacementField:
            field = sitk.DisplacementFieldTransform(part).GetDisplacementField()
            return sitk.VectorIndexSelectionCast(field, 0)
    return otherwise


def apply_to_points(
    transform: Transforms,
    points: str | Path,
    out: str | Path | Output,
    frame: str = "",
    inverse: bool = False,
) -> int:
    """Carry points from the fixed image to the moving one, or back; write them as they were read.

    Args:
        transform: as of `apply_to_image`; each step is exact, also backwards.
        points: CSV with columns x, y, z in mm (others are kept), or Slicer's .fcsv or .mrk.json.
        out: file of the same kind to write.
        frame: "ras" (NIfTI, FreeSurfer, Slicer's display) or "lps" (DICOM, ITK), of a CSV and of
            what is written; Slicer's files say it.
        inverse: from the moving image to the fixed one.

    Returns:
        How many points there are.

    Raises:
        ValueError: for bad input, a point that nothing is taken to, or a file that is there
            already; nothing is written.
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


def convert(
    transform: Transforms,
    out: str | Path,
    reference: images.Source | None = None,
    moving: images.Source | None = None,
    overwrite: bool = False,
) -> None:
    """Write transforms as one, in the format that a file's suffix says.

    Args:
        transform: as of `apply_to_image`.
        out: .h5, .tfm, .txt (ITK, ANTs, Slicer), .mat (ANTs' affine), .lta (FreeSurfer), or an
            image of displacements in mm (.nii.gz, .mha, .nrrd: ANTs, ITK).
        reference: fixed image: its grid for displacements; needed too for FSL's matrices, and to
            undo what is curved.
        moving: moving image, likewise.
        overwrite: replace what is there.

    Raises:
        ValueError: for bad input, or a format that cannot hold the transform.
    """
    out = Path(out)
    check_writable(out, overwrite)
    files = [Path(each) if isinstance(each, (str, Path)) else None for each in (reference, moving)]
    steps = read_steps(transform, *files)
    grid = (
        None
        if reference is None
        else images.read(reference, "reference", series=True, flat=True).image
    )
    end = grid if moving is None else images.read(moving, "moving", series=True, flat=True).image
    curved = [s for s in steps if s.inverse and not all(p.IsLinear() for p in parts(s.transform))]
    if curved and (grid is None or end is None):
        raise ValueError(
            f"{curved[0].file} is curved: to undo it, give `--reference` and `--moving`, between "
            "which it goes."
        )
    write_transform(one_transform(steps, grid, end), out, grid)  # type: ignore[arg-type]
