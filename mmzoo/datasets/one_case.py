"""Preparation of one scan, or of two of one person: read, check, resample, write."""

import json
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mmzoo.datasets import layout, steps
from mmzoo.datasets.deformed import deform, draw_deformation
from mmzoo.datasets.sets.base import DataSet, Recipe, Scan, Volume
from mmzoo.io.atomic import write_text
from mmzoo.spatial import geometry
from mmzoo.spatial.frames import ras_affine


def is_done(out: Path, scan: Scan) -> bool:
    """Whether a scan was written, or left out with a reason."""
    image = out / "images" / f"{scan.case}.nii.gz"
    return image.exists() or bool(read_info(out, scan.case).get("left_out"))


def read_info(out: Path, case: str) -> dict:
    """Return the notes and figures of a prepared case; empty where it is not prepared."""
    path = out / "cases" / f"{case}.json"
    return json.loads(path.read_text()) if path.exists() else {}


def _write_info(out: Path, case: str, info: dict) -> None:
    path = out / "cases" / f"{case}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(info, indent=2) + "\n")


def remove_case(out: Path, case: str) -> None:
    """Remove the files of a case, its image last."""
    for name in ("cases/{}.json", "labels/{}.nii.gz", "images/{}.nii.gz"):
        (out / name.format(case)).unlink(missing_ok=True)


def prepare_group(data: DataSet, group: tuple[Scan, ...], out: Path, choices) -> tuple[str, str]:
    """Prepare a scan, or two of one person on one grid; on an error nothing is written.

    Returns:
        The name of the last case, and its error message, or "".
    """
    # Processes run in parallel; each with all threads would be slower.
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    try:
        _prepare(data, group, out, choices)
    except (ValueError, OSError) as error:
        return group[-1].case, str(error)
    return group[-1].case, ""


def _prepare(data: DataSet, group: tuple[Scan, ...], out: Path, choices) -> None:
    volumes = [data.read(scan, choices.seed) for scan in group]
    infos: list[dict] = []
    lacking: dict[str, list[str]] = {}
    for scan, volume in zip(group, volumes, strict=True):
        info, absent = _look(data, scan, volume, choices.structures)
        infos.append(info)
        lacking |= {scan.case: absent} if absent else {}
    if lacking:
        _leave_out(group, infos, lacking, out)
        return
    grid = grid_of(data, group, volumes, choices)
    for scan, volume, info in zip(group, volumes, infos, strict=True):
        image, labels = put_on_grid(data, scan, volume, grid, choices)
        if choices.deform_mm and len(group) == 2 and scan is group[0]:
            spacing, number = grid.GetSpacing(), zlib.crc32(scan.person.encode())
            motion = draw_deformation(choices.seed, number, choices.deform_mm, image.shape, spacing)
            image, labels, field = deform(motion, image, labels, spacing)
            layout.save_field(out, scan.case, group[1].case, field, ras_affine(grid))
            info["notes"].append(f"deformed by up to {choices.deform_mm:g} mm, the field is known")
        image = intensities(image, choices.recipe, scan.modality)
        _write_info(out, scan.case, info)
        layout.save_case(out, scan.case, image, labels, ras_affine(grid))


def _look(data: DataSet, scan: Scan, volume: Volume, structures) -> tuple[dict, list[str]]:
    """Check a volume; return the notes on it, and the structures that it lacks.

    Raises:
        ValueError: for label values outside the table, structures that are empty but must not be,
            and from the data set's own checks.
    """
    table = data.table(scan)
    info = {
        "person": scan.person,
        "modality": scan.modality,
        "source": str(scan.images[0].resolve()),
        "notes": volume.notes,
        "checks": {},
        "label_ml": {},
    }
    if volume.labels is None:
        return info, []
    counts = label_counts(volume.labels)
    known = {value for values in table.values() for value in values} | data.ignored | {0}
    if unknown := sorted(set(counts) - known):
        raise ValueError(
            f"{scan.labels[0]} has label value(s) {unknown}, which {data.title} does not; its "
            f"table is {table}. Is it the label map of another data set, or of another version?"
        )
    voxel_ml = float(np.prod(volume.labels.GetSpacing())) / 1000
    volumes = {
        name: round(voxel_ml * sum(counts.get(value, 0) for value in table[name]), 3)
        for name in structures
        if name in table
    }
    info |= {"label_ml": volumes, "checks": data.check(scan, volume)}
    absent = [name for name in structures if not volumes.get(name)]
    if absent and not data.may_lack:
        where = scan.labels[0] if len(scan.labels) == 1 else scan.labels[0].parent
        raise ValueError(
            f"{where} has no voxel of {', '.join(absent)}; choose what every case of "
            f"{scan.modality} has with --structures, among {', '.join(table)}."
        )
    return info, absent


