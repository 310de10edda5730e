"""Opening an image: a file by nibabel, SimpleITK or as DICOM, or an object in memory."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import SimpleITK as sitk
from nibabel.spatialimages import SpatialImage

from mmzoo.checks import reason_of
from mmzoo.io import dicom, nifti
from mmzoo.io.dicom_frames import is_dicom, same_locale
from mmzoo.io.header_checks import check_image_file
from mmzoo.io.paths import selected
from mmzoo.spatial.frames import set_ras_affine

# A path, a SimpleITK or nibabel image, or (array, spacing in mm or affine of RAS mm).
Source = str | Path | sitk.Image | Any

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff")
BY_NIBABEL = (".nii", ".nii.gz", ".mgz", ".mgh", ".hdr", ".img", ".hdr.gz", ".img.gz")


@dataclass(frozen=True)
class Found:
    """What a source holds before it is checked; see `Loaded` of `images`."""

    frames: list[sitk.Image]
    title: str
    notes: list[str] = field(default_factory=list)
    seconds: float = 1.0


def open_source(source: Source, name: str, flat: bool = False) -> Found:
    """Return the volumes of a source, each 3-D, in its own pixel type and axes.

    Args:
        source: see `Source`.
        name: its role ("fixed"), for messages.
        flat: a 2-D image is welcome, as a volume of one slice.

    Raises:
        ValueError: it cannot be read; says why.
    """
    title = f"the {name} image" if name else "the image"
    if isinstance(source, sitk.Image):
        return _split(source, title, flat)
    if isinstance(source, (str, Path)):
        return _read_path(*selected(Path(source).expanduser()), flat)
    if isinstance(source, SpatialImage):
        return _from_nibabel(source, title, "", flat)
    if isinstance(source, tuple) and len(source) == 2 and isinstance(source[0], np.ndarray):
        return Found([from_array(*source)], title)
    if isinstance(source, np.ndarray):
        raise ValueError(
            f"{title} is a bare array, which says neither voxel sizes nor where it lies; give "
            "(array, spacing_mm), or (array, affine) with an affine as nibabel has it."
        )
    raise ValueError(
        f"{title} must be a path, a SimpleITK or nibabel image, or (array, spacing_mm), got "
        f"{type(source).__name__}."
    )


def is_series(path: Path) -> bool:
    """Whether a file's header says that it holds several volumes; False for what cannot be read."""
    file, _ = selected(path.expanduser())
    try:
        if file.name.lower().endswith(BY_NIBABEL):
            shape = nib.load(file).shape
            return len(shape) > 3 and shape[3] > 1
        if file.is_dir() or is_dicom(file):
            return False
        header = sitk.ImageFileReader()
        header.SetFileName(str(file))
        header.ReadImageInformation()
        return header.GetDimension() == 4 and header.GetSize()[3] > 1
    except (*nifti.BROKEN, RuntimeError):
        return False


def from_array(values: np.ndarray, place: Any) -> sitk.Image:
    """Return an array as an image.

    Args:
        values: (dim1, dim2, dim3), indexed as nibabel has it: the first axis to the right.
        place: three voxel sizes in mm, with axes towards right, anterior and superior; or (4, 4),
            voxel index to RAS mm.

    Raises:
        ValueError: for another shape.
    """
    place = np.asarray(place, float)
    if values.ndim != 3 or place.shape not in ((3,), (4, 4)) or not np.isfinite(place).all():
        raise ValueError(
            "an array must be 3-D, with three voxel sizes in mm or a (4, 4) affine, got shape "
            f"{values.shape} and {place.tolist()}."
        )
    if place.shape == (3,):
        place = np.diag([*place, 1.0])
    return _to_itk(values, place)


def _to_itk(values: np.ndarray, affine: np.ndarray) -> sitk.Image:
    if values.dtype == bool:
        values = values.astype(np.uint8)
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    image = sitk.GetImageFromArray(np.ascontiguousarray(values.T))
    set_ras_affine(image, affine)
    return image


