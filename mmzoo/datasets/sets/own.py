"""The user's own images: two folders, or a CSV file, as a data set."""

import csv
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from mmzoo.checks import check_choice, check_file_name
from mmzoo.datasets.label_table import label_names, label_values
from mmzoo.datasets.sets.base import DataSet, Recipe, Scan
from mmzoo.io.paths import exists, select

COLUMNS = ("moving", "fixed", "moving_label", "fixed_label", "person", "fold")
SUFFIXES = (".nii.gz", ".nii", ".mha", ".mhd", ".nrrd")


@dataclass(frozen=True)
class ListedPair:
    """A pair, or one image where all are paired with all.

    Attributes:
        moving: file, or None.
        fixed: file, or None.
        moving_label: label map of the moving image, or None.
        fixed_label: label map of the fixed image, or None.
        person: whose they are; empty: a person without other rows.
        fold: in which fold they are tested, or None.
    """

    moving: Path | None
    fixed: Path | None
    moving_label: Path | None = None
    fixed_label: Path | None = None
    person: str = ""
    fold: int | None = None

    def select(self, geometry: str) -> "ListedPair":
        """Return the row with files that say which form of their headers is to count."""
        return replace(
            self,
            moving=select(self.moving, geometry),
            fixed=select(self.fixed, geometry),
            moving_label=select(self.moving_label, geometry),
            fixed_label=select(self.fixed_label, geometry),
        )


def read_csv(path: Path) -> list[ListedPair]:
    """Read pairs from a CSV file with a heading; paths are relative to its folder.

    Raises:
        ValueError: for unknown columns and missing files.
    """
    if not path.is_file():
        raise ValueError(f"{path} is not there; check the name and the folder.")
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        for column in reader.fieldnames or ["(empty)"]:
            check_choice(f"column of {path.name}", column, COLUMNS)
        return [_row(path, k, cells) for k, cells in enumerate(reader, start=2)]


def _row(path: Path, line: int, cells: dict) -> ListedPair:
    files = {}
    for column in COLUMNS[:4]:
        name = (cells.get(column) or "").strip()
        file = path.parent / name
        if name and not exists(file):
            raise ValueError(f"{path}, line {line}: {file} ({column}) is not there.")
        files[column] = file if name else None
    fold = (cells.get("fold") or "").strip()
    if fold and not fold.isdecimal():
        raise ValueError(f"{path}, line {line}: `fold` must be a number from 0, got {fold!r}.")
    person = (cells.get("person") or "").strip()
    return ListedPair(**files, person=person, fold=int(fold) if fold else None)


def read_folders(
    moving: Path, fixed: Path, moving_labels: Path | None, fixed_labels: Path | None, pairing: str
) -> list[ListedPair]:
    """Match the files of folders by their names.

    Names are compared without endings, and without the common prefix and suffix of a folder:
    `mr_001.nii.gz` belongs to `ct_001.nii.gz`, and `001_mr_seg.nii.gz` is its label map.

    Args:
        moving: folder of moving images.
        fixed: folder of fixed images.
        moving_labels: folder of their label maps, or None.
        fixed_labels: the same of the fixed images.
        pairing: "same" if each moving image has its fixed one, "all" if names need not match.

    Raises:
        ValueError: for names without a partner.
    """
    movings, fixeds = by_key(moving), by_key(fixed)
    labels = [
        _partners(folder, images) if folder else {}
        for folder, images in ((moving_labels, movings), (fixed_labels, fixeds))
    ]
    if pairing == "same":
        _check_same(moving, movings, fixed, fixeds)
        return [
            ListedPair(movings[key], fixeds[key], labels[0].get(key), labels[1].get(key), key)
            for key in movings
        ]
    return [ListedPair(path, None, labels[0].get(key)) for key, path in movings.items()] + [
        ListedPair(None, path, None, labels[1].get(key)) for key, path in fixeds.items()
    ]


def by_key(folder: Path) -> dict[str, Path]:
    """Return the images of a folder by the distinct parts of their names.

    Raises:
        ValueError: if there is none.
    """
    files = sorted(f for f in folder.iterdir() if _stem(f)) if folder.is_dir() else []
    if not files:
        raise ValueError(f"{folder} holds no image; looked for {', '.join(SUFFIXES)}.")
    stems = [_stem(file) for file in files]
    if len(set(stems)) < len(stems):
        raise ValueError(f"{folder} holds a file twice, as .nii and .nii.gz: {sorted(stems)}.")
    # Numbers stay whole: 001 and 002 do not share the prefix 00.
    start = len(re.sub(r"\d+$", "", os.path.commonprefix(stems)))
    ending = os.path.commonprefix([stem[start:][::-1] for stem in stems])
    end = len(re.sub(r"\d+$", "", ending))
    keys = [stem[start : len(stem) - end] for stem in stems]
    return dict(zip(keys, files, strict=True))


