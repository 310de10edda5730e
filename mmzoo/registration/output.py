"""What `mmzoo register` leaves: every file whole, the report last."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import SimpleITK as sitk

from mmzoo.io.atomic import UNFINISHED, folder_of_files, whole_file
from mmzoo.io.header_checks import check_image_file
from mmzoo.registration.register import Registration

REPORT, TRANSFORM, FIELD = "registration.json", "transform.h5", "displacement_mm.nii.gz"
INVERSE = "inverse.h5"
WARPED, LABEL, PICTURE = "warped.nii.gz", "label.nii.gz", "picture.png"
FILES = (REPORT, TRANSFORM, INVERSE, FIELD, WARPED, LABEL, PICTURE)


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
    """Write image, transform, field, picture and report; what an earlier one left is replaced.

    Args:
        found: the registration.
        out: folder; made if it is not there.
        extra: added to the report, such as the files that were registered.
    """
    from mmzoo.registration.drawing import draw_registration

    report = {**(extra or {}), **found.report}
    images = {WARPED: found.warped, FIELD: found.ddf_mm, LABEL: found.label}
    transforms = {TRANSFORM: found.transform, INVERSE: found.inverse}
    with folder_of_files(out, tuple(reversed(FILES))) as partial:  # the report last
        with ThreadPoolExecutor(1) as beside:  # compressing takes about as long as drawing
            written = [
                beside.submit(write_image, image, partial / name)
                for name, image in images.items()
                if image is not None
            ]
            draw_registration(partial / PICTURE, found)
        for each in written:
            each.result()
        for name, transform in transforms.items():
            if transform is not None:
                write_transform(transform, partial / name)
        (partial / REPORT).write_text(json.dumps(report, indent=2) + "\n")


def write_image(image: sitk.Image, path: Path) -> None:
    """Write an image, whole or not at all; the suffix says the format.

    Raises:
        ValueError: for a suffix that ITK cannot write.
        OSError: the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as partial:
            sitk.WriteImage(image, str(partial), useCompression=True, compressionLevel=1)
            if path.name.endswith((".nii", ".nii.gz")):
                _check_written(partial, path)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise ValueError(
            f"{path} cannot be written ({reason}); give a name that ends in .nii.gz, .mha or .nrrd."
        ) from error


def _check_written(partial: Path, path: Path) -> None:
    """Raise OSError where ITK has written less than the whole; its NIfTI writer does not say so."""
    try:
        check_image_file(partial)
    except ValueError as error:
        raise OSError(f"{path} could not be written whole: is the disk full?") from error


def write_transform(transform: sitk.Transform, path: Path) -> None:
    """Write a transform to a file of ITK.

    Raises:
        OSError: the disk is full.
    """
    # Asked beforehand: HDF5 in ITK ends the process, later on, when a write has failed.
    if hasattr(os, "posix_fallocate"):
        with path.open("wb") as file:
            size = 8 * transform.GetNumberOfParameters() + 100_000
            os.posix_fallocate(file.fileno(), 0, size)
        path.unlink()
    sitk.WriteTransform(transform, str(path))
