"""The one reader of images: a file, a folder of DICOM, or an object of Python, as ITK places it.

Every command reads through here, so that all see the same image. The result is a SimpleITK image
reoriented to the nearest RAS axes (nothing is interpolated), with notes on anything unusual in its
header.

A source may name more than a path: `FOLDER#2` the second stack of a DICOM folder, `FILE#sform` or
`FILE#qform` the form that is to count in a NIfTI header whose two disagree.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mmzoo.checks import check_image_values, reason_of
from mmzoo.io import nifti
from mmzoo.io.atomic import whole_file
from mmzoo.io.header_checks import check_image_file, check_place
from mmzoo.io.paths import check_writable
from mmzoo.io.sources import Source, open_source
from mmzoo.spatial.frames import apart_voxels, ras_affine, shear_degrees

MOST_EXACT = {np.dtype(np.float32): 2**24, np.dtype(np.float64): 2**53}


@dataclass(frozen=True)
class Loaded:
    """An image that was read.

    Attributes:
        image: 3-D, one number a voxel, axes nearest to right, anterior, superior.
        axes: orientation of the source, a code such as "LPS", to turn back to.
        notes: what is unusual in its header, and what was corrected, in sentences.
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

    @property
    def is_flat(self) -> bool:
        """Whether it is one slice."""
        return min(self.image.GetSize()) == 1

    def turned_back(self, image: sitk.Image) -> sitk.Image:
        """Return another image on this grid with its axes as this source had them."""
        return sitk.DICOMOrient(image, self.axes)


def read(source: Source, name: str = "", *, series: bool = False, flat: bool = False) -> Loaded:
    """Read an image in its own pixel type; one that is `Loaded` already is returned as it is.

    Args:
        source: see the head of this file, or what this function has returned.
        name: its role ("fixed"), for messages about objects without a file.
        series: whether several 3-D images in one, as time frames, are welcome.
        flat: whether a 2-D image is, as a volume of one slice.

    Raises:
        ValueError: it cannot be read or is not one 3-D volume of numbers; says why.
    """
    if isinstance(source, Loaded):
        return source
    found = open_source(source, name, flat)
    frames, title = found.frames, found.title
    if len(frames) > 1 and not series:
        raise ValueError(
            f"{title} must be one 3-D volume of at least 2 voxels along each axis, got size "
            f"{(*frames[0].GetSize(), len(frames))}; cut time frames or channels into images of "
            "their own."
        )
    for frame in frames:
        check_volume(frame, title, flat)
    axes = _axes(frames[0])
    turned = tuple(sitk.DICOMOrient(frame, "RAS") for frame in frames)
    several = turned if len(turned) > 1 else ()
    return Loaded(turned[0], axes, found.notes, title, several, found.seconds)


def read_image(
    source: Source, name: str = "", *, series: bool = False, flat: bool = False
) -> Loaded:
    """Read an image to register, float32; see ``read``.

    Raises:
        ValueError: also for NaN, infinity, or an image that is the same everywhere.
    """
    found = read(source, name, series=series, flat=flat)
    frames = found.frames or (found.image,)
    frames = tuple(
        frame if frame.GetPixelID() == sitk.sitkFloat32 else sitk.Cast(frame, sitk.sitkFloat32)
        for frame in frames
    )
    for frame in frames:
        check_image_values(found.title, sitk.GetArrayViewFromImage(frame))
    return replace(found, image=frames[0], frames=frames if len(frames) > 1 else ())


def read_labels(
    source: Source, name: str = "", *, on: Loaded | None = None, flat: bool = False
) -> Loaded:
    """Read a label map, exactly: int32, or int64 where values need it.

    Args:
        source: see the head of this file.
        name: see ``read``.
        on: the image whose labels these are, on whose grid they must lie.
        flat: whether they may be 2-D; of a 2-D image they may.

    Raises:
        ValueError: also for values that are not whole, or too large for their type to hold exactly;
            and for labels that do not lie on their image.
    """
    found = read(source, name, flat=flat or (on is not None and on.is_flat))
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
    found = read(source, name, flat=on.is_flat)
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


def check_volume(image: sitk.Image, what: str, flat: bool = False) -> None:
    """Raise ValueError unless an image is 3-D, with one number a voxel and axes at right angles.

    Args:
        image: to be checked.
        what: what to call it.
        flat: one slice will do.
    """
    size, components = image.GetSize(), image.GetNumberOfComponentsPerPixel()
    if len(size) != 3 or components != 1 or sorted(size)[1 if flat else 0] < 2:
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
        reason = reason_of(error)
        raise ValueError(
            f"{path} cannot be written ({reason}); give a name that ends in .nii.gz, .mha or .nrrd."
        ) from error


def _check_written(partial: Path, path: Path) -> None:
    """Raise OSError where ITK has written less than the whole; its NIfTI writer does not say so."""
    try:
        check_image_file(partial)
    except ValueError as error:
        raise OSError(f"{path} could not be written whole: is the disk full?") from error
