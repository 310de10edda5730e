"""One DICOM slice: its position from the header, and its pixels."""

import locale
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from mmzoo.checks import reason_of

# Tags that distinguish frames at one position, in the order in which they are tried.
TIMES = (
    "TemporalPositionIndex",
    "TemporalPositionIdentifier",
    "EchoNumbers",
    "EchoTime",
    "DiffusionBValue",
    "NominalCardiacTriggerDelayTime",
    "TriggerTime",
    "AcquisitionNumber",
    "AcquisitionTime",
    "AcquisitionDateTime",
    "ContentTime",
    "ImageType",
)
OF_FRAMES = (
    *("FrameContentSequence", "MREchoSequence", "MRDiffusionSequence"),
    *("CardiacSynchronizationSequence", "MRImageFrameTypeSequence"),
)
TAGS = [
    *("SOPClassUID", "SeriesInstanceUID", "SeriesNumber", "SeriesDescription", "Modality"),
    *("ImageType", "Rows", "Columns", "SamplesPerPixel", "NumberOfFrames", "PixelSpacing"),
    *("ImagePositionPatient", "ImageOrientationPatient", "SliceThickness", "RescaleSlope"),
    *("RescaleIntercept", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
    *TIMES,
]


@dataclass(frozen=True)
class Frame:
    """One slice.

    Attributes:
        file: where it is.
        index: which frame of the file; None in a file of one frame.
        series: UID of its series.
        number: of its series.
        title: description of its series and modality.
        size: columns, rows.
        spacing_mm: between columns, between rows.
        position: (3,), LPS mm, of its first voxel's centre.
        axes: (3, 2), where columns and rows run, LPS.
        localizer: whether it is a scout.
        thickness_mm: its tag SliceThickness, or None.
        times: its values of `TIMES`, by tag.
        rescale: slope and intercept of a frame in a multi-frame file; the decoder applies those of
            a single-frame file.
    """

    file: Path
    index: int | None
    series: str
    number: int
    title: str
    size: tuple[int, int]
    spacing_mm: tuple[float, float]
    position: np.ndarray
    axes: np.ndarray
    localizer: bool
    thickness_mm: float | None
    times: dict[str, str]
    rescale: tuple[float, float] = (1.0, 0.0)

    @property
    def normal(self) -> np.ndarray:
        """Unit normal of its plane, (3,)."""
        return np.cross(*self.axes.T)


@contextmanager
def same_locale() -> Iterator[None]:
    """Keep the process's locale: ITK's DICOM reader leaves "C" behind, and text is then ASCII."""
    before = locale.setlocale(locale.LC_ALL)
    try:
        yield
    finally:
        locale.setlocale(locale.LC_ALL, before)


def is_dicom(path: Path) -> bool:
    """Whether a file begins as DICOM does, whatever it is called."""
    try:
        with path.open("rb") as file:
            start = file.read(132)
    except OSError:
        return False
    return start[128:] == b"DICM"


def may_be_dicom(file: Path) -> bool:
    """Whether a file may be a slice, by its ending or its first bytes."""
    if file.name.startswith(".") or file.name == "DICOMDIR":
        return False
    return file.suffix.lower() == ".dcm" or is_dicom(file)


def read_frames(file: Path) -> list[Frame]:
    """Return the frames of a file, from its header alone."""
    import pydicom

    try:
        data = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=TAGS, force=True)
    except Exception as error:  # pydicom raises many types for damaged files
        raise ValueError(f"{file} cannot be read as DICOM: {error}") from error
    if "SeriesInstanceUID" not in data and "Rows" not in data:
        raise ValueError(f"{file} is no DICOM image; take it out of the folder.")
    if "Rows" not in data:  # reports, structures, presentation states
        return []
    if int(data.get("SamplesPerPixel") or 1) != 1:
        raise ValueError(f"{file} must be one number a pixel, got colour.")
    count = int(data.get("NumberOfFrames") or 1)
    groups = data.get("PerFrameFunctionalGroupsSequence")
    if groups is None and count > 1:
        raise ValueError(
            f"{file} has {count} frames without their positions (no functional groups), so it "
            "makes no volume; export it as an enhanced file or as single slices."
        )
    if groups is None:
        return [_frame(file, None, data, data)]
    common = data.get("SharedFunctionalGroupsSequence")
    shared = common[0] if common else None
    return [_frame(file, k, data, group, shared) for k, group in enumerate(groups)]


def _frame(file: Path, index: int | None, data, group, shared=None) -> Frame:
    try:
        return _checked_frame(file, index, data, group, shared)
    except (TypeError, KeyError, AttributeError, IndexError, OverflowError) as error:
        raise ValueError(f"{file} has a header that cannot be read: {error}") from error


