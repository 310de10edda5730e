"""The one reader of images: a file, a folder of DICOM, or an object of Python, as ITK places it.

Every command reads through here, so that what one shows is what another registers. What comes out
is a SimpleITK image, its axes turned to the nearest of right, anterior, superior (nothing is
interpolated), with what was odd about its header in words.

A source may name more than a path: `FOLDER#2` the second stack of a DICOM folder, `FILE#sform` or
`FILE#qform` the form that is to count in a NIfTI header whose two disagree.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import SimpleITK as sitk
from nibabel.spatialimages import SpatialImage

from mmzoo.checks import check_image_values
from mmzoo.io import dicom, nifti
from mmzoo.io.atomic import whole_file
from mmzoo.io.header_checks import check_image_file, check_place
from mmzoo.spatial.frames import apart_voxels, ras_affine, set_ras_affine, shear_degrees

# A path, a SimpleITK or nibabel image, or (array, spacing in mm or affine of RAS mm).
Source = str | Path | sitk.Image | Any

SUFFIXES = (".nii.gz", ".nii", ".mgz", ".mgh", ".mha", ".mhd", ".nrrd", ".nhdr", ".hdr")
BY_NIBABEL = (".nii", ".nii.gz", ".mgz", ".mgh", ".hdr", ".img", ".hdr.gz", ".img.gz")
IN_TWO = (".hdr", ".img", ".mhd", ".nhdr", ".raw")
MOST_EXACT = {np.dtype(np.float32): 2**24, np.dtype(np.float64): 2**53}


@dataclass(frozen=True)
class Loaded:
    """An image that was read.

    Attributes:
        image: 3-D, one number a voxel, axes nearest to right, anterior, superior.
        axes: where the axes of the source point, as LPS, to turn back to.
        notes: what is odd about its header, and what was mended, in sentences.
        title: what to call it in messages.
        frames: of a 4-D image, all of them (the first is `image`); else empty.
        seconds: between frames.
    """

    image: sitk.Image
    axes: str
    notes: list[str] = field(default_factory=list)
    title: str = ""
    frames: tuple[sitk.Image, ...] = ()
    seconds: float = 1.0

    def turned_back(self, image: sitk.Image) -> sitk.Image:
        """Return another image on this grid with its axes as this source had them."""
        return sitk.DICOMOrient(image, self.axes)


def read(source: Source, name: str = "", *, series: bool = False) -> Loaded:
    """Read any image of numbers, of the type that it has.

    Args:
        source: see the head of this file.
        name: what it is to the user ("fixed"), for messages about objects without a file.
        series: whether several 3-D images in one, as time frames, are welcome.

    Raises:
        ValueError: it cannot be read or is not one 3-D volume of numbers; says why.
    """
    found = _read(source, name)
    frames, title = found.frames, found.title
    if len(frames) > 1 and not series:
        raise ValueError(
            f"{title} must be one 3-D volume of at least 2 voxels along each axis, got size "
            f"{(*frames[0].GetSize(), len(frames))}; cut time frames or channels into images of "
            "their own."
        )
    for frame in frames:
        check_volume(frame, title)
    axes = _axes(frames[0])
    turned = tuple(sitk.DICOMOrient(frame, "RAS") for frame in frames)
    several = turned if len(turned) > 1 else ()
    return Loaded(turned[0], axes, found.notes, title, several, found.seconds)


def read_image(source: Source, name: str = "", *, series: bool = False) -> Loaded:
    """Read an image to register, float32; see ``read``.

    Raises:
        ValueError: also for NaN, infinity, or an image that is the same everywhere.
    """
    found = read(source, name, series=series)
    frames = tuple(sitk.Cast(frame, sitk.sitkFloat32) for frame in found.frames or (found.image,))
    for frame in frames:
        check_image_values(found.title, sitk.GetArrayViewFromImage(frame))
    return replace(found, image=frames[0], frames=frames if len(frames) > 1 else ())


def read_labels(source: Source, name: str = "", *, on: Loaded | None = None) -> Loaded:
    """Read a label map, exactly: int32, or int64 where values need it.

    Args:
        source: see the head of this file.
        name: see ``read``.
        on: the image whose labels these are, on whose grid they must lie.

    Raises:
        ValueError: also for values that are not whole, or that their type cannot tell apart; and
            for labels that do not lie on their image.
    """
    found = read(source, name)
    values = _whole(sitk.GetArrayViewFromImage(found.image), found.title)
    labels = sitk.GetImageFromArray(values)
    labels.CopyInformation(found.image)
    found = replace(found, image=labels)
    return found if on is None else put_on(found, on)


def read_mask(source: Source | None, on: Loaded, name: str = "") -> Loaded | None:
    """Read a mask of an image, uint8: 1 where it is above 0 (neither NaN nor -1 is); None for None.

    Raises:
        ValueError: it cannot be read, is empty, or does not lie on its image.
    """
    if source is None:
        return None
    found = read(source, name)
    mask = sitk.Cast(found.image > 0, sitk.sitkUInt8)
    if not sitk.GetArrayViewFromImage(mask).any():
        raise ValueError(
            f"{found.title} is empty: it must be above 0 where the image counts; leave it out to "
            "use all of the image."
        )
    return put_on(replace(found, image=mask), on)


def put_on(labels: Loaded, image: Loaded) -> Loaded:
    """Return labels or a mask exactly on the grid of their image.

    Raises:
        ValueError: if the two differ in size, or lie more than half a voxel apart.
    """
    gap = np.inf
    if image.image.GetSize() == labels.image.GetSize():
        grids = ras_affine(image.image), ras_affine(labels.image)
        gap = apart_voxels(*grids, image.image.GetSize())
    if gap > nifti.APART_VOXELS:
        raise ValueError(
            f"{labels.title} does not lie on its image {image.title}: {_grids(labels, image)}; was "
            "one of the two resampled, its header lost, or are they mixed up?"
        )
    same = sitk.Image(labels.image)
    same.CopyInformation(image.image)
    notes = list(labels.notes)
    if gap > 1e-2:
        notes.append(f"{labels.title}: header is off by {gap:.2g} voxels: the image's counts")
    return replace(labels, image=same, axes=image.axes, notes=notes)


def _grids(labels: Loaded, image: Loaded) -> str:
    """Return in words how two grids differ."""
    first, second = labels.image, image.image
    parts = [f"size {first.GetSize()} against {second.GetSize()}"]
    parts.append(f"spacing {_short(first.GetSpacing())} against {_short(second.GetSpacing())} mm")
    origins = [_short(ras_affine(each)[:3, 3]) for each in (first, second)]
    parts.append(f"origin {origins[0]} against {origins[1]}")
    turns = [np.array(each.GetDirection()) for each in (first, second)]
    if np.abs(turns[0] - turns[1]).max() > 1e-3:
        parts.append("axes turned against each other")
    return ", ".join(parts)


def _short(values) -> tuple[float, ...]:
    return tuple(round(float(value), 2) for value in values)


def _whole(values: np.ndarray, title: str) -> np.ndarray:
    """Return label values as integers that hold them exactly."""
    if values.dtype.kind == "f":
        if not np.all(values == np.round(values)):  # NaN is not equal to itself
            raise ValueError(
                f"{title} must be a label map of whole numbers, got values in between or NaN; is "
                "it an image, or probabilities? Threshold those first."
            )
        most = MOST_EXACT.get(values.dtype, 2**11)
        if np.abs(values).max() > most:
            raise ValueError(
                f"{title} has label values up to {np.abs(values).max():.0f} as {values.dtype}, "
                f"which cannot tell whole numbers above {most} apart; save it as integers."
            )
        values = values.astype(np.int64)
    low, high = int(values.min()), int(values.max())
    if max(-low, high) > 2**53:
        raise ValueError(
            f"{title} has label values up to {max(-low, high)}; those above 2^53 would be changed "
            "by resampling. Give the labels smaller numbers."
        )
    small = np.iinfo(np.int32)
    return values.astype(np.int32 if small.min <= low and high <= small.max else np.int64)


def check_volume(image: sitk.Image, what: str) -> None:
    """Raise ValueError unless an image is 3-D, with one number a voxel and axes at right angles."""
    size, components = image.GetSize(), image.GetNumberOfComponentsPerPixel()
    if len(size) != 3 or components != 1 or min(size) < 2:
        raise ValueError(
            f"{what} must be one 3-D volume of at least 2 voxels along each axis, got size {size} "
            f"with {components} value(s) a voxel; cut time frames or channels into images of their "
            "own."
        )
    check_place(image, what)
    if "complex" in image.GetPixelIDTypeAsString():
        raise ValueError(f"{what} must hold real numbers, got complex ones; take the magnitude.")
    axes = np.array(image.GetDirection()).reshape(3, 3)
    if degrees := shear_degrees(axes):
        raise ValueError(
            f"{what} must have axes at right angles to each other, but they are sheared by "
            f"{degrees:.3g} degrees: {axes.round(4).tolist()}; resample it without shear, or mend "
            "its header."
        )


def _axes(image: sitk.Image) -> str:
    return sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(image.GetDirection())


@dataclass(frozen=True)
class _Found:
    """What a source holds before it is checked; see `Loaded`."""

    frames: list[sitk.Image]
    title: str
    notes: list[str] = field(default_factory=list)
    seconds: float = 1.0


def _read(source: Source, name: str) -> _Found:
    title = f"the {name} image" if name else "the image"
    if isinstance(source, sitk.Image):
        return _split(source, title)
    if isinstance(source, (str, Path)):
        return _read_path(*_selected(Path(source).expanduser()))
    if isinstance(source, SpatialImage):
        return _from_nibabel(source, title, "")
    if isinstance(source, tuple) and len(source) == 2 and isinstance(source[0], np.ndarray):
        return _Found([from_array(*source)], title)
    if isinstance(source, np.ndarray):
        raise ValueError(
            f"{title} is a bare array, which says neither voxel sizes nor where it lies; give "
            "(array, spacing_mm), or (array, affine) with an affine as nibabel has it."
        )
    raise ValueError(
        f"{title} must be a path, a SimpleITK or nibabel image, or (array, spacing_mm), got "
        f"{type(source).__name__}."
    )


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


def select(path: Path | None, geometry: str = "", series: str = "") -> Path | None:
    """Return a path that also says which form of its header, or which series, is to count."""
    if path is None or not (choice := series if path.is_dir() else geometry):
        return path
    path = path if path.name else path.resolve()
    return path.with_name(f"{path.name}#{choice}")


def select_all(paths, geometry: str) -> list[Path]:
    """Return paths that also say which form of their headers is to count; see ``select``."""
    return [path if not geometry else select(path, geometry) or path for path in paths or []]


def exists(path: Path) -> bool:
    """Whether what a path names is there, a selection behind it or not."""
    return _selected(path)[0].exists()


def _selected(path: Path) -> tuple[Path, str]:
    """Return the path itself, and what it selects."""
    if not path.exists() and "#" in path.name:
        name, _, choice = path.name.rpartition("#")
        if path.with_name(name).exists():
            return path.with_name(name), choice
    return path, ""


def _read_path(path: Path, choice: str) -> _Found:
    if not path.exists():
        raise ValueError(f"{path} is not there; check the name and the folder.")
    if path.is_dir():
        volume = dicom.read_folder(path, choice)
        return _Found([volume.image], str(path), volume.notes)
    if path.name.lower().endswith(BY_NIBABEL):
        check_image_file(path)
        return _by_nibabel(path, choice)
    if dicom.is_dicom(path):
        volume = dicom.read_one(dicom.find_stacks([path]), path, choice)
        return _Found([volume.image], str(path), volume.notes)
    check_image_file(path)
    return _split(_by_itk(path), str(path))


@dicom.same_locale()
def _by_itk(path: Path) -> sitk.Image:
    try:
        return sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise _unreadable(path, error) from error


def _by_nibabel(path: Path, choice: str) -> _Found:
    """Read by nibabel: ITK turns NaN into zero and fills up a file cut short, unsaid."""
    try:
        source = nib.load(path)
    except nifti.BROKEN as error:
        raise _unreadable(path, error) from error
    return _from_nibabel(source, str(path), choice)


def _from_nibabel(source, title: str, choice: str) -> _Found:
    shape = source.shape
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    kind = source.get_data_dtype()
    if len(shape) not in (3, 4) or min(shape[:3]) < 2 or kind.kind not in "iufb":
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
    return _Found(frames, title, notes, nifti.seconds(source.header))


def _unreadable(path, error: Exception) -> ValueError:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
    return ValueError(f"{path} cannot be read as a medical image: {reason}")


def _split(image: sitk.Image, title: str) -> _Found:
    """Return the volumes of a 4-D image, or the image."""
    if image.GetDimension() != 4 or image.GetNumberOfComponentsPerPixel() != 1:
        return _Found([image], title)
    size = list(image.GetSize())
    frames = [sitk.Extract(image, [*size[:3], 0], [0, 0, 0, k]) for k in range(size[3])]
    return _Found(frames, title, seconds=image.GetSpacing()[3])


def find_images(folder: Path) -> Iterator[Path]:
    """Yield the image files below a folder, and the folders that hold DICOM files, as one each."""
    files = sorted(file for file in folder.rglob("*") if not file.name.startswith("."))
    known = [file for file in files if file.name.lower().endswith(SUFFIXES)]
    yield from known
    others = [file for file in files if file.is_file() and file not in set(known)]
    yield from sorted({file.parent for file in others if dicom.may_be_dicom(file)})


def check_writable(path: Path, overwrite: bool = False) -> None:
    """Raise ValueError unless a file may be written: of one piece, and not there yet."""
    if path.name.lower().endswith(IN_TWO):
        raise ValueError(
            f"{path} would be written as two files, of which an interruption could leave one; give "
            "a name that ends in .nii.gz, .mha or .nrrd."
        )
    if path.is_dir():
        raise ValueError(f"{path} is a folder; give the name of a file to write.")
    if path.exists() and not overwrite:
        raise ValueError(
            f"{path} is there already and was not touched; give another name, or --overwrite to "
            "replace it."
        )


def free_name(path: Path) -> Path:
    """Return a path, or where it is there already, the first of name-2, name-3 and so on."""
    names = (path.with_name(f"{path.stem}-{k}{path.suffix}") for k in itertools.count(2))
    return path if not path.exists() else next(name for name in names if not name.exists())


def write_image(image: sitk.Image, path: Path) -> None:
    """Write an image, whole or not at all; the suffix says the format.

    Raises:
        ValueError: for a suffix that ITK cannot write, or that means two files.
    """
    check_writable(path, overwrite=True)
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
