"""The page of the comparison: means of each kind of pair, pairs lost, and a table a kind."""

import math
import os
import platform
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.registration import still
from benchmarks.registration.methods import METHODS, settings
from mmzoo.report.markdown import markdown_table

FIGURES = (  # key, title, digits, better
    ("tre_mm", "TRE mm", 2, "less"),
    ("dice", "Dice", 3, "more"),
    ("folding_percent", "folding %", 3, "less"),
    ("seconds", "s", 0, "less"),
    ("processor_seconds", "processor s", 0, "less"),
    ("memory_mb", "memory MB", 0, "less"),
)
TITLES = {  # real scans first
    "T1 and PD": "T1 and PD of one person, deformed",
    "CT": "CT of an abdomen and itself, deformed",
    "templates": "T1 of one person to deformed templates",
    "spine crops": "Spine crops of two people, T2w to CT",
    "brain labels": "Heads of label maps, one person, deformed",
    "two people": "Heads of label maps, two people",
    "brain": "Brain phantom",
    "heart": "Heart phantom",
    "abdomen": "Abdomen phantom",
    "breast": "Breast phantom",
    "cine": "Cine heart phantom",
    "spine": "Spine phantom",
}
OURS, LINEAR = "mmzoo register", "affine"
STILL_MM = 0.5  # what aligned images may be moved by


def write_page(out: Path, results: list[dict], failed: list[dict]) -> Path:
    """Write README.md from what was measured, and what gave up; returns its path."""
    results = [{**row, "group": _group(row)} for row in results]
    shown = [row for row in results if row["group"] in TITLES]
    rest = [row for row in results if row["group"] == still.GROUP]
    parts = [_head(results), _verdict(shown), _means(shown), _lost(shown)]
    if rest:
        parts.append(_still(rest))
    if failed:
        lines = [f"* {row['method']}, {row['pair']}: {row['failed']}" for row in failed]
        parts.append("## Given up\n\nCounted nowhere.\n\n" + "\n".join(lines) + "\n")
    for group, title in TITLES.items():
        rows = [row for row in shown if row["group"] == group]
        if rows:
            parts.append(f"## {title}\n\n{_pairs(rows)}")
    path = out / "README.md"
    path.write_text("\n".join(part for part in parts if part))
    return path


def _group(row: dict) -> str:
    """Return the kind of a pair: of heads from label maps, two people have no true field."""
    two = row["group"] == "brain labels" and not np.isfinite(row["tre_mm"])
    return "two people" if two else row["group"]


def _head(results: list[dict]) -> str:
    pairs = {row["key"] for row in results}
    methods = {row["method"] for row in results}
    processors = sorted({row.get("processor", platform.machine()) for row in results})
    lines = [
        "# mmzoo register beside ANTs, elastix and ConvexAdam",
        "",
        "By `python benchmarks/register.py`, which goes on where it was stopped. Each registration "
        "runs in a process of its own; seconds are from the import of the library until there is a "
        "transform, in turns on one machine, so compare them within a pair; memory is what the "
        "process grew by. TRE is over the anatomy, from the true field where the two images show "
        "one person; Dice is the mean of the structures, carried by nearest neighbour. Settings "
        "were chosen once for all, on other pairs than these (docs/tuning.md): the templates' "
        "images are the same as there, their deformations are not. A template of another modality "
        "differs from the one person's T1 by more than the deformation: its TRE is a rank, no "
        "error. But for ANTs with its own start, all begin from the same rigid and affine stage "
        "(spine crops: their middles), whose seconds count for each. The best of each row of "
        "means, and of each pair, is bold.",
        "",
        *(f"* {name}: {text}" for name, text in settings().items() if name in methods),
        f"* {len(pairs)} pairs; {os.cpu_count()} cores, {', '.join(processors)}, Python "
        f"{platform.python_version()}.",
        "",
    ]
    return "\n".join(lines)


def _verdict(results: list[dict]) -> str:
    """Say how often mmzoo was better and quicker than each of the others."""
    by = {(row["key"], row["method"]): row for row in results}
    rows = []
    for other in METHODS:
        both = [
            (row, by[key, other])
            for (key, method), row in by.items()
            if method == OURS and (key, other) in by
        ]
        if other == OURS or not both:
            continue
        cells = [other]
        for figure, _, _, better in FIGURES[:2]:
            known = [(a[figure], b[figure]) for a, b in both if np.isfinite(a[figure])]
            won = sum(a < b if better == "less" else a > b for a, b in known)
            cells.append(f"{won} of {len(known)} pairs")
        ratios = [b["seconds"] / a["seconds"] for a, b in both]
        cells += [f"{np.median(ratios):.1f}", f"{min(ratios):.1f} to {max(ratios):.1f}"]
        rows.append(cells)
    heads = [f"{OURS} against", "lower TRE", "higher Dice", "its seconds / ours", "least to most"]
    return markdown_table(heads, rows) + "\n" if rows else ""