def _read_path(path: Path, choice: str, flat: bool) -> Found:
    if not path.exists():
        raise ValueError(f"{path} is not there; check the name and the folder.")
    if path.name.lower().endswith(PICTURES):
        raise ValueError(
            f"{path} is a picture, which says neither how large its pixels are nor where it lies; "
            "save it as NIfTI or MHA with its pixel size in mm (in Python: sitk.ReadImage, "
            "SetSpacing, sitk.WriteImage)."
        )
    if flat and (file := _one_slice(path)):
        return Found([_by_itk(file)], str(path))
    if path.is_dir():
        volume = dicom.read_folder(path, choice)
        return Found([volume.image], str(path), volume.notes)
    if path.name.lower().endswith(BY_NIBABEL):
        check_image_file(path)
        return _by_nibabel(path, choice, flat)
    if is_dicom(path):
        volume = dicom.read_one(dicom.find_stacks([path]), path, choice)
        return Found([volume.image], str(path), volume.notes)
    check_image_file(path)
    return _split(_by_itk(path), str(path), flat)


def _one_slice(path: Path) -> Path | None:
    """Return the DICOM file of a path that holds a single slice; None for other paths."""
    files = [each for each in path.iterdir() if each.is_file()] if path.is_dir() else [path]
    if len(files) != 1 or not is_dicom(files[0]):
        return None
    header = sitk.ImageFileReader()
    header.SetFileName(str(files[0]))
    try:
        header.ReadImageInformation()
    except RuntimeError:
        return None  # the reader of stacks says why
    return files[0] if header.GetSize()[2:] == (1,) else None


@same_locale()
def _by_itk(path: Path) -> sitk.Image:
    try:
        return sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise _unreadable(path, error) from error


def _by_nibabel(path: Path, choice: str, flat: bool) -> Found:
    """Read by nibabel: ITK silently turns NaN into zero and pads a file that is cut short."""
    try:
        source = nib.load(path)
    except nifti.BROKEN as error:
        raise _unreadable(path, error) from error
    return _from_nibabel(source, str(path), choice, flat)


def _from_nibabel(source, title: str, choice: str, flat: bool) -> Found:
    shape = source.shape
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) == 2 and flat:
        shape = (*shape, 1)
    kind = source.get_data_dtype()
    is_slice = flat and len(shape) == 3 and sorted(shape)[1] >= 2
    too_thin = len(shape) not in (3, 4) or (min(shape[:3]) < 2 and not is_slice)
    if too_thin or kind.kind not in "iufb":
        raise ValueError(
            f"{title} must be one 3-D volume of at least 2 voxels along each axis, got size "
            f"{shape} of {kind}; cut time frames or channels into images of their own, "
            "and colours or complex numbers to one number a voxel."
        )
    if isinstance(source.header, nib.freesurfer.mghformat.MGHHeader):
        affine: np.ndarray = np.asarray(source.affine, float)
        notes: list[str] = []
    else:
        affine, notes = nifti.place(source.header, title, choice)
    try:
        values = np.asarray(source.dataobj).reshape(shape)
    except nifti.BROKEN as error:
        raise _unreadable(title, error) from error
    parts = [values] if values.ndim == 3 else list(np.moveaxis(values, -1, 0))
    frames = [_to_itk(part, affine) for part in parts]
    return Found(frames, title, notes, nifti.seconds(source.header))


def _unreadable(path, error: Exception) -> ValueError:
    return ValueError(f"{path} cannot be read as a medical image: {reason_of(error)}")


def _split(image: sitk.Image, title: str, flat: bool) -> Found:
    """Return the volumes of a 4-D image, or the image; a 2-D one as a volume of one slice."""
    if image.GetDimension() == 2 and flat:
        image = sitk.JoinSeries([image])
    if image.GetDimension() != 4 or image.GetNumberOfComponentsPerPixel() != 1:
        return Found([image], title)
    size = list(image.GetSize())
    frames = [sitk.Extract(image, [*size[:3], 0], [0, 0, 0, k]) for k in range(size[3])]
    return Found(frames, title, seconds=image.GetSpacing()[3])
