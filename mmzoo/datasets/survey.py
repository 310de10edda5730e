"""Summary of image files: size, orientation, intensities, labels, and how two images overlap."""

from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mmzoo.datasets import sets
from mmzoo.datasets.overview import draw_middles
from mmzoo.datasets.sets.base import DataSet
from mmzoo.errors import in_words
from mmzoo.io import dicom, images
from mmzoo.io.paths import find_images
from mmzoo.spatial import geometry
from mmzoo.spatial.frames import ras_affine

MOST_LABELS = 300  # more values than these are an image, not a label map
ALIKE = 0.5  # share of neighbours of the same value, from which it is a label map
MAX_PICTURES = 6


@dataclass
class Look:
    """Summary of a file.

    Attributes:
        path: the file, or the folder of DICOM slices.
        size: voxels along each axis, in RAS order.
        spacing_mm: voxel sizes.
        stored: orientation code of the file's axes, as "LPS".
        field_mm: lower and upper corner of the field of view, RAS.
        range: smallest value, percentiles 1, 50 and 99, largest value.
        label_ml: volume of each value of a label map in millilitres; empty for an image.
        remarks: what is unusual.
        error: why it cannot be read, or "".
    """

    path: str
    size: tuple[int, ...] = ()
    spacing_mm: tuple[float, ...] = ()
    stored: str = ""
    field_mm: tuple[tuple[float, ...], ...] = ()
    range: tuple[float, ...] = ()
    label_ml: dict[int, float] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    error: str = ""


