"""Preparation of real image pairs of any size, spacing and orientation in DeepReg's layout.

The two images of a pair are resampled onto one grid along the fixed image's axes, over their common
field of view. Case ``moving_003`` is paired with ``fixed_003`` only.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from nibabel.affines import voxel_sizes

from mmzoo.checks import check_choice, check_positive
from mmzoo.datasets import layout, steps
from mmzoo.datasets.deformed import deform, draw_deformation
from mmzoo.datasets.folds import Fold, make_folds, without_split
from mmzoo.datasets.label_table import label_names, label_values
from mmzoo.io.images import Loaded, read_image, read_labels
from mmzoo.spatial import geometry
from mmzoo.spatial.frames import ras_affine
from mmzoo.spatial.grid import check_size, round_up

Place = Callable[[dict, dict, list[int]], tuple[tuple[int, ...], dict]]


@dataclass(frozen=True)
class PairOptions:
    """Grid and splits of pairs.

    Attributes:
        size: voxels along each axis, or None to take them from ``spacing``.
        spacing: voxel size in mm, or None to take it from ``size``.
        crop: "none" (the common field of view), "body" (a box round the fixed image's foreground)
            or edges in mm of a box round the middle.
        folds: folds for cross-validation; one trains and tests on the same pairs.
        valid: pairs in each validation split.
        test: pairs that are tested in every fold; 0: each in one fold.
        label_values: values of the label maps, in the order of channels; None takes all.
        label_names: their names; None makes "label 1" of value 1.
        deform: largest displacement in mm of a known deformation of the moving images, whose true
            field is kept; None: no deformation. See ``deformed``.
        seed: of the deformations.
    """

    size: tuple[int, int, int] | None = (64, 64, 64)
    spacing: tuple[float, float, float] | None = None
    crop: str | tuple[float, float, float] = "none"
    folds: int = 4
    valid: int = 0
    test: int = 0
    label_values: list[int] | None = None
    label_names: list[str] | None = None
    deform: float | None = None
    seed: int = 0


def prepare_pairs(
    moving: list[Path],
    fixed: list[Path],
    out: Path,
    options: PairOptions,
    *,
    moving_labels: list[Path] | None = None,
    fixed_labels: list[Path] | None = None,
    overwrite: bool = False,
    command: str = "",
    place: Place | None = None,
    on_note: Callable[[str], None] = lambda line: None,
) -> dict:
    """Resample pairs and write the layout; nothing is written before all have been checked.

    Args:
        moving: one file for each pair.
        fixed: the other image of each pair, in the same order.
        out: folder to write.
        options: grid and splits.
        moving_labels: label maps of the moving images, in the same order, or None.
        fixed_labels: label maps of the fixed images, in the same order, or None.
        overwrite: replace what an earlier preparation wrote there.
        command: what the user typed, kept in ``mmzoo.json``.
        place: takes image files and label files by role, and label values; returns the shape of all
            pairs and case -> (image, labels or None, affine, source). None: a grid over the common
            field of view, by ``options``.
        on_note: called with each note on a file's header.

    Returns:
        The contents of ``mmzoo.json``.

    Raises:
        ValueError: for files or options that make no data set; says which and what to change.
    """
    _check_options(options)
    files = {"moving": list(moving), "fixed": list(fixed)}
    label_files = _check_counts(files, moving_labels or [], fixed_labels or [])
    layout.check_new_folder(out, overwrite)
    values = _label_values(label_files, options)
    names = label_names(values, options.label_names)
    if place is None:
        shape, boxes = _plan(files, options)
        cases = _resample_all(files, label_files, boxes, shape, values, on_note)
    else:
        shape, cases = place(files, label_files, values)
    fields = {}
    if options.deform is not None:
        fields = _deform_all(cases, len(moving), options.deform, options.seed)
    folds = _folds(len(moving), options)
    description: dict = {
        "name": "pairs",
        "kind": "real",
        "complete": False,
        "labels": names,
        "moving": "moving",
        "fixed": "fixed",
        "pairing": "matched",
        "cases": {},
        "folds": folds,
        "command": command,
    }
    if options.deform:
        description |= {"field": layout.FIELD, "deform": options.deform, "seed": options.seed}
    layout.clear_data_set(out)
    # Before the cases, so that an interrupted run is recognised.
    layout.write_description(out, description)
    for case, (image, labels, affine, source) in cases.items():
        layout.save_case(out, case, image, labels, affine)
        description["cases"][case] = layout.case_info(out, case) | {"source": source}
    for pair, field in fields.items():
        layout.save_field(out, *pair, *field)
    layout.write_folds(out, folds, shape, labelled=bool(label_files), pairing="same")
    layout.write_description(out, description | {"complete": True})
    return description | {"complete": True}


def _check_options(options: PairOptions) -> None:
    if (options.size is None) == (options.spacing is None):
        raise ValueError("give either `size` or `spacing`: each follows from the other.")
    check_size(options.size or ())
    for length in options.spacing or ():
        check_positive("spacing", length)
    if options.deform is not None:
        check_positive("deform", options.deform)
    check_positive("seed", options.seed, allow_zero=True)
    if isinstance(options.crop, str):
        check_choice("crop", options.crop, ["none", "body"])
    else:
        for length in options.crop:
            check_positive("crop", length)


def _check_counts(files: dict, moving_labels: list, fixed_labels: list) -> dict:
    counts = [len(files["moving"]), len(files["fixed"])]
    if counts[0] != counts[1] or not counts[0]:
        raise ValueError(
            f"`moving` and `fixed` must name as many files, one of each a pair, got {counts[0]} "
            f"and {counts[1]}."
        )
    label_counts = [len(moving_labels), len(fixed_labels)]
    if label_counts == [0, 0]:
        return {}
    if label_counts != counts:
        raise ValueError(
            f"label maps must be given for every image or for none, got {label_counts[0]} moving "
            f"and {label_counts[1]} fixed ones for {counts[0]} pairs."
        )
    return {"moving": moving_labels, "fixed": fixed_labels}


def _plan(files: dict, options: PairOptions):
    """Return the shape that all pairs get and each pair's box, in the fixed image's index."""
    boxes, shapes = [], []
    for moving_file, fixed_file in zip(files["moving"], files["fixed"], strict=True):
        moving, fixed = read_image(moving_file).image, read_image(fixed_file).image
        try:
            lower, upper = geometry.common_box(fixed, moving)
            lower, upper = _crop(fixed, lower, upper, options.crop)
        except ValueError as error:
            raise ValueError(f"{moving_file} and {fixed_file}: {error}") from error
        boxes.append((lower, upper))
        if options.spacing:
            edges = (upper - lower) * fixed.GetSpacing()
            shapes.append(round_up(np.ceil(edges / options.spacing - 1e-6)))
    if options.size:
        return options.size, boxes
    shape = tuple(int(size) for size in np.max(shapes, axis=0))
    edges = np.array(shape) * options.spacing
    return shape, [
        steps.centred_box(read_image(path).image, box, edges)
        for box, path in zip(boxes, files["fixed"], strict=True)
    ]


def _crop(fixed: sitk.Image, lower, upper, crop):
    if crop == "none":
        return lower, upper
    if crop == "body":
        inner, outer = geometry.foreground_box(fixed)
        lower, upper = np.maximum(lower, inner), np.minimum(upper, outer)
        if np.any(upper - lower < 1):
            raise ValueError("the body in the fixed image lies outside the moving image.")
        return lower, upper
    return steps.centred_box(fixed, (lower, upper), crop)


def _label_values(label_files: dict, options: PairOptions) -> list[int]:
    if not label_files:
        return []
    return options.label_values or label_values([*label_files["moving"], *label_files["fixed"]])


def _resample_all(files, label_files, boxes, shape, values, on_note) -> dict:
    """Return case -> (image, labels, affine, source file), all checked."""
    cases = {}
    for k, (lower, upper) in enumerate(boxes):
        read = {role: read_image(files[role][k]) for role in ("moving", "fixed")}
        grid = geometry.make_grid(read["fixed"].image, lower, upper, shape)
        for role, loaded in read.items():
            path = files[role][k]
            notes = list(loaded.notes)
            image = _clip(path, geometry.resample_image(loaded.image, grid))
            labels = None
            if label_files:
                drawn = read_labels(label_files[role][k], on=loaded)
                labels = _resample_labels(drawn, grid, values)
                notes += drawn.notes
            for note in dict.fromkeys(notes):
                on_note(note)
            affine = ras_affine(grid)
            cases[f"{role}_{k:03d}"] = (image, labels, affine, str(Path(path).resolve()))
    return cases


def _deform_all(cases: dict, num_pairs: int, size_mm: float, seed: int) -> dict:
    """Deform the moving cases in place; return (moving, fixed) -> true field and affine."""
    fields = {}
    for k in range(num_pairs):
        moving, fixed = f"moving_{k:03d}", f"fixed_{k:03d}"
        image, labels, affine, source = cases[moving]
        spacing = voxel_sizes(affine)
        motion = draw_deformation(seed, k, size_mm, image.shape, spacing)
        image, labels, ddf = deform(motion, image, labels, spacing)
        cases[moving] = (image, labels, affine, source)
        fields[moving, fixed] = (ddf, affine)
    return fields


def _clip(path: Path, image: np.ndarray) -> np.ndarray:
    low, high = np.percentile(image, (1, 99))
    if not high > low:
        raise ValueError(
            f"{path} shows next to nothing in the field of view both images share; "
            "check that the pair belongs together, or crop to where the body is."
        )
    return np.clip(image, low, high).astype(np.float32)


def _resample_labels(drawn: Loaded, grid: sitk.Image, values: list[int]) -> np.ndarray:
    labels = geometry.resample_labels(drawn.image, grid, values)
    missing = [value for channel, value in enumerate(values) if not labels[..., channel].any()]
    if missing:
        raise ValueError(
            f"{drawn.title} has no voxel of label value(s) {missing} on the grid; name those that "
            "every file has with `label-values`, or take a larger field of view or size."
        )
    return labels


def _folds(num_pairs: int, options: PairOptions) -> list[Fold]:
    moving = [f"moving_{k:03d}" for k in range(num_pairs)]
    fixed = [f"fixed_{k:03d}" for k in range(num_pairs)]
    if num_pairs == 1 or options.folds == 1:
        return without_split(moving, fixed)
    return make_folds(moving, fixed, min(options.folds, num_pairs), options.valid, options.test)
