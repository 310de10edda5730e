"""The page of the comparison: one table a kind of data, and how often each method was best."""

import os
import platform
from pathlib import Path

import numpy as np

from benchmarks.registration.methods import METHODS, settings

FIGURES = (  # key, title, digits, better
    ("tre_mm", "TRE mm", 2, "less"),
    ("dice", "Dice", 3, "more"),
    ("folding_percent", "folding %", 3, "less"),
    ("seconds", "s", 0, "less"),
    ("processor_seconds", "processor s", 0, "less"),
    ("memory_mb", "memory MB", 0, "less"),
)
TITLES = {
    "brain labels": "Brains of label maps",
    "brain": "Brain phantom",
    "heart": "Heart phantom",
    "abdomen": "Abdomen phantom",
    "breast": "Breast phantom",
    "cine": "Cine heart phantom",
    "spine": "Spine phantom",
    "spine crops": "Spine crops of two people",
}


def write_page(out: Path, results: list[dict], failed: list[dict]) -> Path:
    """Write README.md from what was measured, and what gave up; returns its path."""
    parts = [_head(results)]
    if failed:
        lines = [f"* {row['method']}, {row['pair']}: {row['failed']}" for row in failed]
        parts.append("## Given up\n\nCounted nowhere.\n\n" + "\n".join(lines) + "\n")
    for group, title in TITLES.items():
        rows = [row for row in results if row["group"] == group]
        if rows:
            parts.append(f"## {title}\n\n{_tables(rows)}")
    path = out / "README.md"
    path.write_text("\n".join(parts))
    return path


def _head(results: list[dict]) -> str:
    pairs = sorted({row["key"] for row in results})
    lines = [
        "# mmzoo register beside ANTs SyN and elastix",
        "",
        "By `python benchmarks/register.py`, which goes on where it was stopped. Each registration "
        "runs in a process of its own; seconds are from the import of the library until there is a "
        "transform, in turns on one machine, so compare them within a pair; memory is what the "
        "process grew by. TRE is over the anatomy, from the true field where the two images show "
        "one person; Dice is the mean of the structures, carried by nearest neighbour. Settings "
        "were chosen once for all, on other pairs than these. All methods start from the same "
        "rigid and affine stage (spine crops: their middles), whose seconds count for each.",
        "",
        _verdict(results),
        "",
        *(f"* {name}: {text}" for name, text in settings().items()),
        f"* {len(pairs)} pairs; {os.cpu_count()} cores, "
        f"{platform.machine()}, Python {platform.python_version()}.",
        "",
    ]
    return "\n".join(lines)


def _verdict(results: list[dict]) -> str:
    """Say how often mmzoo was better and quicker than each of the others."""
    by = {(row["key"], row["method"]): row for row in results}
    lines = [
        "| mmzoo register against | better | on most pairs of | processor time of it |",
        "| --- | ---: | ---: | ---: |",
    ]
    for other in ("ANTs SyN", "elastix"):
        both = [
            (by[key, "mmzoo register"], by[key, other])
            for key in sorted({key for key, _ in by})
            if (key, other) in by and (key, "mmzoo register") in by
        ]
        if both:
            won = sum(_better(a, b) for a, b in both)
            kinds = [_lead(both, kind) for kind in sorted({a["group"] for a, _ in both})]
            ratio = np.median([b["processor_seconds"] / a["processor_seconds"] for a, b in both])
            lines.append(
                f"| {other} | {won} of {len(both)} pairs | {sum(kinds)} of {len(kinds)} kinds | "
                f"{ratio:.1f} times ours |"
            )
    return "\n".join(lines)


def _lead(both: list, kind: str) -> bool:
    """Say whether mmzoo was better on more than half of a kind's pairs."""
    won = [_better(mine, other) for mine, other in both if mine["group"] == kind]
    return sum(won) > len(won) / 2


def _better(mine: dict, other: dict) -> bool:
    """By TRE where the truth is known, else by Dice."""
    if np.isfinite(mine["tre_mm"]):
        return mine["tre_mm"] < other["tre_mm"]
    return mine["dice"] > other["dice"]


def _tables(rows: list[dict]) -> str:
    shown = [f for f in FIGURES if any(np.isfinite(row.get(f[0], np.nan)) for row in rows)]
    lines = ["| pair | method | " + " | ".join(title for _, title, _, _ in shown) + " |"]
    lines.append("| --- | --- |" + " ---: |" * len(shown))
    for key in sorted({row["key"] for row in rows}):
        block = {row["method"]: row for row in rows if row["key"] == key}
        for method in ("before", *METHODS):
            if method in block:
                cells = [_cell(block, method, *figure) for figure in shown]
                lines.append(f"| {block[method]['pair']} | {method} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(block: dict, method: str, key: str, _title, digits: int, better: str) -> str:
    value = block[method].get(key, np.nan)
    if not np.isfinite(value):
        return "-"
    rivals = [row[key] for name, row in block.items() if name != "before" and key in row]
    best = rivals and value == (min(rivals) if better == "less" else max(rivals))
    text = f"{value:.{digits}f}"
    marked = best and method != "before" and len(rivals) > 1 and min(rivals) < max(rivals)
    return f"**{text}**" if marked else text