def find_volumes(paths: list[Path]) -> list[Path]:
    """Return the files named, and the volumes below the folders named, DICOM folders as one each.

    Raises:
        ValueError: for a name that is not there.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += [each for below in find_images(path) for each in _stacks(below)]
        elif path.exists() or "#" in path.name:
            found.append(path)
        else:
            raise ValueError(f"{path} is not there; check the name and the folder.")
    return found


def _stacks(path: Path) -> list[Path]:
    """Return a folder of DICOM once for each volume in it, as the reader names them."""
    if not path.is_dir():
        return [path]
    try:
        stacks = dicom.find_stacks(dicom.dicom_files(path))
    except ValueError:
        return [path]  # `look` reports why
    volumes = [k for k, stack in enumerate(stacks, start=1) if stack.is_volume]
    return [path.with_name(f"{path.name}#{k}") for k in volumes] if len(volumes) > 1 else [path]


def look(path: Path) -> tuple[Look, sitk.Image | None]:
    """Return the summary of a file, and the volume; a file that cannot be read raises no error."""
    seen = Look(str(path))
    try:
        volume = _read(path, seen)
    # Whatever a library raises, the other files are read.
    except Exception as error:
        seen.error = in_words(error)
        return seen, None
    values = sitk.GetArrayViewFromImage(volume)
    seen.size = volume.GetSize()
    seen.spacing_mm = tuple(round(step, 3) for step in volume.GetSpacing())
    box = geometry.field_of_view(volume)
    seen.field_mm = tuple(tuple(round(float(v), 1) for v in end) for end in box)
    seen.range = tuple(round(float(v), 3) for v in np.percentile(values, (0, 1, 50, 99, 100)))
    seen.label_ml = label_volumes(values, volume.GetSpacing())
    if not np.isfinite(values).all():
        seen.remarks.append("holds NaN or infinity")
    elif values.min() == values.max():
        seen.remarks.append("is the same everywhere")
    return seen, volume


def _read(path: Path, seen: Look) -> sitk.Image:
    loaded = images.read(path)
    seen.remarks += loaded.notes
    seen.stored = loaded.axes
    if np.array_equal(ras_affine(loaded.image), np.eye(4)):
        seen.remarks.append("affine is the identity: spacing and orientation may be lost")
    return loaded.image


def label_volumes(values: np.ndarray, spacing_mm) -> dict[int, float]:
    """Return the millilitres of every value of a label map; nothing for an image.

    A label map has few different values, whole and not negative, most equal to their neighbours'.
    """
    sample = values.ravel()[:: max(1, values.size // 100_000)]
    if np.any(sample != np.round(sample)) or sample.min() < 0:
        return {}
    found, counts = np.unique(values, return_counts=True)
    if np.any(found != np.round(found)) or found[0] < 0 or len(found) > MOST_LABELS:
        return {}
    if not _neighbours_alike(values):
        return {}
    voxel_ml = float(np.prod(spacing_mm)) / 1000
    return {
        int(value): round(float(count) * voxel_ml, 2)
        for value, count in zip(found, counts, strict=True)
        if value
    }


def _neighbours_alike(values: np.ndarray) -> bool:
    """Whether most voxels that are not background have the value of the next one."""
    left, right = values[..., :-1], values[..., 1:]
    inside = left != 0
    return bool(inside.any()) and float((left == right)[inside].mean()) > ALIKE


def overlap(first: sitk.Image, second: sitk.Image) -> str:
    """Return in words how the fields of view of two volumes overlap."""
    try:
        lower, upper = geometry.common_box(second, first)
    except ValueError as error:
        return str(error)
    share = float(np.prod((upper - lower) / np.array(second.GetSize())))
    same = first.GetSize() == second.GetSize() and np.allclose(
        ras_affine(first), ras_affine(second), atol=1e-3
    )
    grid = "on the same grid" if same else "on different grids"
    return f"{share:.0%} of the second's field of view lies in the first's; {grid}."


def recognise(folder: Path) -> list[tuple[str, DataSet]]:
    """Return the data sets that a folder holds, by name."""
    found = [(name, sets.data_set(name)) for name in sets.names()]
    held = [(name, data) for name, data in found if _holds(data, folder)]
    # Data sets made of others are listed only where all parts are present.
    return [(name, data) for name, data in held if _whole(data, folder, held)]


def _holds(data: DataSet, folder: Path) -> bool:
    try:
        return data.recognise(folder)
    except ValueError:
        return True  # its files, one of which cannot be read


def _whole(data: DataSet, folder: Path, held: list) -> bool:
    if "and" not in data.title:
        return True
    return len({scan.modality for scan in data.find(folder)} & {data.moving, data.fixed}) == 2


def plan(name: str, data: DataSet, folder: Path) -> list[str]:
    """Return in words what preparing a folder would do."""
    scans = data.find(folder)
    counts = {m: sum(scan.modality == m for scan in scans) for m in data.modalities}
    found = ", ".join(f"{count} {modality}" for modality, count in counts.items() if count)
    expected = {key: n if isinstance(n, int) else len(n) for key, n in data.expect(scans).items()}
    official = ", ".join(f"{count} {key}" for key, count in expected.items()) or "any number"
    recipe = data.recipe
    grid = "x".join(map(str, recipe.size)) + " voxels"
    if recipe.spacing:
        grid += " of " + "x".join(f"{step:g}" for step in recipe.spacing) + " mm"
    crop = recipe.crop if isinstance(recipe.crop, str) else f"{recipe.crop} mm"
    pairs = {"all": "every moving with every fixed", "same": "both images of a person"}
    pairing = pairs.get(data.pairing(data.moving, data.fixed), "everyone with the others")
    split = f"{data.split} folds" if isinstance(data.split, int) else f"split {data.split}"
    return [
        f"{data.title}: {found}; the official download has {official}.",
        f"Would be prepared as {data.moving} to {data.fixed}, {pairing}, {split} by person; box: "
        f"{crop}, {grid}; intensities: {_intensities(recipe)}; labels: "
        f"{', '.join(data.wanted or data.structures) or 'none'}.",
        *data.remarks,
        f"mmzoo prepare {name} --source {folder} --out data/{name}",
    ]


def _intensities(recipe) -> str:
    parts = [f"{modality} {low:g} to {high:g}" for modality, (low, high) in recipe.windows.items()]
    if recipe.percentiles:
        parts.append("percentiles {:g} and {:g}".format(*recipe.percentiles))
    return ", ".join([*parts, recipe.normalise])


def as_dict(seen: Look) -> dict:
    """Return a look as plain data, for JSON."""
    return asdict(seen)


def draw(path: Path, looks: list[tuple[Look, sitk.Image | None]]) -> Path | None:
    """Draw middle slices of the first volumes that can be read; None if there is none."""
    drawn = [(seen, volume) for seen, volume in looks if volume is not None][:MAX_PICTURES]
    if not drawn:
        return None
    volumes = []
    for seen, volume in drawn:
        values = sitk.GetArrayFromImage(volume).T
        if not seen.label_ml:
            values = np.clip(values, seen.range[1], seen.range[3])
        volumes.append((Path(seen.path).name, values, ras_affine(volume), None))
    return draw_middles(path, volumes)
