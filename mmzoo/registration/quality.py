"""Evaluation of a registration, or of transforms in files, by label maps and landmarks."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mmzoo.io import images
from mmzoo.io.atomic import UNFINISHED, write_text
from mmzoo.io.json_files import plain
from mmzoo.io.transforms import read_steps
from mmzoo.registration.chain import one_transform
from mmzoo.registration.flat import to_moving_plane
from mmzoo.registration.measure import OVERLAP, measure
from mmzoo.registration.output import REPORT, TRANSFORM, WARPED
from mmzoo.registration.result import Registration
from mmzoo.registration.truth import Read, Truth, known_truth, read_checked, read_label_maps
from mmzoo.spatial.frames import set_ras_affine, transform_of

STILL = sitk.Transform(3, sitk.sitkIdentity)
FIGURES = (*OVERLAP, "tre_mm", "sd_log_j", "folds_percent")


def quality(found: Registration, read: Read | None) -> dict:
    """Return the figures of a registration for the labels and points of its pair.

    Args:
        found: the registration.
        read: of `read_truth`.

    Returns:
        As `mmzoo.registration.measure.measure`, by stage: "before" (by the headers), "linear",
        "after". Empty without labels and points of both images.
    """
    if read is None:
        return {}
    if read.notes:
        found.report["notes"] = [*found.report["notes"], *read.notes]
    stages = {"before": _before(found.fixed, found.moving), "linear": found.linear}
    stages["after"] = found.transform
    return plain(measure(stages, read.labels, read.points, found.fixed))


def evaluate_registration(folder: Path, truth: Truth, out: Path | None = None) -> dict:
    """Evaluate a folder of `mmzoo register`; write figures to `out`, or FOLDER/evaluation.

    Args:
        folder: holds `registration.json`.
        truth: labels, landmarks; what is not given is taken from the report, where the pair was
            registered with such files.
        out: folder for `figures.csv` and `figures.json`.

    Returns:
        As `quality`, and "notes".

    Raises:
        ValueError: the folder or a file cannot be used; says why.
    """
    report = read_report(folder)
    truth = known_truth(report, truth)
    truth.check()
    fixed = images.read(folder / WARPED, flat=True).image
    moving = _empty(report["grids"]["moving"])
    linear = transform_of(np.array(report["linear"], float))
    after = one_transform(read_steps(folder / TRANSFORM), fixed, moving)
    stages = {"before": _before(fixed, moving), "linear": linear, "after": after}
    said, notes = _measured(truth, stages, fixed, moving)
    _write(said, notes, out or folder / "evaluation")
    return {**said, "notes": notes}


def _before(fixed: sitk.Image, moving: sitk.Image) -> sitk.Transform:
    """Return the transform of the headers: identity; for slices, along the fixed one's normal."""
    return to_moving_plane(fixed, moving) if min(fixed.GetSize()) == 1 else STILL


def evaluate_files(
    truth: Truth, transforms: list[str], fixed: Path | None = None, out: Path | None = None
) -> dict:
    """Evaluate transform files of any program by labels and landmarks.

    Args:
        truth: labels, landmarks.
        transforms: files, see `mmzoo.io.transforms.read_steps`; none measures as things are.
        fixed: fixed image: the labels must lie on it, the transform is differentiated on it.
        out: folder for `figures.csv` and `figures.json`; None writes nothing.

    Returns:
        As `quality`, stages "before" and "after", and "notes".

    Raises:
        ValueError: a file cannot be used; says why.
    """
    truth.check()
    on = None if fixed is None else images.read(fixed, "fixed", flat=True).image
    labels = read_label_maps(truth, on, None)
    grid = on if labels is None or on is not None else labels[0].image
    stages = {"before": STILL}
    if transforms:
        steps = read_steps(transforms)
        if grid is None and any(step.inverse for step in steps):
            raise ValueError("to undo a transform, give labels, between which it goes.")
        end = grid if labels is None else labels[1].image
        stages["after"] = one_transform(steps, grid, end)  # type: ignore[arg-type]
    said, notes = _measured(truth, stages, on, None)
    if out is not None:
        _write(said, notes, out)
    return {**said, "notes": notes}


def _measured(truth: Truth, stages, fixed: sitk.Image | None, moving: sitk.Image | None):
    """Return the figures, and notes on the files."""
    loaded, points, notes = read_checked(truth, fixed, moving)
    labels = None if loaded is None else tuple(each.image for each in loaded)
    grid = labels[0] if fixed is None and labels is not None else fixed
    return plain(measure(stages, labels, points, grid)), notes


def read_report(folder: Path) -> dict:
    """Return what `registration.json` of a registration of two images holds.

    Raises:
        ValueError: it is not there, not whole, or of something else.
    """
    if (folder / UNFINISHED).exists():
        raise ValueError(f"{folder} was interrupted while it was written; register again.")
    try:
        report = json.loads((folder / REPORT).read_text(encoding="utf-8"))
        report["grids"]["moving"], report["linear"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{folder / REPORT} cannot be used ({error!r}): is it of a registration of two images?"
        ) from error
    return report


def _empty(grid: dict) -> sitk.Image:
    """Return an empty image on a grid of a report."""
    image = sitk.Image([int(n) for n in grid["size"]], sitk.sitkUInt8)
    set_ras_affine(image, np.array(grid["affine"], float))
    return image


def _write(said: dict, notes: list[str], out: Path) -> None:
    """Write `figures.csv` (a line a stage, label or landmark) and `figures.json`."""
    out.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["stage", "figure", "of", "value"])
    for name in FIGURES:
        for stage, value in said.get(name, {}).items():
            table.writerow([stage, name, "all", value])
            for label, own in said.get(f"{name}_by_label", {}).get(stage, {}).items():
                table.writerow([stage, name, f"label {label}", own])
            for k, far in enumerate(said.get(f"{name}_by_point", {}).get(stage, []), start=1):
                table.writerow([stage, name, f"point {k}", far])
    write_text(out / "figures.csv", text.getvalue())
    write_text(out / "figures.json", json.dumps({**said, "notes": notes}, indent=2) + "\n")
