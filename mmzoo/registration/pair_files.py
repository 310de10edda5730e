"""Files of pairs to register: one pair, a CSV file or two folders; checked beforehand."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmzoo.checks import check_choice, check_file_name
from mmzoo.io.paths import SUFFIXES, exists, select, selected

FILES = (
    "fixed",
    "moving",
    "fixed_mask",
    "moving_mask",
    "fixed_label",
    "moving_label",
    "fixed_points",
    "moving_points",
)
COLUMNS = ("name", "subject", *FILES)
POINTS = FILES[-2:]
TAKEN = ("index.html", "summary.csv")  # in the folder in which pairs have theirs


@dataclass(frozen=True)
class PairFiles:
    """The files of a pair.

    Attributes:
        fixed: image that stays; `moving` is aligned to it.
        fixed_mask: where it counts, or None; `moving_mask` likewise.
        fixed_label: its label map, or None; `moving_label` likewise. With both there is a Dice.
        fixed_points: its landmarks, or None; in `moving_points` the same ones in the same order.
        name: of the pair's folder, among many.
        place: where the pair is written, for messages.
    """

    fixed: Path
    moving: Path
    fixed_mask: Path | None = None
    moving_mask: Path | None = None
    fixed_label: Path | None = None
    moving_label: Path | None = None
    fixed_points: Path | None = None
    moving_points: Path | None = None
    name: str = ""
    place: str = ""

    def files(self) -> dict[str, Path]:
        """Return the given files by their role."""
        named = {column: getattr(self, column) for column in FILES}
        return {column: path for column, path in named.items() if path is not None}

    def select(self, geometry: str) -> PairFiles:
        """Return the pair with files that say which form of their headers is to count."""
        images = {k: path for k, path in self.files().items() if k not in POINTS}
        plain = {k: path for k, path in images.items() if not selected(path)[1]}
        chosen: dict[str, Any] = {k: select(path, geometry) for k, path in plain.items()}
        return replace(self, **chosen)


def read_pairs(path: Path) -> list[PairFiles]:
    """Read pairs from a CSV file; paths are relative to its folder.

    Args:
        path: its first line names columns of `COLUMNS`. Where there is no `name`, a pair is called
            by its `subject`, if there is one, and its two images.

    Raises:
        ValueError: bad columns or cells, missing files, duplicate names; says where.
    """
    if not path.is_file():
        raise ValueError(f"{path} is not there; check the name and the folder.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text, and so no CSV file: {error}.") from error
    first = text.partition("\n")[0]
    separator = ";" if first.count(";") > first.count(",") else ","
    rows = list(csv.reader(text.splitlines(), delimiter=separator))
    head = [cell.strip() for cell in rows[0]] if rows else []
    for column in head or ["(empty)"]:
        check_choice(f"column of {path.name}", column, COLUMNS)
    if len(set(head)) < len(head) or not {"fixed", "moving"} <= set(head):
        raise ValueError(
            f"{path} must have columns fixed and moving, and each column once; got "
            f"{', '.join(head)}."
        )
    body = [(k, row) for k, row in enumerate(rows[1:], start=2) if any(c.strip() for c in row)]
    return checked(_row(path, k, head, row) for k, row in body)


def _row(path: Path, line: int, head: list[str], row: list[str]) -> PairFiles:
    place = f"{path}, line {line}"
    if len(row) != len(head):
        raise ValueError(f"{place}: {len(row)} cells under {len(head)} names ({', '.join(head)}).")
    cells = {column: cell.strip() for column, cell in zip(head, row, strict=True)}
    for column in ("fixed", "moving"):
        if not cells[column]:
            raise ValueError(f"{place}: `{column}` is empty; name an image.")
    given = {k: path.parent / Path(cells[k]).expanduser() for k in FILES if cells.get(k)}
    name = cells.get("name", "")
    if not name:
        images = default_name(given["fixed"], given["moving"])
        name = "_".join(filter(None, (cells.get("subject", ""), images)))
    return PairFiles(**given, name=name, place=place)


def default_name(fixed: Path, moving: Path) -> str:
    """Return the default name of a pair, from its images."""
    return f"{stem(moving)}_to_{stem(fixed)}"


def stem(path: Path) -> str:
    """Return the name of an image without its ending and selection."""
    name = path.name.partition("#")[0]
    for suffix in SUFFIXES:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


def folders_of_pairs(fixed: Path, moving: Path) -> list[PairFiles]:
    """Match the images of two folders by their names, without the endings.

    Raises:
        ValueError: no image, a name twice, or one without a partner.
    """
    found = [_by_stem(folder) for folder in (fixed, moving)]
    for mine, other, folder in ((found[0], found[1], moving), (found[1], found[0], fixed)):
        alone = [path for name, path in mine.items() if name not in other]
        if alone:
            raise ValueError(
                f"{alone[0]} has no partner in {folder} ({len(alone)} such): a pair has the same "
                "name in both folders, whatever it ends in. Name pairs in a CSV file (--pairs) "
                "where names differ."
            )
    return checked(PairFiles(path, found[1][k], name=k, place=k) for k, path in found[0].items())


def _by_stem(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder; check its name.")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        is_image = path.is_dir() or path.name.lower().endswith(SUFFIXES)
        if path.name.startswith(".") or not is_image:
            continue
        if stem(path) in found:
            raise ValueError(f"{folder} has {stem(path)} twice: {found[stem(path)]} and {path}.")
        found[stem(path)] = path
    if not found:
        raise ValueError(f"{folder} holds no image; looked for {', '.join(SUFFIXES)} and folders.")
    return found


def checked(pairs: Iterable[PairFiles]) -> list[PairFiles]:
    """Return the pairs, after checking that names are unique and files exist.

    Raises:
        ValueError: no pair, a duplicate name or one that no folder can have, a missing file, or
            points of one image only.
    """
    found: dict[str, PairFiles] = {}
    for pair in pairs:
        try:
            check_file_name("name", pair.name)
        except ValueError as error:
            raise ValueError(f"{pair.place}: {error}") from None
        key = pair.name.casefold()  # some file systems ignore case
        if key in found or key in TAKEN:
            other = found[key].place if key in found else "the summary of all pairs"
            raise ValueError(
                f"{pair.place}: `name` would be {pair.name}, as that of {other}; give each pair a "
                "name of its own, in a column `name`."
            )
        _check_files(pair)
        found[key] = pair
    if not found:
        raise ValueError("there is no pair to register: the table has no row below its names.")
    return list(found.values())


def _check_files(pair: PairFiles) -> None:
    for column, path in pair.files().items():
        if not exists(path):
            raise ValueError(f"{pair.place}: {path} (`{column}`) is not there.")
    check_partners(pair, f"{pair.place}: ")


def check_partners(pair: PairFiles, place: str = "") -> None:
    """Raise ValueError if labels or points are given for one image only."""
    if (pair.fixed_points is None) != (pair.moving_points is None):
        raise ValueError(
            f"{place}give both `fixed_points` and `moving_points`, the same landmarks in the same "
            "order, or neither."
        )
    if pair.fixed_label is not None and pair.moving_label is None:
        raise ValueError(f"{place}`fixed_label` needs `moving_label`, which is compared with it.")
