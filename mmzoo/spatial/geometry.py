"""Real volumes in physical space: reading, checking, and resampling onto a common grid.

SimpleITK counts millimetres towards left, posterior and superior, NIfTI towards right, anterior and
superior; ``ras_affine`` is the one place where that matters.
"""

import locale
import zlib
from contextlib import contextmanager
from pathlib import Path

import nibabel as nib
import numpy as np
import SimpleITK as sitk
from nibabel.filebasedimages import ImageFileError

from mmzoo.checks import check_image_values

_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0])


@contextmanager
def same_locale():
    """Keep the process's locale: ITK's DICOM reader leaves "C" behind, and text is then ASCII."""
    before = locale.setlocale(locale.LC_ALL)
    try:
        yield
    finally:
        locale.setlocale(locale.LC_ALL, before)


@same_locale()
def read_volume(path: Path, *, pixdim: bool = False) -> sitk.Image:
    """Read a 3-D scalar volume, its axes put in the order and direction nearest to RAS.

    The axes stay the image's own (an oblique stack of slices stays a stack), so that nothing is
    interpolated.

    Args:
        path: NIfTI, or anything else that SimpleITK reads.
        pixdim: take voxel sizes from NIfTI's `pixdim`, not from its affine, whose directions stay;
            for files that are known to have unit sizes there.

    Raises:
        ValueError: if the file cannot be read, or holds anything but one 3-D volume of numbers.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path} is not there; check the name and the folder.")
    is_nifti = path.name.endswith((".nii", ".nii.gz"))
    try:
        image = _read_nifti(path, pixdim) if is_nifti else sitk.ReadImage(str(path))
    # What the libraries raise for files cut short, of another kind, or not allowed to be read.
    except (RuntimeError, OSError, EOFError, zlib.error, ImageFileError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        raise ValueError(f"{path} cannot be read as a medical image: {reason}") from error
    _check_one_volume(path, image.GetSize(), image.GetNumberOfComponentsPerPixel())
    return sitk.DICOMOrient(image, "RAS")


def _read_nifti(path: Path, pixdim: bool) -> sitk.Image:
    """Read NIfTI by nibabel: ITK turns NaN into zero and fills up a file cut short, unsaid."""
    source = nib.load(path)
    array = np.asarray(source.dataobj, np.float32)
    _check_one_volume(path, array.shape, 1)
    spacing = np.linalg.norm(source.affine[:3, :3], axis=0)
    axes = source.affine[:3, :3] / np.where(spacing > 0, spacing, 1)
    if not np.allclose(axes.T @ axes, np.eye(3), atol=1e-2):
        raise ValueError(
            f"{path} must have axes at right angles to each other, got the affine "
            f"{source.affine.round(3).tolist()}; resample it, or mend its header."
        )
    # The nearest rotation: single-precision headers are off by a little.
    left, _, right = np.linalg.svd(axes)
    image = sitk.GetImageFromArray(array.T)
    image.SetSpacing([float(zoom) for zoom in source.header.get_zooms()] if pixdim else spacing)
    image.SetDirection((_RAS_TO_LPS @ left @ right).ravel().tolist())
    image.SetOrigin((_RAS_TO_LPS @ source.affine[:3, 3]).tolist())
    return image


def _check_one_volume(path: Path, size, num_components: int) -> None:
    if num_components != 1 or len(size) != 3 or min(size) < 2:
        raise ValueError(
            f"{path} must be one 3-D volume of at least 2 voxels along each axis, got size {size} "
            f"with {num_components} value(s) a voxel; cut time frames or channels into files of "
            "their own."
        )


def unit_sizes(path: Path) -> tuple[float, ...] | None:
    """Return the `pixdim` of a NIfTI file whose affine claims other voxel sizes, else None."""
    header = nib.load(path).header
    claimed = np.linalg.norm(header.get_best_affine()[:3, :3], axis=0)
    sizes = tuple(round(float(zoom), 4) for zoom in header.get_zooms()[:3])
    return None if np.allclose(claimed, sizes, rtol=1e-2) else sizes


def read_image(path: Path, *, pixdim: bool = False) -> sitk.Image:
    """Read an image as float32; see ``read_volume``.

    Raises:
        ValueError: also for NaN, infinity, or an image that is the same everywhere.
    """
    image = sitk.Cast(read_volume(path, pixdim=pixdim), sitk.sitkFloat32)
    check_image_values(str(path), sitk.GetArrayFromImage(image))
    return image


def read_labels(path: Path, *, pixdim: bool = False) -> sitk.Image:
    """Read an integer label map; see ``read_volume``.

    Raises:
        ValueError: also for values that are not whole numbers.
    """
    image = sitk.Cast(read_volume(path, pixdim=pixdim), sitk.sitkFloat32)
    values = sitk.GetArrayFromImage(image)
    if not np.all(values == np.round(values)):
        raise ValueError(
            f"{path} must be a label map of whole numbers, got values in between; "
            "is it an image, or probabilities? Threshold those first."
        )
    return sitk.Cast(image, sitk.sitkInt32)


def common_box(fixed: sitk.Image, moving: sitk.Image):
    """Return the box, along the fixed image's axes, that lies in both fields of view.

    Returns:
        Lower and upper corner (3,), in the fixed image's continuous voxel index, edges of voxels.

    Raises:
        ValueError: if there is no such box.
    """
    corners = []
    for corner in np.ndindex(2, 2, 2):
        index = [-0.5 + end * size for end, size in zip(corner, moving.GetSize(), strict=True)]
        point = moving.TransformContinuousIndexToPhysicalPoint(index)
        corners.append(fixed.TransformPhysicalPointToContinuousIndex(point))
    lower = np.maximum(np.min(corners, axis=0), -0.5)
    upper = np.minimum(np.max(corners, axis=0), np.array(fixed.GetSize()) - 0.5)
    if np.any(upper - lower < 1):
        raise ValueError(
            f"the images do not overlap in space: fixed covers {_extent(fixed)}, moving "
            f"{_extent(moving)} (mm, right-anterior-superior); their headers must share one frame."
        )
    return lower, upper


def foreground_box(image: sitk.Image, margin_mm: float = 5.0):
    """Return the box round what is not background (Otsu), as ``common_box`` does."""
    mask = sitk.GetArrayFromImage(sitk.OtsuThreshold(image, 0, 1)).T
    inside = np.argwhere(mask)
    margin = margin_mm / np.array(image.GetSpacing())
    return inside.min(0) - 0.5 - margin, inside.max(0) + 0.5 + margin


def make_grid(fixed: sitk.Image, lower, upper, shape) -> sitk.Image:
    """Return an empty image whose voxels fill a box given in the fixed image's index."""
    lower, upper = np.asarray(lower, float), np.asarray(upper, float)
    step = (upper - lower) / np.asarray(shape)
    grid = sitk.Image([int(size) for size in shape], sitk.sitkUInt8)
    grid.SetSpacing((step * fixed.GetSpacing()).tolist())
    grid.SetDirection(fixed.GetDirection())
    grid.SetOrigin(fixed.TransformContinuousIndexToPhysicalPoint((lower + step / 2).tolist()))
    return grid


