"""What `mmzoo register` leaves: every file whole, the report last."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mmzoo.io.atomic import UNFINISHED, folder_of_files
from mmzoo.io.images import write_image
from mmzoo.io.transform_file import write_transform
from mmzoo.registration.result import Registration

REPORT, TRANSFORM, FIELD = "registration.json", "transform.h5", "displacement_mm.nii.gz"
INVERSE = "inverse.h5"
WARPED, LABEL, PICTURE = "warped.nii.gz", "label.nii.gz", "picture.png"
PAGE = "report.html"
MEAN, MOTION, PLOT = "mean.nii.gz", "motion.csv", "motion.png"  # of a series
FILES = (REPORT, TRANSFORM, INVERSE, FIELD, WARPED, LABEL, PICTURE, PAGE, MEAN, MOTION, PLOT)


def check_out(out: Path, overwrite: bool) -> None:
    """Check that a folder may be written; touches nothing.

    Raises:
        ValueError: it is a file, holds a registration and `overwrite` is false, or anything else.
    """
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file; give a folder to write.")
    if not out.exists() or not any(out.iterdir()):
        return
    if (out / UNFINISHED).exists():  # an interrupted run's: nothing whole is lost
        return
    if not (out / REPORT).exists():
        raise ValueError(
            f"{out} is not empty and holds no {REPORT}, so it was not made by mmzoo; nothing in it "
            "was touched. Give another folder."
        )
    if not overwrite:
        raise ValueError(
            f"{out} holds a registration already; nothing in it was touched. Give another folder, "
            "or --overwrite to replace it."
        )


def write_registration(found: Registration, out: Path, extra: dict | None = None) -> None:
    """Write image, transform, field, picture, page, report; what an earlier one left is replaced.

    Args:
        found: the registration.
        out: folder; made if it is not there.
        extra: added to the report, such as the files that were registered.
    """
    from mmzoo.registration.drawing import draw_registration
    from mmzoo.registration.page import write_report

    report = {**(extra or {}), **found.report}
    images = {WARPED: found.warped, FIELD: found.ddf_mm, LABEL: found.label}
    with folder_of_files(out, tuple(reversed(FILES))) as partial:  # the report last
        # The way back, compressing and drawing take about as long as each other.
        with ThreadPoolExecutor(2) as beside:
            written = [beside.submit(_write_transforms, found, partial)]
            written += [
                beside.submit(write_image, image, partial / name)
                for name, image in images.items()
                if image is not None
            ]
            draw_registration(partial / PICTURE, found)
            if not found.is_flat:  # the page cuts through volumes
                write_report(partial / PAGE, found, report)
        for each in written:
            each.result()
        (partial / REPORT).write_text(json.dumps(report, indent=2) + "\n")


def _write_transforms(found: Registration, folder: Path) -> None:
    """Write both ways, one after the other: HDF5 is for one thread."""
    write_transform(found.transform, folder / TRANSFORM)
    write_transform(found.inverse, folder / INVERSE)