def _stem(file: Path) -> str:
    """Return a name without its ending; "" for other files than images."""
    for suffix in SUFFIXES:
        if file.name.endswith(suffix) and not file.name.startswith("."):
            return file.name.removesuffix(suffix)
    return ""


def _partners(folder: Path, images: dict[str, Path]) -> dict[str, Path]:
    labels = by_key(folder)
    stems = {key: _stem(path) for key, path in images.items()}
    if set(labels) != set(images):
        # A label map may also carry its image's whole name.
        whole = {key: _only(folder, stem) for key, stem in stems.items()}
        if all(whole.values()):
            return {key: path for key, path in whole.items() if path}
        _check_same(next(iter(images.values())).parent, images, folder, labels)
    return labels


def _only(folder: Path, stem: str) -> Path | None:
    hits = [file for file in folder.iterdir() if _stem(file).startswith(stem)]
    return hits[0] if len(hits) == 1 else None


def _check_same(folder: Path, names: dict, other_folder: Path, others: dict) -> None:
    if set(names) != set(others):
        alone = [sorted(set(names) - set(others)), sorted(set(others) - set(names))]
        raise ValueError(
            f"{folder} and {other_folder} must name the same cases; without a partner: {alone[0]} "
            f"in the first, {alone[1]} in the second. Rename them, or name the pairs in a CSV file."
        )


class Own(DataSet):
    """The user's own images.

    Args:
        rows: what there is.
        moving: what the moving modality is called.
        fixed: what the fixed one is called.
        pairing: "same" (rows are pairs, each on one grid) or "all" (all with all, each on its own
            grid).
        values: label values that are written; None: all.
        names: their names; None: "label 1" of value 1.

    Raises:
        ValueError: for rows that make no pairs, or labels of some images only.
    """

    title = "your own images"
    page = "your own folders"
    layout = "the files you named"
    recipe = Recipe(crop="none", normalise="none")
    remarks = ()

    def __init__(
        self,
        rows: list[ListedPair],
        *,
        moving: str = "moving",
        fixed: str = "fixed",
        pairing: str = "same",
        values: list[int] | None = None,
        names: list[str] | None = None,
    ):
        check_choice("pairing", pairing, ["same", "all"])
        for name in (moving, fixed):
            check_file_name("modality", name)
        if moving == fixed:
            raise ValueError(f"the two modalities must have different names, got {moving!r} twice.")
        self.modalities, self.moving, self.fixed = (moving, fixed), moving, fixed
        self._pairing, self._rows = pairing, rows
        _check_rows(rows, pairing)
        files = [f for row in rows for f in (row.moving_label, row.fixed_label) if f]
        present = label_values(files)
        chosen = values or present
        table = zip(label_names(chosen, names), chosen, strict=True)
        self.structures = {name: (value,) for name, value in table} if files else {}
        # Values that were not asked for count as background.
        self.ignored = frozenset(present)

    def find(self, root: Path) -> list[Scan]:
        """Return the images that were named."""
        sides = ((self.moving, "moving"), (self.fixed, "fixed"))
        return [
            self._scan(modality, role, k, row)
            for modality, role in sides
            for k, row in enumerate(self._rows)
            if getattr(row, role)
        ]

    def _scan(self, modality: str, role: str, k: int, row: ListedPair) -> Scan:
        label = getattr(row, f"{role}_label")
        person = row.person or (f"{k}" if self._pairing == "same" else f"{role}-{k}")
        names = f"{modality}_{k:03d}", person
        return Scan(*names, modality, (getattr(row, role),), (label,) if label else (), f"{k}")

    def test_fold(self, scan: Scan) -> int | None:
        """Return what the CSV file says."""
        return self._rows[int(scan.pair)].fold

    def pairing(self, moving: str, fixed: str) -> str:
        """Return what was asked for."""
        return self._pairing


def _check_rows(rows: list[ListedPair], pairing: str) -> None:
    if not any(row.moving for row in rows) or not any(row.fixed for row in rows):
        raise ValueError("there must be a moving and a fixed image; name them in both columns.")
    if pairing == "same" and not all(row.moving and row.fixed for row in rows):
        raise ValueError("every row must name a moving and a fixed image; or use --pairing all.")
    missing = [
        str(getattr(row, role))
        for row in rows
        for role in ("moving", "fixed")
        if getattr(row, role) and not getattr(row, f"{role}_label")
    ]
    if missing and any(row.moving_label or row.fixed_label for row in rows):
        raise ValueError(
            f"label maps must be given for every image or for none; without: {', '.join(missing)}."
        )
    folds = [row.fold for row in rows]
    if None in folds and any(fold is not None for fold in folds):
        raise ValueError("`fold` must be given for every row or for none.")
