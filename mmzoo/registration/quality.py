"""What landmarks and label maps say of a registration, or of any transform in files."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mmzoo.io import images
from mmzoo.io.atomic import UNFINISHED, whole_file
from mmzoo.io.images import Loaded
from mmzoo.io.json_files import plain
from mmzoo.io.points import Points, read_points
from mmzoo.io.transforms import read_steps
from mmzoo.registration.apply import one_transform
from mmzoo.registration.measure import OVERLAP, check_labels, check_points, measure
from mmzoo.registration.output import REPORT, TRANSFORM, WARPED
from mmzoo.registration.pair_files import PairFiles, check_partners
from mmzoo.registration.result import Registration
from mmzoo.spatial.frames import set_ras_affine, transform_of

STILL = sitk.Transform(3, sitk.sitkIdentity)
FIGURES = (*OVERLAP, "tre_mm", "sd_log_j", "folds_percent")


@dataclass(frozen=True)
class Truth:
    """Files of what both images show, by which transforms are judged.

    Attributes:
        fixed_label: label map of the fixed image; `moving_label` of the moving one.
        fixed_points: its landmarks: CSV with x, y, z in mm, .fcsv or .mrk.json; in `moving_points`
            the same ones in the same order.
        frame: of points in a CSV: "ras" or "lps".
    """

    fixed_label: Path | None = None
    moving_label: Path | None = None
    fixed_points: Path | None = None
    moving_points: Path | None = None
    frame: str = ""

    def __bool__(self) -> bool:
        return self.fixed_label is not None or self.fixed_points is not None

    def check(self) -> None:
        """Raise ValueError where what belongs to both images is given for one, or nothing is."""
        for kind in ("label", "points"):
            sides = [getattr(self, f"{side}_{kind}") for side in ("fixed", "moving")]
            if (sides[0] is None) != (sides[1] is None):
                raise ValueError(f"give both `--fixed-{kind}` and `--moving-{kind}`, or neither.")
        if not self:
            raise ValueError(
                "nothing to measure by: give `--fixed-label` and `--moving-label`, or "
                "`--fixed-points` and `--moving-points`."
            )


def quality(found: Registration, pair: PairFiles, frame: str = "") -> dict:
    """Return the figures of a registration, as far as a pair has labels and points.

    Args:
        found: the registration.
        pair: the files.
        frame: of points in a CSV: "ras" or "lps".

    Returns:
        As `mmzoo.registration.measure.measure`, by stage: "before" (by the headers), "linear",
        "after". Empty without labels and points of both images.

    Raises:
        ValueError: files that cannot be used; says why.
    """
    truth = _truth(pair, frame)
    if not truth:
        return {}
    stages = {"before": STILL, "linear": found.linear, "after": found.transform}
    said, notes = _measured(truth, stages, found.fixed, found.moving)
    if notes:
        found.report["notes"] = [*found.report["notes"], *notes]
    return said


def check_truth(pair: PairFiles, frame: str = "") -> None:
    """Check labels and landmarks of a pair before it is registered.

    Raises:
        ValueError: they cannot be used with their images, or with each other; says why.
    """
    truth = _truth(pair, frame)
    if truth:
        both = (
            images.read(path, name, flat=True)
            for path, name in ((pair.fixed, "fixed"), (pair.moving, "moving"))
        )
        _read(truth, *(each.image for each in both))


def _truth(pair: PairFiles, frame: str) -> Truth:
    check_partners(pair)
    moving_label = None if pair.fixed_label is None else pair.moving_label
    return Truth(pair.fixed_label, moving_label, pair.fixed_points, pair.moving_points, frame)


def evaluate_registration(folder: Path, truth: Truth, out: Path | None = None) -> dict:
    """Measure what `mmzoo register` has left in a folder; write it to `out`, or FOLDER/evaluation.

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
    files = {name: Path(file) for name, file in report.get("files", {}).items()}
    for kind in ("label", "points"):
        names = [f"{side}_{kind}" for side in ("fixed", "moving")]
        if all(getattr(truth, name) is None for name in names) and set(names) <= set(files):
            given = {name: files[name] for name in names}
            frame = truth.frame or report.get("asked", {}).get("options", {}).get("frame", "")
            truth = Truth(**{**vars(truth), **given, "frame": frame})
    truth.check()
    fixed = images.read(folder / WARPED, flat=True).image
    moving = _empty(report["grids"]["moving"])
    linear = transform_of(np.array(report["linear"], float))
    after = one_transform(read_steps(folder / TRANSFORM), fixed, moving)
    stages = {"before": STILL, "linear": linear, "after": after}
    said, notes = _measured(truth, stages, fixed, moving)
    _write(said, notes, out or folder / "evaluation")
    return {**said, "notes": notes}


