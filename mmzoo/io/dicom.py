"""Volumes of DICOM: the stacks that a folder holds, and where their slices lie.

pydicom reads the headers of all frames; SimpleITK (GDCM) decodes the pixels of single-frame files,
whatever their compression, pydicom those of multi-frame files. A stack is slices of one series and
one orientation, each at a place of its own: time points and echoes are stacks of their own.
Distances between slices are those of their positions along their normal, never a tag's.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mmzoo.io.dicom_frames import TIMES, Frame, may_be_dicom, read_frames, values_of

UNEVEN = 0.05  # largest deviation of a distance between slices from their mean, as a share of it
TURNED = 1e-3  # direction cosines within a stack differ by less
DRIFT_MM = 0.1  # over the whole stack, within its planes: more is a gantry tilt
SAME_PLACE_MM = 1e-3


@dataclass(frozen=True)
class Stack:
    """Parallel slices of one series, in the order of their positions along the normal.

    Attributes:
        frames: the slices.
        time: tag and value, as a time point or an echo, that other stacks of its series differ in;
            "" for the only one.
    """

    frames: tuple[Frame, ...]
    time: str = ""

    @property
    def is_volume(self) -> bool:
        """Whether it is more than a single slice or a scout."""
        return len(self.frames) > 1 and not self.frames[0].localizer

    def __str__(self) -> str:
        first = self.frames[0]
        columns, rows = first.size
        said = (
            f"series {first.number} {first.title}, {len(self.frames)} slices of {columns} x {rows}"
        )
        scout = ", localizer" if first.localizer else ""
        return f"{said}{', ' + self.time if self.time else ''}{scout}, UID {first.series}"


@dataclass(frozen=True)
class DicomStack:
    """A stack that was read.

    Attributes:
        image: 3-D float32, axes at right angles, columns first.
        notes: what was corrected or left out.
        frames: its slices in the order of the image's third axis.
    """

    image: sitk.Image
    notes: list[str] = field(default_factory=list)
    frames: tuple[Frame, ...] = ()


def dicom_files(folder: Path) -> list[Path]:
    """Return the DICOM files in a folder, or, if it has none itself, anywhere below it."""
    for found in (folder.iterdir(), folder.rglob("*")):
        files = sorted(file for file in found if file.is_file() and may_be_dicom(file))
        if files:
            return files
    return []


def read_folder(folder: Path, series: str = "") -> DicomStack:
    """Read the one stack of a folder, or the one that is named.

    Args:
        folder: with DICOM files, of whatever names.
        series: number in the list that an error gives, or series UID.

    Raises:
        ValueError: no stack, several (all are listed), or one that makes no volume.
    """
    files = dicom_files(folder)
    if not files:
        raise ValueError(
            f"{folder} must hold the slices of a DICOM series: no DICOM file is in it."
        )
    return read_one(find_stacks(files), folder, series)


def read_one(stacks: list[Stack], where: Path, series: str = "") -> DicomStack:
    """Read the one stack of several that makes a volume, or the one that is named."""
    chosen, left = _choose(where, stacks, series)
    found = read_stack(chosen, where)
    if left:
        found.notes.append(f"{where}: left out {'; '.join(map(str, left))}")
    return found


def _choose(folder: Path, stacks: list[Stack], series: str) -> tuple[Stack, list[Stack]]:
    """Return the stack to read, and those that are not read, which get a note."""
    listed = "\n".join(f"  {k}: {stack}" for k, stack in enumerate(stacks, start=1))
    if series:
        by_uid = [stack for stack in stacks if stack.frames[0].series == series]
        if series.isdecimal() and 1 <= int(series) <= len(stacks):
            return stacks[int(series) - 1], []
        if len(by_uid) == 1:
            return by_uid[0], []
        raise ValueError(f"{folder} has no one series {series!r}; there are:\n{listed}")
    volumes = [stack for stack in stacks if stack.is_volume]
    if len(volumes) == 1:
        return volumes[0], [stack for stack in stacks if stack is not volumes[0]]
    if not volumes and len(stacks) == 1 and len(stacks[0].frames) > 1:
        return stacks[0], []
    raise ValueError(
        f"{folder} must hold the slices of one DICOM series, got {len(volumes)}:\n{listed}\n"
        f"Choose by number or UID: --series 1 (register: --fixed-series, --moving-series), or name "
        f"it behind the folder: {folder}#1"
    )


def find_stacks(files: Iterable[Path]) -> list[Stack]:
    """Return the stacks that some files hold, by the numbers of their series.

    Raises:
        ValueError: a file cannot be read, has no position, or two slices cannot be told apart.
    """
    frames = [frame for file in files for frame in read_frames(file)]
    series: dict[tuple, list[Frame]] = {}
    for frame in frames:
        series.setdefault((frame.number, frame.series, frame.localizer), []).append(frame)
    return [
        stack
        for key in sorted(series, key=lambda k: (k[0], k[1], k[2]))
        for part in _by_plane(series[key])
        for stack in _by_time(part)
    ]


def _by_plane(frames: list[Frame]) -> list[list[Frame]]:
    """Group frames by orientation, voxel size and size."""
    parts: list[list[Frame]] = []
    for frame in frames:
        for part in parts:
            same = np.abs(part[0].axes - frame.axes).max() < TURNED
            same &= np.allclose(part[0].spacing_mm, frame.spacing_mm, rtol=1e-4)
            if same and part[0].size == frame.size:
                part.append(frame)
                break
        else:
            parts.append([frame])
    return parts


def _by_time(frames: list[Frame]) -> list[Stack]:
    """Group frames into stacks; several at one position are time points, echoes or the like."""
    if _one_a_place(frames):
        return [Stack(_ordered(frames))]
    for tag in TIMES:
        groups: dict[str, list[Frame]] = {}
        for frame in frames:
            groups.setdefault(frame.times.get(tag, ""), []).append(frame)
        if len(groups) > 1 and all(_one_a_place(group) for group in groups.values()):
            keys = sorted(groups, key=lambda key: (_number(key), key))
            return [Stack(_ordered(groups[key]), f"{tag} {key}") for key in keys]
    raise ValueError(
        f"{frames[0].file.parent}: series {frames[0].number} {frames[0].title} has several slices "
        "at one place that nothing tells apart (time, echo, b-value); is it copied twice? Put the "
        "slices of one volume into a folder of its own."
    )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return np.inf


def _one_a_place(frames: list[Frame]) -> bool:
    heights = np.sort([frame.position @ frames[0].normal for frame in frames])
    return bool(np.all(np.diff(heights) > SAME_PLACE_MM))


def _ordered(frames: list[Frame]) -> tuple[Frame, ...]:
    return tuple(sorted(frames, key=lambda frame: float(frame.position @ frames[0].normal)))


def read_stack(stack: Stack, where: Path) -> DicomStack:
    """Read the pixels of a stack and put them in space.

    A gantry tilt (each slice shifted within its plane against the one below) is undone by linear
    interpolation onto an orthogonal grid.

    Raises:
        ValueError: fewer than two slices, uneven distances, or pixels that cannot be decoded.
    """
    frames = stack.frames
    if len(frames) < 2:
        raise ValueError(
            f"{where} must hold two slices or more of a DICOM series, got one: {stack}."
        )
    normal = frames[0].normal
    steps = np.diff([frame.position for frame in frames], axis=0)
    gaps = steps @ normal
    if np.abs(gaps - gaps.mean()).max() > UNEVEN * gaps.mean():
        raise ValueError(
            f"the slices in {where} must lie evenly on each other, got distances from "
            f"{gaps.min():.2f} to {gaps.max():.2f} mm; is a slice missing?"
        )
    drift = steps - np.outer(gaps, normal)
    stray = np.linalg.norm(drift - drift.mean(axis=0), axis=1)
    if stray.max() > UNEVEN * gaps.mean():
        raise ValueError(
            f"the slices in {where} must lie on each other along a line, but one is shifted within "
            f"its plane by {stray.max():.2f} mm against the others."
        )
    image = sitk.GetImageFromArray(values_of(frames))
    image.SetSpacing((*frames[0].spacing_mm, float(gaps.mean())))
    image.SetDirection(np.column_stack([frames[0].axes, normal]).ravel().tolist())
    image.SetOrigin(frames[0].position.tolist())
    notes = _notes(stack, float(gaps.mean()), where)
    if np.linalg.norm(drift.sum(axis=0)) > DRIFT_MM:
        image, said = _straightened(image, drift.mean(axis=0), float(gaps.mean()), where)
        notes.append(said)
    return DicomStack(image, notes, frames)


def _notes(stack: Stack, gap: float, where: Path) -> list[str]:
    claimed = stack.frames[0].thickness_mm
    if claimed is None or abs(claimed - gap) <= 0.01:
        return []
    return [f"{where}: SliceThickness says {claimed:g} mm, positions {gap:.3g} mm: positions count"]


def _straightened(image: sitk.Image, drift: np.ndarray, gap: float, where: Path):
    """Return a stack with a gantry tilt resampled onto an orthogonal grid, and a note."""
    degrees = float(np.degrees(np.arctan2(np.linalg.norm(drift), gap)))
    normal = np.array(image.GetDirection()).reshape(3, 3)[:, 2]
    # The image stores slices without their in-plane shift, which grows with the height: a point is
    # read at its position minus that shift.
    shear = sitk.AffineTransform(3)
    shear.SetCenter(image.GetOrigin())
    shear.SetMatrix((np.eye(3) - np.outer(drift, normal) / gap).ravel().tolist())
    lowest = float(sitk.GetArrayViewFromImage(image).min())
    grid = _wider(image, drift * (image.GetSize()[2] - 1))
    upright = sitk.Resample(image, grid, shear, sitk.sitkLinear, lowest)
    return upright, (
        f"{where}: gantry tilt of {degrees:.1f} degrees, undone by shifting slices within their "
        "planes (interpolated)"
    )


def _wider(image: sitk.Image, shift: np.ndarray) -> sitk.Image:
    """Return an image's grid, enlarged to hold its slices after an in-plane shift, mm."""
    axes = np.array(image.GetDirection()).reshape(3, 3)[:, :2]
    pixels = (shift @ axes) / np.array(image.GetSpacing()[:2])
    lower, upper = np.floor(np.minimum(pixels, 0)), np.ceil(np.maximum(pixels, 0))
    columns, rows, slices = image.GetSize()
    size = np.array([columns, rows]) + (upper - lower).astype(int)
    grid = sitk.Image([int(size[0]), int(size[1]), slices], sitk.sitkUInt8)
    grid.SetSpacing(image.GetSpacing())
    grid.SetDirection(image.GetDirection())
    grid.SetOrigin(image.TransformContinuousIndexToPhysicalPoint([*lower.tolist(), 0.0]))
    return grid