def _means(results: list[dict]) -> str:
    """Return the means of each kind, over the pairs that every method there finished."""
    lines = [
        "## Means of each kind",
        "",
        "TRE in mm where the truth is known / Dice, then seconds; over the pairs that all methods "
        "of the row finished.",
        "",
    ]
    methods = [name for name in ("before", *METHODS) if any(r["method"] == name for r in results)]
    rows = []
    for group, title in TITLES.items():
        of = pd.DataFrame([row for row in results if row["group"] == group])
        if of.empty:
            continue
        here = [name for name in methods if name in set(of["method"])]
        finished = of.groupby("key")["method"].nunique()
        if (finished == len(here)).any():
            of = of[of["key"].isin(finished[finished == len(here)].index)]
        else:
            here = [OURS, LINEAR]
        means = of.groupby("method")[[name for name, *_ in FIGURES[:4]]].mean()
        best = {
            key: (means[key].min() if better == "less" else means[key].max())
            for key, _, _, better in FIGURES[:2]
        }
        cells = []
        for name in methods:
            if name not in means.index:
                cells.append("-")
                continue
            row = means.loc[name]
            scores = [
                _bold(f"{row[key]:.{digits}f}", row[key] == best[key])
                for key, _, digits, _ in FIGURES[:2]
                if math.isfinite(row[key])
            ]
            spent = "" if name == "before" else f", {row['seconds']:.0f} s"
            cells.append(" / ".join(scores) + spent)
        rows.append([f"{title} ({of['key'].nunique()})", *cells])
    return "\n".join([*lines, markdown_table(["pairs", *methods], rows), ""])


def _lost(results: list[dict]) -> str:
    """Name the pairs that a method left worse than the affine stage of mmzoo register."""
    by = {(row["key"], row["method"]): row for row in results}
    lines = []
    for method in METHODS:
        names = []
        for (key, name), row in by.items():
            start = by.get((key, LINEAR))
            if name != method or method == LINEAR or start is None:
                continue
            worse = [
                f"{title} {row[figure]:.{digits}f} for {start[figure]:.{digits}f}"
                for figure, title, digits, better in FIGURES[:2]
                if np.isfinite(row[figure])
                and (row[figure] - start[figure]) * (1 if better == "less" else -1) > 10**-digits
            ]
            if worse:
                said = [note for note in row.get("notes", []) if note.startswith("doubtful")]
                names.append(f"{row['pair']} ({', '.join(worse)}{', doubted' if said else ''})")
        if names:
            lines.append(f"* {method}: {'; '.join(names)}")
    if not lines:
        return ""
    text = "Worse than mmzoo's affine stage by TRE or by Dice (more than 0.01 mm, 0.001):"
    return "\n".join(["## Pairs lost", "", text, "", *lines, ""])


def _still(results: list[dict]) -> str:
    """Return what was moved where nothing moved."""
    lines = [
        "## No motion",
        "",
        f"Two images of one body that lie together. Mean displacement in mm over the anatomy, by "
        f"the whole transform; under {STILL_MM:g} is as it should be.",
        "",
    ]
    frame = pd.DataFrame(results)
    methods = [name for name in METHODS if name in set(frame["method"])]
    rows = []
    for _, of in frame.groupby("key", sort=False):
        cells = [of["pair"].iloc[0]]
        for name in methods:
            one = of[of["method"] == name]
            if one.empty:
                cells.append("-")
                continue
            notes = one["notes"].iloc[0]
            doubt = ", doubtful" if any(note.startswith("doubtful") for note in notes) else ""
            cells.append(f"{one['tre_mm'].iloc[0]:.2f}{doubt}")
        rows.append(cells)
    return "\n".join([*lines, markdown_table(["pair", *methods], rows), ""])


def _pairs(rows: list[dict]) -> str:
    shown = [f for f in FIGURES if any(np.isfinite(row.get(f[0], np.nan)) for row in rows)]
    lines = []
    for key in sorted({row["key"] for row in rows}):
        block = {row["method"]: row for row in rows if row["key"] == key}
        for method in ("before", *METHODS):
            if method in block:
                cells = [_cell(block, method, *figure) for figure in shown]
                lines.append([block[method]["pair"], method, *cells])
    heads = ["pair", "method", *(title for _, title, _, _ in shown)]
    return markdown_table(heads, lines, range(2)) + "\n"


def _cell(block: dict, method: str, key: str, _title, digits: int, better: str) -> str:
    value = block[method].get(key, np.nan)
    if not np.isfinite(value):
        return "-"
    rivals = [row[key] for name, row in block.items() if name != "before" and key in row]
    best = rivals and value == (min(rivals) if better == "less" else max(rivals))
    marked = best and method != "before" and len(rivals) > 1 and min(rivals) < max(rivals)
    return _bold(f"{value:.{digits}f}", bool(marked))


def _bold(text: str, marked: bool) -> str:
    return f"**{text}**" if marked else text