def resample_image(image: sitk.Image, grid: sitk.Image) -> np.ndarray:
    """Resample linearly onto a grid, smoothed first where the grid is coarser.

    Returns:
        (dim1, dim2, dim3) float32; outside the image, its smallest value.
    """
    smallest = float(sitk.GetArrayFromImage(image).min())
    image = antialiased(image, grid)
    return _to_array(sitk.Resample(image, grid, sitk.Transform(), sitk.sitkLinear, smallest))


def antialiased(image: sitk.Image, grid: sitk.Image) -> sitk.Image:
    """Return an image smoothed for a coarser grid along the same axes."""
    # ITK's recursive filter wants four voxels along each axis.
    if min(image.GetSize()) < 4:
        return image
    return sitk.SmoothingRecursiveGaussian(image, _antialias(image, grid))


def resample_labels(labels: sitk.Image, grid: sitk.Image, values: list[int]) -> np.ndarray:
    """Resample a label map to the nearest voxel: (dim1, dim2, dim3, len(values)) uint8."""
    nearest = _to_array(sitk.Resample(labels, grid, sitk.Transform(), sitk.sitkNearestNeighbor, 0))
    return np.stack([nearest == value for value in values], axis=-1).astype(np.uint8)


def ras_affine(image: sitk.Image) -> np.ndarray:
    """Return voxel index to right-anterior-superior millimetres, (4, 4), as NIfTI has it."""
    direction = np.array(image.GetDirection()).reshape(3, 3)
    affine = np.eye(4)
    affine[:3, :3] = direction * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    affine[:3] = _RAS_TO_LPS @ affine[:3]
    return affine


def _antialias(image: sitk.Image, grid: sitk.Image) -> list[float]:
    """Gaussian sigmas in mm: half of what the coarser voxel adds; next to nothing for a finer."""
    old, new = np.array(image.GetSpacing()), np.array(grid.GetSpacing())
    return np.maximum(0.5 * np.sqrt(np.maximum(new**2 - old**2, 0)), 1e-3 * old).tolist()


def _to_array(image: sitk.Image) -> np.ndarray:
    # SimpleITK's arrays run (z, y, x); ours run (x, y, z).
    return np.ascontiguousarray(sitk.GetArrayFromImage(image).T)


def _extent(image: sitk.Image) -> str:
    ends = [np.full(3, -0.5), np.array(image.GetSize()) - 0.5]
    points = [image.TransformContinuousIndexToPhysicalPoint(end.tolist()) for end in ends]
    low, high = np.sort(np.array(points) * [-1, -1, 1], axis=0)
    return " x ".join(f"[{a:.0f}, {b:.0f}]" for a, b in zip(low, high, strict=True))