def label_counts(labels: sitk.Image) -> dict[int, int]:
    """Return how many voxels each value has."""
    values, counts = np.unique(sitk.GetArrayViewFromImage(labels), return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def _leave_out(group, infos, lacking: dict[str, list[str]], out: Path) -> None:
    reason = "; ".join(f"{case} lacks {', '.join(names)}" for case, names in lacking.items())
    for scan, info in zip(group, infos, strict=True):
        _write_info(out, scan.case, info | {"left_out": reason})


def grid_of(data: DataSet, group, volumes: list[Volume], choices) -> sitk.Image:
    """Return the grid of a scan, or of a pair, over the common field of view."""
    recipe, scan, fixed = choices.recipe, group[-1], volumes[-1]
    box = steps.whole_box(fixed.image)
    try:
        if len(volumes) == 2:
            box = geometry.common_box(fixed.image, volumes[0].image)
        box = _crop(box, fixed, recipe, data.table(scan), choices.structures)
    except ValueError as error:
        raise ValueError(f"{scan.images[0]}: {error}") from error
    if recipe.spacing:
        box = steps.centred_box(fixed.image, box, np.multiply(recipe.size, recipe.spacing))
    return geometry.make_grid(fixed.image, *box, recipe.size)


def _crop(box, volume: Volume, recipe: Recipe, table: dict, structures) -> steps.Box:
    if recipe.crop == "none":
        return box
    if recipe.crop == "nonzero":
        inside = sitk.Cast(volume.image != 0, sitk.sitkInt32)
        inner = steps.label_box(inside, {1}, recipe.margin_mm)
    elif recipe.crop == "body":
        inner = geometry.foreground_box(volume.image, recipe.margin_mm)
    elif volume.labels is not None:
        names = [name for name in recipe.around or structures if name in table]
        values = {value for name in names for value in table[name]}
        margin = recipe.margin_mm if recipe.crop == "labels" else 0.0
        inner = steps.label_box(volume.labels, values, margin)
    else:
        inner = box
    if not isinstance(recipe.crop, str):
        return steps.centred_box(volume.image, inner, recipe.crop)
    lower, upper = np.maximum(box[0], inner[0]), np.minimum(box[1], inner[1])
    if np.any(upper - lower < 1):
        raise ValueError("what it is cropped round lies outside the field of view of the other.")
    return lower, upper


def put_on_grid(data: DataSet, scan: Scan, volume: Volume, grid: sitk.Image, choices):
    """Return image (dim1, dim2, dim3) float32 and labels (..., num_labels) uint8 or None on a grid.

    Raises:
        ValueError: if a structure that the scan has is in no voxel of the grid.
    """
    image = geometry.to_array(steps.onto(volume.image, grid))
    image = data.acquire(scan, image, grid, choices.seed)
    if volume.labels is None:
        return image, None
    nearest = geometry.to_array(steps.onto(volume.labels, grid, labels=True))
    image = data.finish(image, nearest)
    table = data.table(scan)
    channels = [np.isin(nearest, table[name]) for name in choices.structures]
    lost = [name for name, mask in zip(choices.structures, channels, strict=True) if not mask.any()]
    if lost:
        raise ValueError(
            f"{scan.labels[0]}: {', '.join(lost)} is in no voxel of the grid; take a larger field "
            "of view (--crop, --margin) or more voxels (--size)."
        )
    return image, np.stack(channels, axis=-1).astype(np.uint8)


def intensities(image: np.ndarray, recipe: Recipe, modality: str) -> np.ndarray:
    """Return an image with intensities clipped and normalised by a recipe."""
    brain = image != 0 if recipe.normalise == "brain" else None
    if modality in recipe.windows:
        image = steps.clip(image, *recipe.windows[modality])
    elif recipe.percentiles:
        within = image if brain is None else image[brain]
        low, high = np.percentile(within, recipe.percentiles)
        if not high > low:
            raise ValueError(
                f"the {modality} image shows next to nothing in this field of view: all of it is "
                f"{low:g}."
            )
        image = steps.clip(image, low, high) if brain is None else _clip_brain(image, low, high)
    if recipe.normalise == "none":
        return image
    return steps.zscore(image, brain)


def _clip_brain(image: np.ndarray, low: float, high: float) -> np.ndarray:
    """Clip intensities within the brain; the background, exactly 0, stays."""
    return np.where(image == 0, 0, steps.clip(image, low, high)).astype(np.float32)


def with_size(recipe: Recipe, size, spacing, crop, margin_mm) -> Recipe:
    """Return a recipe with the user's choices; None keeps the recipe's value.

    If the recipe has a spacing and only a size is chosen, the field of view stays.
    """
    if size and recipe.spacing and not spacing:
        spacing = tuple(np.array(recipe.size) * recipe.spacing / np.array(size))
    chosen = {"size": size, "spacing": spacing, "crop": crop, "margin_mm": margin_mm}
    return replace(recipe, **{key: value for key, value in chosen.items() if value is not None})
