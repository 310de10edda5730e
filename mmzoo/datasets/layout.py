"""DeepReg's folders: every moving case of a split against every fixed one, as links to one file.

OUT/
  mmzoo.json                      names of the labels, cases with spacing and shape, folds, settings
  images/CASE.nii.gz              float32
  labels/CASE.nii.gz              uint8, binary channels in the order of "labels"
  fields/MOVING__FIXED.nii.gz     float32, the true field where it is known, see ``save_field``
  fields/MOVING__FIXED.json       true motions of what moves rigidly, see ``save_motions``
  foldK/{train,valid,test}/{moving,fixed}_{images,labels}/MOVING__FIXED.nii.gz
  foldK.yaml                      DeepReg's dataset section, directories absolute
"""

import json
import os
import re
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import yaml
from pydantic import BaseModel

from mmzoo.datasets.folds import SPLITS, Fold, split_pairs
from mmzoo.io.atomic import whole_file, write_text
from mmzoo.io.json_files import read_json
from mmzoo.io.nifti import save_nifti

DESCRIPTION = "mmzoo.json"
FIELD = "fields/{moving}__{fixed}.nii.gz"
MOTIONS = "fields/{moving}__{fixed}.json"


class Description(BaseModel):
    """Schema of ``mmzoo.json``; further entries are allowed."""

    name: str = ""
    kind: str = ""
    complete: bool = True
    labels: list[str] = []
    moving: str = "moving"
    fixed: str = "fixed"
    pairing: str = "all"
    digest: str = ""
    settings: dict = {}
    cases: dict[str, dict] = {}
    folds: list[dict[str, dict[str, list[str]]]] = []


def save_case(out: Path, case: str, image: np.ndarray, labels, affine: np.ndarray) -> None:
    """Write one case's image and labels, each an atomic write.

    Args:
        out: root of the layout.
        case: name of the case.
        image: (dim1, dim2, dim3), written as float32.
        labels: (dim1, dim2, dim3, num_labels) binary, written as uint8, or None.
        affine: voxel index to RAS millimetres, (4, 4).
    """
    # Labels first: an image that is there means that the case is finished.
    if labels is not None:
        _save_nifti(out / "labels" / f"{case}.nii.gz", labels.astype(np.uint8), affine)
    _save_nifti(out / "images" / f"{case}.nii.gz", image.astype(np.float32), affine)


def save_field(out: Path, moving: str, fixed: str, ddf: np.ndarray, affine: np.ndarray) -> None:
    """Write the true displacement field of a pair.

    Args:
        out: root of the layout.
        moving: case name.
        fixed: case name.
        ddf: (dim1, dim2, dim3, 3), warped(x) = moving(x + ddf(x)), voxels of the fixed grid, NaN
            where it is not defined; written as float32.
        affine: voxel index to RAS millimetres, (4, 4), of the fixed grid.
    """
    path = out / FIELD.format(moving=moving, fixed=fixed)
    _save_nifti(path, ddf.astype(np.float32), affine)


def save_motions(out: Path, moving: str, fixed: str, motions: dict[str, np.ndarray]) -> None:
    """Write the true motions of a pair's rigid structures, or nothing where it has none.

    Args:
        out: root of the layout.
        moving: case name.
        fixed: case name.
        motions: by label, the rigid motion (4, 4) in RAS millimetres from points of the fixed image
            to the moving one: the true field within that label.
    """
    if motions:
        path = out / MOTIONS.format(moving=moving, fixed=fixed)
        path.parent.mkdir(parents=True, exist_ok=True)
        lists = {name: motion.tolist() for name, motion in motions.items()}
        write_text(path, json.dumps(lists, indent=2) + "\n")


def _save_nifti(path: Path, array: np.ndarray, affine: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as unfinished:
        save_nifti(unfinished, array, affine)


def case_info(out: Path, case: str) -> dict:
    """Return spacing and shape of a case that is on disk, from its header."""
    header = nib.load(out / "images" / f"{case}.nii.gz").header
    spacing = [round(float(step), 6) for step in header.get_zooms()[:3]]
    return {"spacing_mm": spacing, "shape": [int(size) for size in header.get_data_shape()[:3]]}


def write_description(out: Path, description: dict) -> None:
    """Write ``mmzoo.json``, an atomic write."""
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / DESCRIPTION, json.dumps(description, indent=2) + "\n")


def read_description(out: Path) -> dict | None:
    """Return the contents of ``mmzoo.json``, or None where there is none.

    Raises:
        ValueError: if the file is damaged, or has entries of other types.
    """
    path = Path(out) / DESCRIPTION
    if not path.exists():
        return None
    try:
        return read_json(path, Description)
    except ValueError as error:
        raise ValueError(f"{error} Restore it, or remove the folder.") from error


