"""`index.html`: a table of many registrations, failed and doubtful ones first; no outside parts."""

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from mmzoo.registration.output import PAGE, PICTURE, REPORT
from mmzoo.report.page import assemble

FIGURES = {
    "dice_before": "Dice before",
    "dice_after": "Dice after",
    "tre_before_mm": "landmarks before, mm",
    "tre_after_mm": "landmarks after, mm",
    "nmi_before": "NMI before",
    "nmi_after": "NMI after",
    "share_known": "share shown",
    "smallest_determinant": "smallest determinant",
    "folding_percent": "folding, %",
    "seconds": "seconds",
}
KINDS = ("failed", "doubtful", "done", "waiting")


def index_page(out: Path, rows: Iterable[dict]) -> str:
    """Return the page.

    Args:
        out: folder in which it lies beside the folders of the pairs.
        rows: of `mmzoo.registration.summary.COLUMNS`.
    """
    rows = sorted(rows, key=lambda row: KINDS.index(_kind(row)))
    columns = [name for name in FIGURES if any(row[name] != "" for row in rows)]
    counts = {kind: sum(_kind(row) == kind for row in rows) for kind in KINDS}
    title = f"{len(rows)} registrations"
    content = {
        "title": title,
        "counts": ", ".join(f"{count} {kind}" for kind, count in counts.items() if count),
        "head": ["", "pair", "status", *(FIGURES[name] for name in columns), "doubts and errors"],
        "numbers": list(range(3, 3 + len(columns))),
        "rows": [_line(out, row, columns) for row in rows],
    }
    return assemble("index", title, content)


def _kind(row: dict) -> str:
    return "doubtful" if row["status"] == "done" and row["doubts"] else row["status"]


def _line(out: Path, row: dict, columns: list[str]) -> dict:
    """Return a row of the page; its first cell is the sort key of the column of pictures."""
    kind, folder = _kind(row), out / row["name"]
    figures = [None if row[name] == "" else row[name] for name in columns]
    targets = [name for name in (PAGE, REPORT) if (folder / name).exists()]
    return {
        "kind": kind,
        "cells": [KINDS.index(kind), row["name"], kind, *figures, row["error"] or row["doubts"]],
        "target": f"{quote(row['name'])}/{targets[0]}" if targets else None,
        "picture": f"{quote(row['name'])}/{PICTURE}" if (folder / PICTURE).exists() else None,
    }