def evaluate_files(
    truth: Truth, transforms: list[str], fixed: Path | None = None, out: Path | None = None
) -> dict:
    """Measure labels and landmarks in files before and after a transform, of any program.

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
    labels = _labels(truth, on, None)
    grid = on if labels is None or on is not None else labels[0]
    stages = {"before": STILL}
    if transforms:
        steps = read_steps(transforms)
        if grid is None and any(step.inverse for step in steps):
            raise ValueError("to undo a transform, give labels, between which it goes.")
        end = grid if labels is None else labels[1]
        stages["after"] = one_transform(steps, grid, end)  # type: ignore[arg-type]
    said, notes = _measured(truth, stages, on, None)
    if out is not None:
        _write(said, notes, out)
    return {**said, "notes": notes}


def _measured(truth: Truth, stages, fixed: sitk.Image | None, moving: sitk.Image | None):
    """Return the figures, and what is odd about the files."""
    labels, points, notes = _read(truth, fixed, moving)
    grid = labels[0] if fixed is None and labels is not None else fixed
    return plain(measure(stages, labels, points, grid)), notes


def _read(truth: Truth, fixed: sitk.Image | None, moving: sitk.Image | None):
    """Return labels and landmarks of both images, checked, and what is odd about them."""
    labels, notes = _labels(truth, fixed, moving), []
    if labels is not None:
        notes = check_labels(*labels)
        fixed = labels[0] if fixed is None else fixed
        moving = labels[1] if moving is None else moving
    if truth.fixed_points is None or truth.moving_points is None:
        return labels, None, notes
    points = read_landmarks(truth)
    for one, image, name in zip(points, (fixed, moving), ("fixed", "moving"), strict=True):
        if image is not None:
            check_points(one.places, image, name, one.frame)
    return labels, (points[0].places, points[1].places), notes


def _labels(truth: Truth, fixed: sitk.Image | None, moving: sitk.Image | None):
    if truth.fixed_label is None or truth.moving_label is None:
        return None
    found = []
    for file, image, name in (
        (truth.fixed_label, fixed, "fixed"),
        (truth.moving_label, moving, "moving"),
    ):
        on = None if image is None else Loaded(image, "RAS", title=name)
        found.append(images.read_labels(file, on=on, flat=True).image)
    return tuple(found)


def read_landmarks(truth: Truth) -> tuple[Points, Points]:
    """Return the landmarks of both images.

    Raises:
        ValueError: they cannot be read, or are not as many.
    """
    files = [path for path in (truth.fixed_points, truth.moving_points) if path is not None]
    fixed, moving = (
        read_points(path, truth.frame if path.name.lower().endswith(".csv") else "")
        for path in files
    )
    if len(fixed.places) != len(moving.places):
        raise ValueError(
            f"{files[0]} has {len(fixed.places)} points and {files[1]} {len(moving.places)}: they "
            "must be the same landmarks in the same order."
        )
    return fixed, moving


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
    """Return an image of a size and place that a report tells of."""
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
    with whole_file(out / "figures.csv") as partial:
        partial.write_text(text.getvalue())
    with whole_file(out / "figures.json") as partial:
        partial.write_text(json.dumps({**said, "notes": notes}, indent=2) + "\n")
