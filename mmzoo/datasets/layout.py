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

from mmzoo.io.atomic import whole_file
from mmzoo.io.json_files import read_json
from mmzoo.io.nifti import save_nifti

DESCRIPTION = "mmzoo.json"
FIELD = "fields/{moving}__{fixed}.nii.gz"
MOTIONS = "fields/{moving}__{fixed}.json"
SPLITS = ("train", "valid", "test")
Fold = dict[str, dict[str, list[str]]]


class Description(BaseModel):
    """What ``mmzoo.json`` says of a data set; what is not named here may be anything."""

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


def make_folds(
    moving: list[str], fixed: list[str], num_folds: int, num_valid: int, num_test: int = 0
) -> list[Fold]:
    """Split people into folds for cross-validation, in the order of their names.

    Each person is tested in exactly one fold; the next ``num_valid`` people of each modality
    validate and the rest train. With ``num_test`` the last so many people are the test people of
    every fold instead, and folds differ in who of the others validates and who trains.

    Args:
        moving: case names of the moving modality.
        fixed: case names of the fixed modality; other people than the moving ones.
        num_folds: number of folds, two or more.
        num_valid: people of each modality in the validation split.
        num_test: people of each modality in the test set that all folds share; 0 for none.

    Raises:
        ValueError: if no one would be left to train or test on, or people would have to validate
            in two of the folds that share a test set.
    """
    if num_test:
        return _folds_of_one_test_set(moving, fixed, num_folds, num_valid, num_test)
    for name, cases in (("moving", moving), ("fixed", fixed)):
        num_test = -(-len(cases) // max(num_folds, 1))
        if num_folds < 2 or num_valid < 0 or len(cases) < max(num_folds, num_test + num_valid + 1):
            raise ValueError(
                f"{len(cases)} {name} cases cannot be split into {num_folds} folds with "
                f"{num_valid} for validation; each fold needs at least one to test and one to "
                f"train on. Use 2 or more folds, and more cases, fewer folds or fewer to validate."
            )
    return [
        _merge(_split(moving, num_folds, num_valid, k), _split(fixed, num_folds, num_valid, k))
        for k in range(num_folds)
    ]


def _folds_of_one_test_set(moving, fixed, num_folds: int, num_valid: int, num_test: int):
    for name, cases in (("moving", moving), ("fixed", fixed)):
        needed = max(num_folds * num_valid, num_valid + 1)
        if min(num_folds, num_test) < 1 or num_valid < 0 or len(cases) - num_test < needed:
            raise ValueError(
                f"{len(cases)} {name} cases cannot be split into {num_test} to test in every fold "
                f"and {num_folds} folds with {num_valid} of their own each for validation, and at "
                "least one to train on. Use more cases, or fewer folds, to validate or to test."
            )

    def split(cases: list[str], k: int) -> dict[str, list[str]]:
        others, test = cases[: len(cases) - num_test], cases[len(cases) - num_test :]
        valid = others[k * num_valid : (k + 1) * num_valid]
        train = [case for case in others if case not in valid]
        return {"train": train, "valid": valid, "test": test}

    return [_merge(split(moving, k), split(fixed, k)) for k in range(num_folds)]


def _split(cases: list[str], num_folds: int, num_valid: int, k: int) -> dict[str, list[str]]:
    blocks = np.array_split(np.arange(len(cases)), num_folds)
    turned = np.roll(np.arange(len(cases)), -blocks[k][0])
    num_test = len(blocks[k])
    ends = {"test": turned[:num_test], "valid": turned[num_test : num_test + num_valid]}
    ends["train"] = turned[num_test + num_valid :]
    return {split: [cases[i] for i in sorted(ends[split])] for split in SPLITS}


def _merge(moving: dict[str, list[str]], fixed: dict[str, list[str]]) -> Fold:
    return {split: {"moving": moving[split], "fixed": fixed[split]} for split in SPLITS}


def one_split(
    moving: list[str], fixed: list[str], counts: tuple[int, int, int], fewest: int = 1
) -> list[Fold]:
    """Split people once: so many to train, then to validate, then to test, or in proportion.

    Args:
        moving: case names, in the order they are split in.
        fixed: the same.
        counts: people to train, to validate and to test, of as many as there should be.
        fewest: people it takes to make a pair.

    Raises:
        ValueError: if no one would be left to train or test on.
    """
    return [_merge(*(_parts(cases, counts, fewest) for cases in (moving, fixed)))]


def _parts(cases: list[str], counts: tuple[int, int, int], fewest: int) -> dict[str, list[str]]:
    total = sum(counts)
    valid, test = (
        count if len(cases) == total else round(count * len(cases) / total) for count in counts[1:]
    )
    test = max(test, fewest)
    valid = min(valid, max(len(cases) - test - fewest, 0))
    train = len(cases) - valid - test
    if train < fewest:
        raise ValueError(
            f"{len(cases)} cases cannot be split in proportions of {counts}: too few would be left "
            "to train on. Use more cases, or `folds`."
        )
    ends = {"train": cases[:train], "valid": cases[train : train + valid]}
    return ends | {"test": cases[train + valid :]}


def without_split(moving: list[str], fixed: list[str]) -> list[Fold]:
    """Return one fold that trains and tests on the same people, all of them."""
    everyone = {"moving": moving, "fixed": fixed}
    no_one: dict[str, list[str]] = {"moving": [], "fixed": []}
    return [{"train": everyone, "valid": no_one, "test": dict(everyone)}]


def split_pairs(names: dict[str, list[str]], pairing: str = "all") -> list[tuple[str, str]]:
    """Return the pairs of a split.

    Args:
        names: moving and fixed cases; unless every case meets every other, those at one place in
            the two lists are of one person.
        pairing: "all" (every moving case with every fixed one), "same" (each with its own) or
            "others" (each with every one but its own).
    """
    if pairing == "same":
        return list(zip(names["moving"], names["fixed"], strict=True))
    return [
        (moving, fixed)
        for k, moving in enumerate(names["moving"])
        for j, fixed in enumerate(names["fixed"])
        if pairing == "all" or k != j
    ]


def save_case(out: Path, case: str, image: np.ndarray, labels, affine: np.ndarray) -> None:
    """Write one case's image and labels; an interrupted run leaves no half-written file.

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
    """Write the true field of a pair, as a registration would have to find it.

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
        motions: by label, (4, 4): where a point of the fixed image, in RAS millimetres, is in the
            moving one; what the true field is within that label.
    """
    if motions:
        path = out / MOTIONS.format(moving=moving, fixed=fixed)
        path.parent.mkdir(parents=True, exist_ok=True)
        lists = {name: motion.tolist() for name, motion in motions.items()}
        with whole_file(path) as unfinished:
            unfinished.write_text(json.dumps(lists, indent=2) + "\n")


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
    """Write ``mmzoo.json`` in one go."""
    out.mkdir(parents=True, exist_ok=True)
    with whole_file(out / DESCRIPTION) as unfinished:
        unfinished.write_text(json.dumps(description, indent=2) + "\n")


def read_description(out: Path) -> dict | None:
    """Return the contents of ``mmzoo.json``, or None where there is none.

    Raises:
        ValueError: if the file is damaged, or was edited so that its entries are others.
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
    """Make sure that a folder is empty, or holds an earlier run of the same settings.

    Args:
        out: root of the layout.
        settings: what decides the contents.
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
    with whole_file(path) as unfinished:
        section = _dataset_section(directories, shape, labelled)
        unfinished.write_text(yaml.safe_dump(section, sort_keys=False))
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
