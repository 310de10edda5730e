"""Stacks of single slices: DICOM files and the pictures of their labels, in one order."""

import re
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mmzoo.io import dicom


def by_name(files) -> list[Path]:
    """Return files in the order of their names, numbers in them by their value."""
    return sorted(files, key=lambda file: [_key(part) for part in re.split(r"(\d+)", file.name)])


def _key(part: str) -> tuple[int, int | str]:
    return (0, int(part)) if part.isdecimal() else (1, part)


def read_slices(files: list[Path]) -> tuple[sitk.Image, bool, list[str]]:
    """Read DICOM slices, given in the order of the pictures of their labels.

    Their headers say where they lie (see ``dicom.read_stack``), which must be the order of the
    files, or the opposite one.

    Args:
        files: one slice each, two or more.

    Returns:
        The volume, float32, rescaled by slope and intercept; whether its slices are in the opposite
        order of the files, so that the labels must be reversed too; and notes.

    Raises:
        ValueError: if a file cannot be read, or they make no even stack in that order.
    """
    if len(files) < 2:
        raise ValueError(f"a stack needs two slices or more, got {[str(file) for file in files]}.")
    stacks, folder = dicom.find_stacks(files), files[0].parent
    if len(stacks) != 1:
        listed = "; ".join(map(str, stacks))
        raise ValueError(f"{folder} must hold one stack of slices, got {len(stacks)}: {listed}.")
    volume = dicom.read_stack(stacks[0], folder)
    order = [frame.file for frame in volume.frames]
    turned = order == list(files)[::-1]
    if not turned and order != list(files):
        raise ValueError(
            f"the slices in {folder}, in the order of their names, must lie evenly on each other, "
            "but their positions run to and fro; are there two series in the folder?"
        )
    notes = list(volume.notes)
    if turned:
        notes.append("slices run against their normal by name: image and labels turned round")
    return volume.image, turned, notes


def read_pictures(files: list[Path], grid: sitk.Image, turned: bool) -> sitk.Image:
    """Read pictures of labels, one a slice, in the same order as the slices were.

    Args:
        files: as many as the volume has slices.
        grid: the volume, from ``read_slices``.
        turned: whether to reverse the order, from ``read_slices``.

    Returns:
        The grey values, int32, on the volume's grid.

    Raises:
        ValueError: if number or size of the pictures is not that of the slices.
    """
    pictures = [np.squeeze(sitk.GetArrayFromImage(_picture(file))) for file in files]
    shapes = {picture.shape for picture in pictures}
    columns, rows, count = grid.GetSize()
    if len(pictures) != count or shapes != {(rows, columns)}:
        raise ValueError(
            f"{files[0].parent if files else 'the label folder'} must hold {count} pictures of "
            f"{columns} x {rows}, one a slice, got {len(pictures)} of (rows, columns) "
            f"{sorted(shapes)}."
        )
    stack = np.stack(pictures[::-1] if turned else pictures).astype(np.int32)
    labels = sitk.GetImageFromArray(stack)
    labels.CopyInformation(grid)
    return labels


def _picture(file: Path) -> sitk.Image:
    try:
        image = sitk.ReadImage(str(file))
    except RuntimeError as error:
        raise ValueError(f"{file} cannot be read as a picture.") from error
    if image.GetNumberOfComponentsPerPixel() != 1:
        raise ValueError(f"{file} must be one grey value a pixel, got a colour picture.")
    return image
