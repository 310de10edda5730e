"""The base class of data sets, and reading that they share."""

import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mmzoo.io import images
from mmzoo.io.paths import select

NIFTI = r"\.nii(?:\.gz)?"
NIFTI_NAME = re.compile(rf"{NIFTI}$")


@dataclass(frozen=True)
class Scan:
    """One image as it was downloaded.

    Attributes:
        case: its name in what is written, with its modality first; no double underscore.
        person: whose it is; splits are by person.
        modality: one of the data set's.
        images: its file, or its slices in their order.
        labels: its label file or files; empty if it has none.
        pair: key that it shares with its partner, if a person has several pairs; empty: the person.
    """

    case: str
    person: str
    modality: str
    images: tuple[Path, ...]
    labels: tuple[Path, ...] = ()
    pair: str = ""

    def select(self, geometry: str) -> "Scan":
        """Return the scan with NIfTI files that say which form of their headers is to count."""

        def chosen(paths: tuple[Path, ...]) -> tuple[Path, ...]:
            return tuple(
                select(path, geometry) or path if NIFTI_NAME.search(path.name) else path
                for path in paths
            )

        return replace(self, images=chosen(self.images), labels=chosen(self.labels))


@dataclass
class Volume:
    """A scan that was read.

    Attributes:
        image: float32.
        labels: int32 on the same grid, or None.
        notes: what was corrected, in words.
    """

    image: sitk.Image
    labels: sitk.Image | None = None
    notes: list[str] = field(default_factory=list)

    def label_map(self) -> sitk.Image:
        """Return the labels of a scan that must have them.

        Raises:
            ValueError: if it has none.
        """
        if self.labels is None:
            raise ValueError("a scan without labels cannot be checked by them.")
        return self.labels


@dataclass(frozen=True)
class Recipe:
    """Settings of a preparation: first the grid, then intensities.

    Attributes:
        size: voxels along each axis.
        spacing: voxel size in mm; None: the box, whatever its edges, is filled by ``size`` voxels.
        crop: the box: "labels" (round them), "body" (round the foreground), "nonzero" (round what
            is not exactly 0, as brains without a skull) or "none" (all of the field of view), or
            edges in mm round the middle of the labels, or of all where there are none. With
            ``spacing``, only its middle counts.
        margin_mm: what is added to a box round labels or body, within the field of view.
        around: structures that the box goes round; empty: those that are written.
        percentiles: the two that intensities are clipped to, or None.
        windows: by modality, a window instead of percentiles, as for Hounsfield units.
        normalise: "zscore", "brain" (z-score of what is not exactly 0) or "none".
    """

    size: tuple[int, int, int] = (64, 64, 64)
    spacing: tuple[float, float, float] | None = None
    crop: str | tuple[float, float, float] = "labels"
    margin_mm: float = 10.0
    around: tuple[str, ...] = ()
    percentiles: tuple[float, float] | None = (1, 99)
    windows: dict[str, tuple[float, float]] = field(default_factory=dict)
    normalise: str = "zscore"


