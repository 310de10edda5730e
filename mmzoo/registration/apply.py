"""A saved transform on images, label maps and points: what `mmzoo apply` calls."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mmzoo.checks import check_choice
from mmzoo.io import images
from mmzoo.io.images import write_image
from mmzoo.io.points import read_points
from mmzoo.registration.inverse import inverse_transform
from mmzoo.spatial.points import invert_points, transform_points

INTERPOLATIONS = {"linear": sitk.sitkLinear, "cubic": sitk.sitkBSpline}
LABELS = ("nearest", "linear")


def read_transform(path: str | Path) -> sitk.Transform:
    """Read a transform of points in 3-D.

    Raises:
        ValueError: the file is not there, is no transform (an image, say), or is one in 2-D.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path} is not there; check the name and the folder.")
    try:
        transform = sitk.ReadTransform(str(path))
    except RuntimeError as error:
        raise ValueError(
            f"{path} is no transform that ITK reads; `mmzoo register` writes one as transform.h5, "
            "ANTs and elastix write .mat, .tfm and .h5."
        ) from error
    if transform.GetDimension() != 3:
        raise ValueError(f"{path} must be a transform in 3-D, got {transform.GetDimension()}-D.")
    return transform


def apply_to_image(
    transform: str | Path,
    moving: images.Source,
    reference: images.Source,
    out: str | Path,
    interpolation: str = "linear",
    inverse: bool = False,
) -> None:
    """Warp an image onto the grid of another and write it, float32.

    Args:
        transform: file; takes points of the reference to the moving image.
        moving: image to warp.
        reference: image whose grid is filled.
        out: file to write; its suffix says the format.
        interpolation: "linear" or "cubic" (B-spline).
        inverse: `moving` lies in the space of the fixed image and goes to that of the moving one.

    Raises:
        ValueError: for bad input; nothing is written.
    """
    check_choice("interpolation", interpolation, INTERPOLATIONS)
    found = read_transform(transform)
    image = images.read_image(moving, "moving").image
    found, grid, own = _way(found, image, reference, inverse)
    smallest = float(sitk.GetArrayViewFromImage(image).min())
    warped = sitk.Resample(image, grid, found, INTERPOLATIONS[interpolation], smallest)
    write_image(own.turned_back(warped), Path(out))


def apply_to_labels(
    transform: str | Path,
    moving: images.Source,
    reference: images.Source,
    out: str | Path,
    interpolation: str = "nearest",
    inverse: bool = False,
) -> None:
    """Warp a label map onto the grid of an image and write it, int32.

    Args:
        transform: file; takes points of the reference to the moving image.
        moving: label map.
        reference: image whose grid is filled.
        out: file to write; its suffix says the format.
        interpolation: "nearest", or "linear": each label is warped as a mask of its own, and the
            largest share wins.
        inverse: as of `apply_to_image`.

    Raises:
        ValueError: for bad input; nothing is written.
    """
    check_choice("labels", interpolation, LABELS)
    found = read_transform(transform)
    labels = images.read_labels(moving, "moving").image
    found, grid, own = _way(found, labels, reference, inverse)
    if interpolation == "nearest":
        warped = sitk.Resample(labels, grid, found, sitk.sitkNearestNeighbor, 0)
    else:
        warped = _largest_share(labels, grid, found)
    write_image(own.turned_back(warped), Path(out))


def _way(transform: sitk.Transform, moving: sitk.Image, reference: images.Source, inverse: bool):
    """Return the transform from the reference to the moving image, the grid to fill and its own."""
    own = images.read(reference, "reference")
    return inverse_transform(transform, moving) if inverse else transform, own.image, own


def _largest_share(labels: sitk.Image, grid: sitk.Image, transform) -> sitk.Image:
    best = np.zeros(grid.GetSize()[::-1], np.float32)
    winner = np.zeros(best.shape, np.int32)
    for value in np.unique(sitk.GetArrayViewFromImage(labels)):
        mask = sitk.Cast(labels == int(value), sitk.sitkFloat32)
        outside = float(value == 0)
        share = sitk.GetArrayFromImage(
            sitk.Resample(mask, grid, transform, sitk.sitkLinear, outside)
        )
        larger = share > best
        best[larger], winner[larger] = share[larger], value
    image = sitk.GetImageFromArray(winner)
    image.CopyInformation(grid)
    return image


def apply_to_points(
    transform: str | Path,
    points: str | Path,
    out: str | Path,
    frame: str,
    inverse: bool = False,
) -> int:
    """Carry the points of a CSV from the fixed image to the moving one, or back; write a CSV.

    Args:
        transform: file; takes points of the fixed image to the moving one.
        points: CSV with columns x, y, z in mm; others are kept.
        out: CSV to write.
        frame: "ras" (NIfTI, FreeSurfer, Slicer's display) or "lps" (DICOM, ITK), of both files.
        inverse: from the moving image to the fixed one.

    Returns:
        How many points there are.

    Raises:
        ValueError: for bad input, or a point that nothing is taken to; nothing is written.
    """
    found = read_transform(transform)
    given = read_points(Path(points), frame)
    carry = invert_points if inverse else transform_points
    given.write(Path(out), carry(found, given.places))
    return len(given.places)