def write_folds(
    out: Path, folds: list[Fold], shape, *, labelled: bool, pairing: str = "all"
) -> list[Path]:
    """Link every pair of every split into DeepReg's folders, one YAML a fold.

    Args:
        out: root of the layout; ``images`` and ``labels`` are there already.
        folds: from ``make_folds``; a split without pairs is left out of the YAML.
        shape: shape of the images, (dim1, dim2, dim3), the same for all.
        labelled: whether the cases have labels.
        pairing: which pairs there are, see ``split_pairs``.

    Returns:
        The YAML files.
    """
    clear_folds(out)
    paths = []
    for k, fold in enumerate(folds):
        pairs = {split: split_pairs(fold[split], pairing) for split in SPLITS}
        paths.append(_write_fold(out, k, pairs, shape, labelled))
    return paths


def check_new_folder(out: Path, overwrite: bool) -> None:
    """Check that a folder may be filled; touches nothing.

    Raises:
        ValueError: if it holds a data set and ``overwrite`` is false, or anything else.
    """
    if not out.exists() or not any(out.iterdir()):
        return
    if read_description(out) is None:
        raise ValueError(
            f"{out} is not empty and holds no {DESCRIPTION}, so it was not made by mmzoo; "
            "nothing in it was touched. Give another folder."
        )
    if not overwrite:
        raise ValueError(
            f"{out} holds a data set already; nothing in it was touched. "
            "Give another folder, or --overwrite to replace it."
        )


def open_folder(
    out: Path, settings: dict, digest: str, overwrite: bool, changes: list[str] | None = None
) -> None:
    """Prepare a folder to be filled: it must be empty, or hold an earlier run of the same settings.

    Args:
        out: root of the layout.
        settings: all that determines the contents.
        digest: short hash of them.
        overwrite: remove what other settings made.
        changes: what has changed beside the settings, in words.

    Raises:
        ValueError: if it holds anything else; says in which settings they differ.
    """
    earlier = read_description(out)
    if earlier and not overwrite and earlier.get("digest") != digest:
        changed = "; ".join([*(changes or []), *_differences(earlier, settings)])
        raise ValueError(
            f"{out} holds data made with other settings or files ({changed}); "
            "nothing in it was touched. Give another folder, or --overwrite to replace it."
        )
    if earlier is None or earlier.get("digest") != digest:
        check_new_folder(out, overwrite)
        clear_data_set(out)


def _differences(earlier: dict, settings: dict) -> list[str]:
    now, before = json.loads(json.dumps(settings)), earlier.get("settings", {})
    return [
        f"{key} {before.get(key)!r} there, {now[key]!r} asked for"
        for key in now
        if before.get(key) != now[key]
    ]


def clear_data_set(out: Path) -> None:
    """Remove images, labels, fields, folds and description of a layout; other files stay."""
    if (out / DESCRIPTION).exists():
        clear_folds(out)
        for kind in ("images", "labels", "fields", "cases"):
            shutil.rmtree(out / kind, ignore_errors=True)
        for name in ("volumes.h5", "report.json", "report.md", "sources.json"):
            (out / name).unlink(missing_ok=True)
        (out / DESCRIPTION).unlink()


def clear_folds(out: Path) -> None:
    """Remove the folders of links and the YAML files; images and labels stay."""
    for path in list(out.iterdir()) if out.exists() else []:
        if re.fullmatch(r"fold\d+((_h5)?\.yaml)?", path.name):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _write_fold(out: Path, k: int, pairs: dict, shape, labelled: bool) -> Path:
    kinds = ("images", "labels") if labelled else ("images",)
    directories: dict[str, str | None] = dict.fromkeys(SPLITS)
    for split in SPLITS:
        for moving, fixed in pairs[split]:
            pair_folder = out / f"fold{k}" / split
            directories[split] = str(pair_folder.resolve())
            for kind in kinds:
                for role, case in (("moving", moving), ("fixed", fixed)):
                    link = pair_folder / f"{role}_{kind}" / f"{moving}__{fixed}.nii.gz"
                    _link(link, out / kind / f"{case}.nii.gz")
    path = out / f"fold{k}.yaml"
    section = _dataset_section(directories, shape, labelled)
    write_text(path, yaml.safe_dump(section, sort_keys=False))
    return path


def _dataset_section(directories: dict, shape, labelled: bool) -> dict:
    shape = [int(size) for size in shape]
    return {
        "dataset": {
            "dir": directories,
            "format": "nifti",
            "type": "paired",
            "labeled": labelled,
            "moving_image_shape": shape,
            "fixed_image_shape": list(shape),
        }
    }


def _link(link: Path, target: Path) -> None:
    """Relative symlink, so that the folder can be moved; a copy where links are impossible."""
    link.parent.mkdir(parents=True, exist_ok=True)
    try:
        link.symlink_to(os.path.relpath(target, link.parent))
    except (OSError, NotImplementedError):
        shutil.copyfile(target, link)
