"""Finding what `deepreg_predict` wrote.

A prediction folder holds `pair_<i>/{moving_image,fixed_image,ddf}.nii.gz`, for labelled data
`pair_<i>/label_<k>/{moving_label,fixed_label}.nii.gz`, and a `pairs.json` that says which files
each pair was made from.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel

from mmzoo.checks import check_choice
from mmzoo.datasets.layout import DESCRIPTION, read_description
from mmzoo.evaluation.errors import PredictionError
from mmzoo.evaluation.scipy_warp import ORDERS
from mmzoo.evaluation.truth import case_name, true_field_file, true_motions_file
from mmzoo.io.json_files import read_json

MODES = ("test", "valid", "train")


@dataclass(frozen=True)
class PredictedPair:
    """Where the files of one predicted pair lie; see `read_pair` in `volumes.py` for their content.

    Attributes:
        name: folder name, for example "pair_0".
        folder: the folder itself.
        moving_name: case name of the moving image, "" where `pairs.json` does not say.
        fixed_name: case name of the fixed image.
        label_folders: one folder a structure, in channel order; empty if unlabelled.
        seconds: wall time of the registration alone, NaN where `pairs.json` does not say.
        true_field: file of the true field, None where the data have none.
        true_motions: file of the true rigid motions, None where the data have none.
        interpolation: how the prediction sampled images, linearly where `pairs.json` does not say.
    """

    name: str
    folder: Path
    moving_name: str = ""
    fixed_name: str = ""
    label_folders: tuple[Path, ...] = ()
    seconds: float = math.nan
    true_field: Path | None = None
    true_motions: Path | None = None
    interpolation: str = "linear"


@dataclass(frozen=True)
class PredictionFolder:
    """A prediction folder.

    Attributes:
        folder: the folder that holds the pairs.
        method: name of the registration method, "network" where `pairs.json` does not say.
        checkpoint: the checkpoint predicted with, or "".
        pairs: the pairs in natural order.
        structures: name of each label channel; empty if unlabelled.
        notes: what was assumed on the way, in sentences for the user.
    """

    folder: Path
    method: str
    checkpoint: str
    pairs: tuple[PredictedPair, ...]
    structures: tuple[str, ...]
    notes: tuple[str, ...] = ()


class Entry(BaseModel):
    """What `pairs.json` says of a pair."""

    moving: str = ""
    fixed: str = ""
    moving_key: str | None = None
    fixed_key: str | None = None
    seconds: float | None = None


class PairsFile(BaseModel):
    """What `pairs.json` says of a prediction; what is not named here may be anything."""

    method: str = "network"
    checkpoint: str = ""
    mode: str = "test"
    interpolation: str = "linear"
    dataset: dict | None = None
    expected: int | None = None
    failed: list[str] = []
    complete: bool = True
    pairs: dict[str, Entry] = {}


def open_prediction(run: str | Path, *, log_root: str | Path = "logs") -> PredictionFolder:
    """Find the prediction that `run` names and list its pairs, without reading any volume.

    Args:
        run: a folder that holds `pair_*` folders, a log folder whose `test` (else `valid`,
            else `train`) folder does, or the name of such a log folder under `log_root`.
        log_root: DeepReg's folder of logs.

    Raises:
        PredictionError: if there is no such folder, it holds no prediction, or a pair lacks a
            file that every pair must have.
    """
    folder = _find_folder(Path(run).expanduser(), Path(log_root))
    description = _read_description(folder)
    named = description.get("pairs", {})
    _check_complete(folder, description)
    interpolation = _interpolation(folder, description)
    pairs = tuple(
        _list_pair(path, named.get(path.name, {}), interpolation) for path in _pair_folders(folder)
    )
    _check_label_counts(pairs)
    structures, notes = _structure_names(len(pairs[0].label_folders), description)
    return PredictionFolder(
        folder=folder,
        method=str(description.get("method", "network")),
        checkpoint=str(description.get("checkpoint", "")),
        pairs=pairs,
        structures=structures,
        notes=(*notes, *_failures(description)),
    )


def _check_complete(folder: Path, description: dict) -> None:
    """Raise PredictionError where a prediction ended before its last pair."""
    found, expected = len(_pair_folders(folder)), description.get("expected")
    if expected is not None:
        expected -= len(description.get("failed", []))
    if description.get("complete") is False or (expected is not None and found < expected):
        raise PredictionError(
            f"`{folder}` holds {found} of {expected} pairs, the last of which may be half written: "
            "the prediction was stopped. Give its command again."
        )


def _failures(description: dict) -> tuple[str, ...]:
    """Return a sentence on the pairs that could not be registered, if there are any."""
    failed = description.get("failed")
    if not failed:
        return ()
    return (f"{', '.join(failed)} of {description.get('expected')} pairs failed, and are missing.",)


def _find_folder(run: Path, log_root: Path) -> Path:
    bases = [run] if run.is_absolute() else [run, log_root / run]
    present = [base for base in bases if base.is_dir()]
    if not present:
        tried = ", ".join(f"`{base}`" for base in bases)
        raise PredictionError(
            f"`{run}` must be a prediction folder or its name under `{log_root}`, but there is "
            f"no folder {tried}; write one with `deepreg_predict ... -l NAME`."
        )
    for base in present:
        for candidate in (base, *(base / mode for mode in MODES)):
            if any(candidate.glob("pair_*/")):
                return candidate
    raise PredictionError(
        f"`{present[0]}` must hold the pair_* folders of a prediction (or a folder test, valid "
        f"or train that does), got {_listing(present[0])}. If this is a training run, predict "
        "first: `deepreg_predict -k RUN/save/ckpt-N -m test -l NAME`, without --no_nifti."
    )


def _listing(folder: Path, limit: int = 6) -> str:
    names = sorted(path.name for path in folder.iterdir())
    return ", ".join(names[:limit]) + (", ..." if len(names) > limit else "") or "an empty folder"


def _read_description(folder: Path) -> dict:
    path = folder / "pairs.json"
    if not path.is_file():
        return {}
    try:
        return read_json(path, PairsFile)
    except ValueError as error:
        raise PredictionError(
            f"{error} Predict again, or delete the file (the cases then have no names)."
        ) from error


def _pair_folders(folder: Path) -> list[Path]:
    return _natural(path for path in folder.glob("pair_*") if path.is_dir())


def _natural(paths: Iterable[Path]) -> list[Path]:
    """Sort by the numbers in the names, so that pair_10 follows pair_9."""
    return sorted(paths, key=lambda path: [int(part) for part in re.findall(r"\d+", path.name)])


def _interpolation(folder: Path, description: dict) -> str:
    interpolation = description.get("interpolation", "linear")
    try:
        check_choice(f"interpolation in {folder / 'pairs.json'}", interpolation, ORDERS)
    except ValueError as error:
        raise PredictionError(str(error)) from None
    return interpolation


def _list_pair(folder: Path, named: dict, interpolation: str) -> PredictedPair:
    for name in ("ddf.nii.gz", "fixed_image.nii.gz", "moving_image.nii.gz"):
        _check_exists(folder / name)
    label_folders = _natural(path for path in folder.glob("label_*") if path.is_dir())
    for label_folder in label_folders:
        for name in ("moving_label.nii.gz", "fixed_label.nii.gz"):
            _check_exists(label_folder / name)
    moving, fixed = (_file(named, role) for role in ("moving", "fixed"))
    return PredictedPair(
        name=folder.name,
        folder=folder,
        moving_name=case_name(moving),
        fixed_name=case_name(fixed),
        label_folders=tuple(label_folders),
        seconds=_seconds(named.get("seconds")),
        true_field=true_field_file(moving, fixed),
        true_motions=true_motions_file(moving, fixed),
        interpolation=interpolation,
    )


def _file(named: dict, role: str) -> str:
    """Return the file of an image; of one in an h5 file, that of the same name beside it."""
    file, key = named.get(role, ""), named.get(f"{role}_key")
    return str(Path(file).with_suffix("") / f"{key}.nii.gz") if key else file


def _check_exists(path: Path) -> None:
    if path.is_file():
        return
    reason = "predict again (without --no_nifti)"
    if path.name == "ddf.nii.gz":
        reason = "only methods that predict a displacement field can be evaluated; " + reason
    raise PredictionError(f"`{path}` must be there, but is not; {reason}.")


def _seconds(given: object) -> float:
    if isinstance(given, (int, float)) and math.isfinite(given):
        return float(given)
    return math.nan


def _check_label_counts(pairs: tuple[PredictedPair, ...]) -> None:
    first = pairs[0]
    for pair in pairs[1:]:
        if len(pair.label_folders) != len(first.label_folders):
            raise PredictionError(
                f"`{pair.folder}` must hold {len(first.label_folders)} label folders like "
                f"`{first.name}`, got {len(pair.label_folders)}; the prediction was probably "
                "interrupted, so predict again."
            )


def _structure_names(count: int, description: dict) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return one name a label channel, and a note if they had to be made up."""
    made_up = tuple(f"label {index}" for index in range(count))
    found = _data_description(description)
    if not count or found is None:
        return made_up, ()
    path, names = found
    if len(names) == count:
        return tuple(names), ()
    note = f"{path} names {len(names)} structures, but the prediction has {count}: numbered them."
    return made_up, (note,)


def _data_description(prediction: dict) -> tuple[Path, list[str]] | None:
    """Return the nearest `mmzoo.json` above the data's folder and the label names it lists."""
    for directory in _data_folders(prediction):
        for parent in (directory, *directory.parents):
            path = parent / DESCRIPTION
            if path.is_file():
                description = read_description(parent) or {}
                return path, description.get("labels", [])
    return None


def _data_folders(description: dict) -> list[Path]:
    """Return the data folders that `pairs.json` names, the predicted split's first."""
    folders = (description.get("dataset") or {}).get("dir") or {}
    modes = (description.get("mode", "test"), *MODES)
    chosen = [folders.get(mode) for mode in modes]
    return [Path(entry) for item in chosen if item for entry in np.atleast_1d(item)]
