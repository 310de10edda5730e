"""The files that `mmzoo register` writes: atomic writes, the report last."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import SimpleITK as sitk

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
    if (out / UNFINISHED).exists():  # of an interrupted run: nothing complete is lost
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


def write_registration(
    found: Registration,
    out: Path,
    extra: dict | None = None,
    labels: tuple[sitk.Image, sitk.Image] | None = None,
) -> None:
    """Write image, transform, field, picture, page and report, in place of an earlier run's.

    Args:
        found: the registration.
        out: folder; made if it is not there.
        extra: added to the report, such as the files that were registered.
        labels: label maps of both images, which the page outlines.
    """
    from mmzoo.registration.drawing import draw_registration
    from mmzoo.registration.pair_page import write_report

    report = {**(extra or {}), **found.report}
    images = {WARPED: found.warped, FIELD: found.ddf_mm, LABEL: found.label}
    with folder_of_files(out, tuple(reversed(FILES))) as partial:  # the report last
        # Inversion, compression and drawing take about the same time: they run in parallel.
        with ThreadPoolExecutor(2) as beside:
            written = [beside.submit(_write_transforms, found, partial)]
            written += [
                beside.submit(write_image, image, partial / name)
                for name, image in images.items()
                if image is not None
            ]
            draw_registration(partial / PICTURE, found)
            write_report(partial / PAGE, found, report, labels=labels)
        for each in written:
            each.result()
        (partial / REPORT).write_text(json.dumps(report, indent=2) + "\n")


def _write_transforms(found: Registration, folder: Path) -> None:
    """Write the forward and the backward transform, in sequence: HDF5 is not thread-safe."""
    write_transform(found.transform, folder / TRANSFORM)
    write_transform(found.inverse, folder / INVERSE)