class DataSet:
    """A data set; a file of this folder derives from it and says what differs.

    Attributes:
        title: its name as published.
        page: where to download it, and its licence.
        layout: what its folder looks like, for the message when no scan is found.
        structures: by name, the values of its labels, after ``read``.
        wanted: structures that are written unless others are asked for; empty: all.
        ignored: further label values, which count as background.
        modalities: what it holds.
        moving: modality that is registered unless another is asked for.
        fixed: modality that it is registered to.
        same_people: whether two modalities are of the same people, and paired by person.
        people: by modality, the number of people in the official download, or their names; "all":
            of all modalities together.
        may_lack: whether people may lack a structure; they are left out with a note.
        recipe: the default steps.
        split: number of folds, or people to train, validate and test, as printed.
        deform_mm: default size of a known deformation of the moving image, where the images of a
            person are aligned already.
        remarks: known problems that cannot be corrected.
    """

    title = ""
    page = ""
    layout = ""
    structures: dict[str, tuple[int, ...]] = {}
    wanted: tuple[str, ...] = ()
    ignored: frozenset[int] = frozenset()
    modalities: tuple[str, ...] = ()
    moving = ""
    fixed = ""
    same_people = False
    people: dict[str, int | tuple[str, ...]] = {}
    may_lack = False
    recipe = Recipe()
    split: int | tuple[int, int, int] = 4
    deform_mm = 0.0
    remarks: tuple[str, ...] = ()

    def find(self, root: Path) -> list[Scan]:
        """Return the scans below a folder, in the order of their people."""
        raise NotImplementedError

    def expect(self, found: list[Scan]) -> dict[str, int | tuple[str, ...]]:
        """Return ``people`` for the part of the download that was found."""
        return self.people

    def recognise(self, root: Path) -> bool:
        """Whether a folder looks like this data set."""
        return bool(self.find(root))

    def test_fold(self, scan: Scan) -> int | None:
        """Return in which fold a scan is tested, where the data set says so."""
        return None

    def pairing(self, moving: str, fixed: str) -> str:
        """Return which pairs there are: "all", "same" (person) or "others" (all but the same)."""
        if moving == fixed:
            return "others"
        return "same" if self.same_people else "all"

    def table(self, scan: Scan) -> dict[str, tuple[int, ...]]:
        """Return the values of a scan's structures."""
        return self.structures

    def read(self, scan: Scan, seed: int = 0) -> Volume:
        """Read a scan and correct its known errors.

        Args:
            scan: which one.
            seed: of the data set, where something is drawn.
        """
        return read_files(scan)

    def check(self, scan: Scan, volume: Volume) -> dict[str, float]:
        """Return figures that show whether image and labels belong together; raise if not."""
        return {}

    def acquire(self, scan: Scan, image: np.ndarray, grid: sitk.Image, seed: int) -> np.ndarray:
        """Simulate the scanner for an image made from labels; real scans are returned as they are.

        Args:
            scan: which one.
            image: (dim1, dim2, dim3).
            grid: where its voxels are.
            seed: of the data set.
        """
        return image

    def finish(self, image: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Process the final image; most data sets return it unchanged.

        Args:
            image: (dim1, dim2, dim3).
            labels: its label map on the same grid, int32.
        """
        return image


def there(path: Path | None) -> tuple[Path, ...]:
    """Return the file as a `Scan` has it, nothing for None."""
    return (path,) if path else ()


def read_files(scan: Scan) -> Volume:
    """Read an image and, where it has one, its label map, which must be on the same grid.

    Raises:
        ValueError: if one cannot be read, or they do not belong together.
    """
    return read_volume(scan.images[0], scan.labels[0] if scan.labels else None)


def read_volume(image_file: Path, label_file: Path | None = None) -> Volume:
    """Read an image by its name, and its label map; see ``read_files``."""
    image = images.read_image(image_file)
    if label_file is None:
        return Volume(image.image, notes=image.notes)
    labels = images.read_labels(label_file, on=image)
    return Volume(image.image, labels.image, [*image.notes, *labels.notes])


def walk(root: Path, pattern: str) -> list[tuple[re.Match, Path]]:
    """Return the files below a folder whose path matches, however deep, without regard to case.

    If a file is there twice, as `.nii` and as `.nii.gz` or in a folder of the same name, the first
    in the order of paths is taken.

    Args:
        root: folder.
        pattern: regular expression for the end of the path, its parts separated by `/`. Files whose
            groups match the same text are the same file.

    Returns:
        Matches and paths, in the order of paths.
    """
    found: dict[tuple, tuple[re.Match, Path]] = {}
    expression = re.compile(rf"(?:^|/){pattern}$", re.IGNORECASE)
    for path in _all_files(root):
        if hit := expression.search(path.as_posix()):
            found.setdefault(tuple(str(group).lower() for group in hit.groups()), (hit, path))
    return list(found.values())


def _all_files(root: Path) -> list[Path]:
    folders = os.walk(root, followlinks=True)
    files = [Path(folder, name) for folder, _, names in folders for name in names]
    # `._` files are what macOS leaves in archives.
    return sorted(file for file in files if not file.name.startswith("."))


def relabel(labels: sitk.Image, ranges: dict[int, tuple[int, int]]) -> sitk.Image:
    """Return label values for ranges of grey values: {1: (55, 70)} makes 1 of 55 < grey <= 70."""
    values = sitk.GetArrayViewFromImage(labels)
    result = np.zeros(values.shape, np.int32)
    for value, (above, at_most) in ranges.items():
        result[(values > above) & (values <= at_most)] = value
    new = sitk.GetImageFromArray(result)
    new.CopyInformation(labels)
    return new
