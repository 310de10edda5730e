"""Stacks of single slices: DICOM files and the pictures of their labels, in one order."""

import re
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mmzoo.spatial.geometry import same_locale

# Largest difference of the distances between slices from their mean, as a share of it.
UNEVEN = 0.05


def by_name(files) -> list[Path]:
    """Return files in the order of their names, numbers in them by their value."""
    return sorted(files, key=lambda file: [_key(part) for part in re.split(r"(\d+)", file.name)])


def _key(part: str) -> tuple[int, int | str]:
    return (0, int(part)) if part.isdecimal() else (1, part)


@same_locale()
def read_slices(files: list[Path]) -> tuple[sitk.Image, bool, list[str]]:
    """Read DICOM slices, which lie on each other in the order that is given.

    The distance between slices is that of their positions, never the tag `SliceThickness`. Slices
    whose positions go against the normal of their plane are turned round.

    Args:
        files: one slice each, two or more.

    Returns:
        The volume, float32 after the rescaling that the files ask for; whether the order was turned
        round, as that of the labels then must be; and what was mended.

    Raises:
        ValueError: if a file cannot be read, or they make no even stack.
    """
    if len(files) < 2:
        raise ValueError(f"a stack needs two slices or more, got {[str(file) for file in files]}.")
    readers = [_read(file) for file in files]
    slices = [reader[0] for reader in readers]
    sizes = {(image.GetSize(), image.GetSpacing()[:2]) for image in slices}
    if len(sizes) > 1:
        raise ValueError(f"{files[0].parent} holds slices of different sizes: {sorted(sizes)}.")
    direction = np.array(slices[0].GetDirection()).reshape(3, 3)
    gaps = np.diff([np.dot(image.GetOrigin(), direction[:, 2]) for image in slices])
    gap = _even(gaps, files[0].parent)
    turned = gap < 0
    values = np.concatenate([sitk.GetArrayFromImage(image) for image in slices])
    volume = sitk.GetImageFromArray(values[::-1] if turned else values)
    volume.SetSpacing((*slices[0].GetSpacing()[:2], abs(gap)))
    volume.SetDirection(slices[0].GetDirection())
    volume.SetOrigin((slices[-1] if turned else slices[0]).GetOrigin())
    return volume, turned, _notes(turned, abs(gap), readers[0][1])


def _read(file: Path) -> tuple[sitk.Image, float | None]:
    """Return one slice and the thickness that its tag claims."""
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(file))
    try:
        image = sitk.Cast(reader.Execute(), sitk.sitkFloat32)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise ValueError(f"{file} cannot be read as a DICOM slice: {reason}") from error
    tag = "0018|0050"
    return image, float(reader.GetMetaData(tag)) if reader.HasMetaDataKey(tag) else None


def _even(gaps: np.ndarray, folder: Path) -> float:
    gap = float(np.mean(gaps))
    if abs(gap) < 1e-3 or np.abs(gaps - gap).max() > UNEVEN * abs(gap):
        raise ValueError(
            f"the slices in {folder}, in the order of their names, must lie evenly on each other, "
            f"got distances from {gaps.min():.2f} to {gaps.max():.2f} mm; is one missing, or are "
            "there two series in the folder?"
        )
    return gap


def _notes(turned: bool, gap: float, claimed: float | None) -> list[str]:
    notes = []
    if turned:
        notes.append("slices run against their normal by name: image and labels turned round")
    if claimed is not None and abs(claimed - gap) > 0.01:
        notes.append(f"SliceThickness says {claimed:g} mm, positions {gap:.3g} mm: positions count")
    return notes


def read_pictures(files: list[Path], grid: sitk.Image, turned: bool) -> sitk.Image:
    """Read pictures of labels, one a slice, in the same order as the slices were.

    Args:
        files: as many as the volume has slices.
        grid: the volume, from ``read_slices``.
        turned: what ``read_slices`` said.

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
