"""Points of images in files: CSV, and the markups of 3D Slicer (.fcsv, .mrk.json)."""

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmzoo.checks import check_choice
from mmzoo.io.atomic import write_text
from mmzoo.spatial.frames import FRAMES

AXES = ("x", "y", "z")
SUFFIXES = (".csv", ".fcsv", ".mrk.json")


@dataclass(frozen=True)
class Points:
    """Points of a file, and how to write others into one of the same kind.

    Attributes:
        places: (n, 3), LPS mm.
        frame: "ras" or "lps", of the file.
        lines: where in the file each point is, for messages.
        text: takes places in the file's frame and returns the contents of a file.
        suffix: of `SUFFIXES`.
    """

    places: np.ndarray
    frame: str
    lines: list[str]
    text: Callable[[np.ndarray], str]
    suffix: str

    def write(self, path: Path, places: np.ndarray) -> None:
        """Write the same rows with other places, LPS mm, in the file's frame.

        Raises:
            ValueError: `path` has another suffix than the file that was read.
        """
        if _suffix(path) != self.suffix:
            raise ValueError(f"{path} must end in {self.suffix}, as the points that were read do.")
        write_text(path, self.text(places * FRAMES[self.frame]))


def read_points(path: Path, frame: str = "") -> Points:
    """Read points.

    Args:
        path: CSV with columns x, y, z in mm (others are kept; the first line names them), or
            Slicer's .fcsv or .mrk.json.
        frame: "ras" or "lps", which way x and y count; a CSV needs it, Slicer's files say it.

    Raises:
        ValueError: no such file, no such columns, no finite numbers in them, or another frame than
            the file says.
    """
    if frame:
        check_choice("frame", frame, FRAMES)
    if not path.is_file():
        raise ValueError(f"{path} is not there; check the name and the folder.")
    suffix = _suffix(path)
    reader = {".fcsv": _read_fcsv, ".mrk.json": _read_markups}.get(suffix, _read_csv)
    try:
        text = path.read_text(encoding="utf-8-sig")
        own, places, lines, write = reader(path, text)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is no file of points: {error}") from error
    if own and frame and own != frame:
        raise ValueError(f"{path} says that it counts in {own.upper()}; leave --frame out.")
    if not (own or frame):
        raise ValueError(f"{path} needs `--frame ras` or `lps`: which way x and y count.")
    places = np.array(places, float).reshape(-1, 3)
    if not len(places):
        raise ValueError(f"{path} holds no point.")
    if not np.isfinite(places).all():
        bad = lines[int(np.flatnonzero(~np.isfinite(places).all(axis=1))[0])]
        raise ValueError(f"{path}, {bad}: must hold finite numbers in x, y and z.")
    return Points(places * FRAMES[own or frame], own or frame, lines, write, suffix)


def _suffix(path: Path) -> str:
    return next((end for end in SUFFIXES[1:] if path.name.lower().endswith(end)), ".csv")


def _read_csv(path: Path, text: str):
    first = text.partition("\n")[0]
    separator = ";" if first.count(";") > first.count(",") else ","
    rows = list(csv.reader(text.splitlines(), delimiter=separator))
    head = [name.strip() for name in rows[0]] if rows else []
    if not set(AXES) <= set(head):
        raise ValueError(
            f"{path} must have columns x, y and z, in mm, in its first line; got "
            f"{', '.join(head) or 'no row'}."
        )
    columns = [head.index(axis) for axis in AXES]
    body = [(f"line {k}", row) for k, row in enumerate(rows[1:], start=2) if any(row)]
    for line, row in body:
        while len(row) > len(head) and not row[-1].strip():
            row.pop()  # a separator at the end of the line
        if len(row) != len(head):
            raise ValueError(
                f"{path}, {line}: {len(row)} cells under {len(head)} names ({', '.join(head)})."
            )
    places = [[_number(path, line, row[k]) for k in columns] for line, row in body]

    def write(found: np.ndarray) -> str:
        new = [list(row) for _, row in body]
        for row, place in zip(new, found, strict=True):
            for column, value in zip(columns, place, strict=True):
                row[column] = f"{value:.4f}"
        return _csv_text([head, *new], separator)

    return "", places, [line for line, _ in body], write


def _csv_text(rows, separator: str = ",") -> str:
    import io

    out = io.StringIO()
    csv.writer(out, delimiter=separator, lineterminator="\n").writerows(rows)
    return out.getvalue()


def _number(path: Path, line: str, cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        comma = "; write decimals with a point" if "," in cell else ""
        raise ValueError(f"{path}, {line}: {cell!r} is no number{comma}.") from None


def _read_fcsv(path: Path, text: str):
    """Slicer's older markups: lines that begin with # say the frame and the columns."""
    lines = text.splitlines()
    heads = [line.lstrip("# ").partition("=") for line in lines if line.startswith("#")]
    said = {name.strip(): value.strip() for name, _, value in heads}
    frame = {"0": "ras", "1": "lps"}.get(said.get("CoordinateSystem", ""), "")
    frame = frame or said.get("CoordinateSystem", "").lower()
    names = [name.strip() for name in said.get("columns", "").split(",")]
    if frame not in FRAMES or not set(AXES) <= set(names):
        raise ValueError(
            f"{path} must say `# CoordinateSystem = LPS` or RAS, and `# columns = id,x,y,z,...`."
        )
    columns = [names.index(axis) for axis in AXES]
    body = [(k, row) for k, row in enumerate(csv.reader(lines)) if row and row[0][:1] != "#"]
    places = []
    for k, row in body:
        if len(row) <= max(columns):
            raise ValueError(f"{path}, line {k + 1}: too few cells for {', '.join(names)}.")
        places.append([_number(path, f"line {k + 1}", row[c]) for c in columns])

    def write(found: np.ndarray) -> str:
        new = list(lines)
        for (k, row), place in zip(body, found, strict=True):
            cells = list(row)
            for column, value in zip(columns, place, strict=True):
                cells[column] = f"{value:.4f}"
            new[k] = _csv_text([cells]).rstrip("\n")
        return "\n".join(new) + "\n"

    return frame, places, [f"line {k + 1}" for k, _ in body], write


def _read_markups(path: Path, text: str):
    """Slicer's markups: JSON, whose control points have positions."""
    try:
        content = json.loads(text)
        lists = content["markups"]
        frames = {str(each.get("coordinateSystem", "LPS")).lower() for each in lists}
        units = {str(each.get("coordinateUnits", "mm")) for each in lists}
        points = [point for each in lists for point in each["controlPoints"]]
        places = [[float(value) for value in point["position"]] for point in points]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is no file of Slicer's markups: {error!r}") from error
    if len(frames) > 1 or not frames <= set(FRAMES) or units - {"mm"}:
        raise ValueError(
            f"{path} must count all points in LPS or in RAS, mm, got {sorted(frames)} and "
            f"{sorted(units)}."
        )
    if any(len(place) != 3 for place in places):
        raise ValueError(f"{path} must have three numbers in each position.")

    def write(found: np.ndarray) -> str:
        new = json.loads(text)
        for each in new["markups"]:
            each.pop("measurements", None)  # lengths and angles of the points as they were
        targets = [point for each in new["markups"] for point in each["controlPoints"]]
        for point, place in zip(targets, found, strict=True):
            point["position"] = [round(float(value), 4) for value in place]
        return json.dumps(new, indent=2) + "\n"

    return (frames or {"lps"}).pop(), places, [f"point {k + 1}" for k in range(len(points))], write
