"""The pairs of a split, numbered as `deepreg_predict` numbers them, and their volumes."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmzoo.checks import check_choice, check_image_values
from mmzoo.evaluation.truth import case_name
from mmzoo.io.nifti import read_array

MODES = ("test", "valid")
ENDINGS = (".nii.gz", ".nii")
SIDES = ("moving", "fixed")


@dataclass(frozen=True)
class DataPair:
    """Where the volumes of a pair lie.

    Attributes:
        name: of the folder in a prediction, "pair_<i>".
        images: files of the moving and the fixed image.
        labels: files of their labels; none if unlabelled.
        shapes: that the images must have.
    """

    name: str
    images: tuple[Path, Path]
    labels: tuple[Path, ...]
    shapes: tuple[tuple[int, ...], tuple[int, ...]]

    @property
    def cases(self) -> tuple[str, str]:
        """Names of the moving and the fixed case."""
        moving, fixed = (case_name(str(path)) for path in self.images)
        return moving, fixed

    def __str__(self) -> str:
        moving, fixed = self.cases
        return f"{self.name} ({moving} to {fixed})"


@dataclass(frozen=True)
class PlacedArray:
    """An image or one label channel: its values, and voxel index to mm."""

    values: np.ndarray
    affine: np.ndarray


def list_pairs(dataset: dict | None, mode: str, choice: str) -> list[DataPair]:
    """Return the pairs of a split in the order of their file names.

    Args:
        dataset: section of a configuration: paired NIfTI files.
        mode: "test" or "valid".
        choice: "all" or "matched", see `Baseline`.

    Raises:
        ValueError: a folder or file is missing, or the data are of another kind.
    """
    check_choice("mode", mode, MODES)
    dataset = _checked(dataset)
    folders = _folders(dataset, mode)
    files = sorted((folder, file) for folder in folders for file in _file_names(folder))
    parts = ("images", "labels") if dataset["labeled"] else ("images",)
    shapes = tuple(dataset["moving_image_shape"]), tuple(dataset["fixed_image_shape"])
    pairs = []
    for index, (folder, file) in enumerate(files):
        paths = [folder / f"{side}_{part}" / file for part in parts for side in SIDES]
        for path in paths:
            if not path.is_file():
                raise ValueError(f"{path} is missing; its pair has {paths[0]}. Prepare data again.")
        pairs.append(DataPair(f"pair_{index}", (paths[0], paths[1]), tuple(paths[2:]), shapes))
    return pairs if choice == "all" else match(pairs)


def match(pairs: list[DataPair]) -> list[DataPair]:
    """Return the pair of the k-th moving and the k-th fixed case, for every k.

    Where one side has fewer cases they are gone through again.

    Raises:
        ValueError: there is no such pair.
    """
    by_cases = {pair.cases: pair for pair in pairs}
    moving, fixed = (sorted({cases[side] for cases in by_cases}) for side in (0, 1))
    chosen = []
    for k in range(max(len(moving), len(fixed))):
        cases = moving[k % len(moving)], fixed[k % len(fixed)]
        if cases not in by_cases:
            raise ValueError(
                f"`baseline.pairs: matched` wants {cases[0]} with {cases[1]}, which the data do "
                "not pair; set it to all."
            )
        chosen.append(by_cases[cases])
    return chosen


def _checked(dataset: dict | None) -> dict:
    if not isinstance(dataset, dict):
        raise ValueError(
            "The configuration must have a section `dataset`: add the file of a fold after the "
            "method's, as DATA/fold0.yaml."
        )
    for key, wanted in (("format", "nifti"), ("type", "paired")):
        if dataset.get(key) != wanted:
            raise ValueError(
                f"`dataset.{key}` must be {wanted} for a conventional method, got "
                f"{dataset.get(key)!r}; `mmzoo prepare` writes such data."
            )
    for key in ("labeled", "moving_image_shape", "fixed_image_shape"):
        if key not in dataset:
            raise ValueError(f"`dataset.{key}` is missing; `mmzoo prepare` writes it.")
    return dataset


def _folders(dataset: dict, mode: str) -> list[Path]:
    given = (dataset.get("dir") or {}).get(mode)
    folders = [Path(entry).expanduser() for entry in np.atleast_1d(given or [])]
    if not folders:
        raise ValueError(f"`dataset.dir.{mode}` names no folder; give another --mode or fold.")
    for folder in folders:
        if not (folder / "moving_images").is_dir():
            raise ValueError(f"`dataset.dir.{mode}` is {folder}, which has no moving_images.")
    return folders


def _file_names(folder: Path) -> list[str]:
    paths = (folder / "moving_images").iterdir()
    names = [path.name for path in paths if path.name.endswith(ENDINGS)]
    if not names:
        raise ValueError(f"{folder / 'moving_images'} must hold NIfTI files, but has none.")
    return names


def read_images(pair: DataPair) -> tuple[PlacedArray, PlacedArray]:
    """Return the moving and the fixed image with values scaled to 0..1, as the network sees them.

    Raises:
        ValueError: a file is not what the configuration says, constant or not finite.
    """
    moving, fixed = (
        _read_image(path, shape) for path, shape in zip(pair.images, pair.shapes, strict=True)
    )
    return moving, fixed


def _read_image(path: Path, shape: tuple[int, ...]) -> PlacedArray:
    volume = _read(path)
    if volume.values.shape != shape:
        raise ValueError(
            f"{path} has shape {volume.values.shape}, but the dataset section says {shape}, to "
            "which DeepReg would resize it; prepare the data at that size."
        )
    check_image_values(str(path), volume.values)
    low, high = volume.values.min(), volume.values.max()
    return PlacedArray((volume.values - low) / (high - low), volume.affine)


def read_labels(pair: DataPair) -> list[tuple[PlacedArray, PlacedArray]]:
    """Return moving and fixed label for each channel; none if unlabelled.

    Raises:
        ValueError: the labels do not fit the images, or one side has more than the other.
    """
    sides = []
    for path, shape in zip(pair.labels, pair.shapes, strict=False):
        labels = _read(path)
        channels = labels.values if labels.values.ndim == 4 else labels.values[..., None]
        if channels.shape[:3] != shape:
            raise ValueError(f"{path} has shape {channels.shape[:3]}, but its image has {shape}.")
        sides.append(
            [PlacedArray(channel, labels.affine) for channel in np.moveaxis(channels, -1, 0)]
        )
    if sides and len(sides[0]) != len(sides[1]):
        counts = " and ".join(str(len(side)) for side in sides)
        raise ValueError(f"Labels of {pair} have {counts} channels; they must have the same.")
    return list(zip(*sides, strict=True))


def _read(path: Path) -> PlacedArray:
    return PlacedArray(*read_array(path))