def _checked_frame(file: Path, index: int | None, data, group, shared) -> Frame:
    def find(sequence: str, tag: str) -> Any:
        for part in (group, shared) if index is not None else (data,):
            items = part.get(sequence) if index is not None and part is not None else None
            if index is None or items:
                value = (items[0] if items else part).get(tag)
                if value is not None:
                    return value
        return None

    def numbers(sequence: str, tag: str, count: int) -> np.ndarray:
        return _floats(file, tag, find(sequence, tag), count)

    position = numbers("PlanePositionSequence", "ImagePositionPatient", 3)
    turn = numbers("PlaneOrientationSequence", "ImageOrientationPatient", 6)
    spacing = numbers("PixelMeasuresSequence", "PixelSpacing", 2)
    axes = turn.reshape(2, 3).T
    lengths = np.linalg.norm(axes, axis=0)
    if np.abs(lengths - 1).max() > 0.01 or abs(axes[:, 0] @ axes[:, 1]) > 0.01 or min(spacing) <= 0:
        raise ValueError(
            f"{file} must have rows and columns at right angles and a pixel spacing above 0, got "
            f"{turn.tolist()} and {spacing.tolist()}."
        )
    axes = axes / lengths
    axes[:, 1] -= axes[:, 0] * (axes[:, 0] @ axes[:, 1])
    axes[:, 1] /= np.linalg.norm(axes[:, 1])
    rescale = (1.0, 0.0)
    if index is not None:
        slope = find("PixelValueTransformationSequence", "RescaleSlope")
        shift = find("PixelValueTransformationSequence", "RescaleIntercept")
        rescale = (1.0 if slope is None else float(slope), 0.0 if shift is None else float(shift))
    thickness = find("PixelMeasuresSequence", "SliceThickness")
    return Frame(
        file=file,
        index=index,
        series=str(data.get("SeriesInstanceUID", "")),
        number=int(data.get("SeriesNumber") or 0),
        title=f"{data.get('SeriesDescription') or ''} {data.get('Modality') or ''}".strip(),
        size=(int(data.Columns), int(data.Rows)),
        spacing_mm=(float(spacing[1]), float(spacing[0])),
        position=position,
        axes=axes,
        localizer="LOCALIZER" in [str(part).upper() for part in data.get("ImageType") or ()],
        thickness_mm=None if thickness is None else float(thickness),
        times=_times(data, group, index),
        rescale=rescale,
    )


def _floats(file: Path, tag: str, value, count: int) -> np.ndarray:
    if value is None:
        raise ValueError(
            f"{file} has no {tag}, so where it lies is not known; export the series anew, or make "
            "it NIfTI with a tool that knows its maker's own tags (dcm2niix)."
        )
    found = np.array([float(number) for number in value])
    if found.shape != (count,) or not np.isfinite(found).all():
        raise ValueError(f"{file} must have {count} finite numbers in {tag}, got {value}.")
    return found


def _times(data, group, index: int | None) -> dict[str, str]:
    """Return a frame's values of `TIMES`, by tag."""
    parts = [data]
    if index is not None:
        parts = [items[0] for name in OF_FRAMES if (items := group.get(name))] + parts
    found: dict[str, str] = {}
    for part in parts:
        for tag in TIMES:
            value = part.get(tag)
            if value is not None and tag not in found:
                found[tag] = str(value)
    return found


@same_locale()
def values_of(frames: tuple[Frame, ...]) -> np.ndarray:
    """Return values of frames, (slices, rows, columns) float32, each rescaled by its own tags."""
    files: dict[Path, np.ndarray] = {}
    slices = []
    for frame in frames:
        if frame.index is None:
            pixels = _decoded(frame.file)
        else:
            if frame.file not in files:
                files[frame.file] = _decoded_frames(frame.file)
            slope, intercept = frame.rescale
            pixels = files[frame.file][frame.index] * np.float32(slope) + np.float32(intercept)
        if pixels.shape != frame.size[::-1]:
            raise ValueError(
                f"{frame.file} must have {frame.size} columns and rows, got {pixels.shape[::-1]}."
            )
        slices.append(np.asarray(pixels, np.float32))
    return np.stack(slices)


def _decoded(file: Path) -> np.ndarray:
    try:
        # As a float: GDCM applies slope and intercept, which need not be whole.
        image = sitk.ReadImage(str(file), sitk.sitkFloat32, "GDCMImageIO")
    except RuntimeError as error:
        raise ValueError(f"{file} cannot be read as a DICOM slice: {reason_of(error)}") from error
    return sitk.GetArrayFromImage(image).reshape(image.GetSize()[1::-1])


def _decoded_frames(file: Path) -> np.ndarray:
    import pydicom

    try:
        values = pydicom.dcmread(file).pixel_array
    except Exception as error:  # decoders raise many types
        raise ValueError(
            f"the frames of {file} cannot be decoded: {error}; where a decoder is missing, "
            '`pip install "pylibjpeg[all]"` adds it.'
        ) from error
    return values if values.ndim == 3 else values[None]
