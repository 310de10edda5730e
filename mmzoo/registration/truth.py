"""Labels and landmarks of a pair, read and checked, to evaluate registrations."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mmzoo.io import images
from mmzoo.io.images import Loaded
from mmzoo.io.points import Points, read_points
from mmzoo.registration.measure import check_labels, check_points
from mmzoo.registration.pair_files import PairFiles, check_partners


@dataclass(frozen=True)
class Truth:
    """Files of labels and landmarks of both images, to evaluate transforms.

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
        """Raise ValueError if labels or points are given for one image only, or not at all."""
        for kind in ("label", "points"):
            sides = [getattr(self, f"{side}_{kind}") for side in ("fixed", "moving")]
            if (sides[0] is None) != (sides[1] is None):
                raise ValueError(f"give both `--fixed-{kind}` and `--moving-{kind}`, or neither.")
        if not self:
            raise ValueError(
                "nothing to measure by: give `--fixed-label` and `--moving-label`, or "
                "`--fixed-points` and `--moving-points`."
            )


@dataclass(frozen=True)
class Read:
    """Images, labels and points of a pair, so that each file is read once.

    Attributes:
        images: "fixed" and "moving", with "moving_label" where there are labels of both.
        labels: of the fixed and the moving image, on their grids, or None.
        points: (n, 3) each, LPS mm, or None.
        notes: on labels and points.
    """

    images: dict[str, Loaded]
    labels: tuple[sitk.Image, sitk.Image] | None
    points: tuple[np.ndarray, np.ndarray] | None
    notes: list[str]


def read_truth(pair: PairFiles, frame: str = "") -> Read | None:
    """Read images, labels and landmarks of a pair before it is registered, and check them.

    Args:
        pair: the files.
        frame: of points in a CSV: "ras" or "lps".

    Returns:
        None without labels and points of both images; nothing is read then.

    Raises:
        ValueError: they cannot be used with their images, or with each other; says why.
    """
    check_partners(pair)
    moving_label = None if pair.fixed_label is None else pair.moving_label
    truth = Truth(pair.fixed_label, moving_label, pair.fixed_points, pair.moving_points, frame)
    if not truth:
        return None
    read = {
        name: images.read_image(getattr(pair, name), name, flat=True)
        for name in ("fixed", "moving")
    }
    labels, points, notes = read_checked(truth, *(each.image for each in read.values()))
    if labels is None:
        return Read(read, None, points, notes)
    both = labels[0].image, labels[1].image
    return Read({**read, "moving_label": labels[1]}, both, points, notes)


def known_truth(report: dict, truth: Truth) -> Truth:
    """Return files of labels and landmarks; those that are not given, from a report."""
    files = {name: Path(file) for name, file in report.get("files", {}).items()}
    for kind in ("label", "points"):
        names = [f"{side}_{kind}" for side in ("fixed", "moving")]
        if all(getattr(truth, name) is None for name in names) and set(names) <= set(files):
            given = {name: files[name] for name in names}
            frame = truth.frame or report.get("asked", {}).get("options", {}).get("frame", "")
            truth = replace(truth, **given, frame=frame)
    return truth


def read_checked(truth: Truth, fixed: sitk.Image | None, moving: sitk.Image | None):
    """Return labels and landmarks of both images, checked, and notes on them."""
    labels, notes = read_label_maps(truth, fixed, moving), []
    if labels is not None:
        notes = check_labels(*(each.image for each in labels))
        fixed = labels[0].image if fixed is None else fixed
        moving = labels[1].image if moving is None else moving
    if truth.fixed_points is None or truth.moving_points is None:
        return labels, None, notes
    points = read_landmarks(truth)
    for one, image, name in zip(points, (fixed, moving), ("fixed", "moving"), strict=True):
        if image is not None:
            check_points(one.places, image, name, one.frame)
    return labels, (points[0].places, points[1].places), notes


def read_label_maps(truth: Truth, fixed: sitk.Image | None, moving: sitk.Image | None):
    """Return the label maps of both images, on their grids where these are given, or None."""
    if truth.fixed_label is None or truth.moving_label is None:
        return None
    found = []
    for file, image, name in (
        (truth.fixed_label, fixed, "fixed"),
        (truth.moving_label, moving, "moving"),
    ):
        on = None if image is None else Loaded(image, "RAS", title=name)
        found.append(images.read_labels(file, on=on, flat=True))
    return found[0], found[1]


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
