"""The page of the linear stage from any position: what was found, how often a doubt is right."""

from pathlib import Path

import numpy as np

from benchmarks.speed.processors import processor
from mmzoo.io.atomic import write_text
from mmzoo.report.markdown import markdown_table


def write_page(path: Path, about: str, rows: list[dict]) -> None:
    """Write the tables.

    Args:
        path: Markdown file.
        about: what the pairs are.
        rows: of `benchmarks.registration.positions.measure`.
    """
    lines = [
        "# The linear stage, from any position",
        "By `python -m benchmarks.registration.positions`, on " + processor() + ". Each pair in "
        "turns, in one process of one thread beside other work: compare seconds with each other.",
        about,
        summary(rows),
    ]
    write_text(path, "\n\n".join(lines))


def summary(rows: list[dict]) -> str:
    """Return tables of what each method found, and of how often a doubt was right.

    Args:
        rows: of `benchmarks.registration.positions.measure`.
    """
    methods = list(dict.fromkeys(row["method"] for row in rows))
    of = {method: [row for row in rows if row["method"] == method] for method in methods}
    lines = []
    for kind in ("near", "turned", "far", ""):
        cells = [kind or "all"]
        for some in of.values():
            here = [row for row in some if f", {kind}" in row["pair"]]
            cells.append(f"{sum(row['found'] for row in here)} of {len(here)}")
        lines.append(cells)
    for cause, title in (("search", "lost, the truth is more alike"), ("similarity", "lost, less")):
        lost = [[r for r in some if r.get("cause", "").startswith(cause)] for some in of.values()]
        lines.append([title, *(str(len(some)) for some in lost)])
    for name in ("error_mm", "seconds", "processor_seconds"):
        found = [[row[name] for row in some if row["found"]] for some in of.values()]
        middles = [f"{np.median(some or [np.nan]):.2f}" for some in found]
        lines.append([f"median of those found, {name}", *middles])
    parts = [markdown_table(["position", *methods], lines)]
    ours = of.get("mmzoo", [])
    if ours:
        named = [row for row in ours if not row["found"]]
        named += [row for row in ours if row["found"] and row["doubted"]]
        parts += [_doubts(ours), "\n".join(map(_one, named))]
    return "\n\n".join(parts) + "\n"


def _doubts(rows: list[dict]) -> str:
    """Return how many of the lost are doubted, and of the doubted lost, with and without turns."""
    lines = []
    for title, some in (
        ("all", rows),
        ("without those that are turned", [r for r in rows if ", turned" not in r["pair"]]),
    ):
        lost = [row for row in some if not row["found"]]
        doubted = [row for row in some if row["doubted"]]
        both = sum(row["doubted"] for row in lost)
        lines.append([title, f"{both} of {len(lost)}", f"{both} of {len(doubted)}"])
    heads = ["mmzoo's pairs", "lost and doubted, of the lost", "of the doubted"]
    return markdown_table(heads, lines)


def _one(row: dict) -> str:
    notes = [note.removeprefix("doubtful: ").partition("; ")[0] for note in row["notes"]]
    said = "; ".join(notes) or "no word"
    return f"* {row['pair']}: {row['error_mm']} mm off, {row.get('cause', 'found')}; {said}"
