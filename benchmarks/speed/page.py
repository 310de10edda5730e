"""The page: targets, a table of ratios, seconds and memory, and what it was run on."""

from __future__ import annotations

import itertools
import os
import platform
from pathlib import Path

from benchmarks.speed.laptop import Training, trainings
from benchmarks.speed.limits import least_seconds
from benchmarks.speed.pieces import PIECES
from benchmarks.speed.results import Results, Size, voxels
from benchmarks.speed.runs import PLAIN, name_size
from benchmarks.speed.steps import FORMS, OLD, STEPS
from benchmarks.speed.targets import TARGETS, verdict

OTHERS = ("DeepReg", PLAIN, "MONAI", "ConvexAdam")
UNITS = {"gradient_s": "time", "memory_mb": "memory"}
LAPTOP = (
    "## Laptop benchmarks: how many times as long with everything written plainly\n\n"
    "One training step of the demo, and of each trained row of the papers' tables as `make "
    "benchmark PAPER=... SCALE=laptop` trains it: its configuration, images or patches, batch and "
    "threads. In the plain form every loss, warp and regulariser is as one writes it down first "
    "(`benchmarks/speed/plainly.py`), of the same value; networks and optimizers are the same. "
    "Memory is of the whole process. All steps of a benchmark together count each row's folds and "
    "data sets, not the ablations, and neither reading nor predicting.\n\n"
)


def write_page(out: Path, results: Results, versions: str) -> Path:
    """Write README.md; returns its path."""
    parts = [
        _head(results, versions),
        "## Targets\n\n" + _targets(results),
        "## Pieces: how many times as long the other forms take\n\n"
        "Value and gradient, and how near ours is to what the machine allows.\n\n"
        "![Seconds over voxels](speed.png)\n\n" + _ratios(results),
        "## Pieces: seconds and memory\n\n" + _figures(results),
        "## One training step\n\nBatch 1, Adam; `python benchmarks/step.py` measures any "
        "configuration. Memory is of the whole process.\n\n" + _steps(results),
        LAPTOP + _by_paper(results) + "\n\n" + _by_method(results),
    ]
    path = out / "README.md"
    path.write_text("\n\n".join(parts) + "\n")
    return path


def _head(results: Results, versions: str) -> str:
    bandwidth = results.machine["copied_bytes_s"] / 1e9
    rate = results.machine["multiply_adds_s"] / 1e9
    return (
        "# Speed and memory beside DeepReg, the plain forms, MONAI and ConvexAdam\n\n"
        "By `make benchmark-speed`, which goes on where it was stopped. float32, batch 1, random "
        "volumes. Every figure is from a process of its own, the forms of a piece in turn: the "
        "median of several calls, and of several turns the quickest. Memory is what a first value "
        "and gradient, compilation included, takes at its highest above the inputs. DeepReg is "
        "0.1.2 as it is, on the same TensorFlow unless said; plain is the authors' formulation in "
        "whole tensors and convolutions (`benchmarks/speed/plain.py`).\n\n"
        f"* {os.cpu_count()} cores, {processor()}, {versions}.\n"
        f"* The machine copies {bandwidth:.1f} GB a second (read and written) and does "
        f"{rate:.0f} thousand million multiply-adds a second in a product of matrices. A piece's "
        "limit is the longer of the two: to read its tensors once for the value and once for the "
        "gradient and write that, or its products."
    )


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.machine()


def _table(head: list[str], rows: list[list[str]], words: int = 1) -> str:
    marks = ["---"] * words + ["---:"] * (len(head) - words)
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, marks, *rows))


def _times(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.1f}x"


def _targets(results: Results) -> str:
    rows = [
        [
            PIECES[t.subject].title if t.subject in PIECES else f"training step, {t.subject}",
            f"{UNITS[t.key]} against {t.other}"
            + (f" with {PIECES[t.other_subject].bins} bins" if t.other_subject else ""),
            name_size(t.size),
            f"{t.times:g}x",
            _times(t.measured(results)),
            verdict(t, results),
        ]
        for t in TARGETS
    ]
    return _table(["piece", "of", "size", "target", "measured", ""], rows, words=2)


def _ratios(results: Results) -> str:
    rows = []
    for size in results.sizes(PIECES):
        for name, piece in PIECES.items():
            mine = results.get(name, "mmzoo", size, "gradient_s")
            if mine is None:
                continue
            least = least_seconds(piece, voxels(size), results.machine)
            others = [_other(results, name, other, size) for other in OTHERS]
            rows.append([name_size(size), piece.title, *others, f"{mine / least:.1f}x"])
    return _table(["size", "piece", *OTHERS, "of the limit"], rows, words=2)


def _other(results: Results, name: str, form: str, size: Size) -> str:
    return results.failed(name, form, size) or _times(results.ratio(name, form, size))


def _figures(results: Results) -> str:
    head = ["size", "piece", "form", "value s", "with gradient s", "memory MB", "bytes a voxel"]
    rows = []
    for size in results.sizes(PIECES):
        for name, piece in PIECES.items():
            for form in ("mmzoo", *OTHERS):
                row = [name_size(size), piece.title, form]
                figures = results.figures.get((name, form, size))
                if figures and "failed" in figures:
                    rows.append([*row, *["-"] * 2, figures["failed"], "-"])
                elif figures:
                    memory = figures["memory_mb"]
                    each = memory * 2**20 / voxels(size)
                    times = [f"{figures[key]:.4f}" for key in ("value_s", "gradient_s")]
                    rows.append([*row, *times, f"{memory:.0f}", f"{each:.0f}"])
    return _table(head, rows, words=3)


def _steps(results: Results) -> str:
    head = ["size", "method", "pieces", "s a step", "memory MB", "against mmzoo"]
    rows = []
    for size in results.sizes(STEPS):
        for title in STEPS:
            for form in (*FORMS, OLD):
                row = [name_size(size), title, _named(form)]
                figures = results.figures.get((title, form, size))
                if figures and "failed" in figures:
                    rows.append([*row, "-", figures["failed"], "-"])
                elif figures:
                    ratio = _times(results.ratio(title, form, size))
                    seconds, memory = figures["gradient_s"], figures["memory_mb"]
                    rows.append([*row, f"{seconds:.3f}", f"{memory:.0f}", ratio])
    return _table(head, rows, words=3)


def _named(form: str) -> str:
    return f"DeepReg on {form}" if form == OLD else form


def _by_paper(results: Results) -> str:
    """Return the hours of all steps together."""
    head = ["benchmark", "training steps", "plain, hours", "mmzoo, hours", "plain against mmzoo"]
    rows = []
    for of, group in itertools.groupby(_measured(results), lambda training: training.of):
        each = [(t.steps, *_both(results, t, "gradient_s")) for t in group]
        plain, ours = (sum(n[0] * n[k] for n in each) / 3600 for k in (1, 2))
        steps = sum(n[0] for n in each)
        rows.append([of, str(steps), f"{plain:.2f}", f"{ours:.2f}", _times(plain / ours)])
    return _table(head, rows)


def _by_method(results: Results) -> str:
    head = ["benchmark", "method", "images", "batch", "plain, s a step", "mmzoo, s a step", "time"]
    head += ["plain, MB", "mmzoo, MB", "memory"]
    rows = []
    for t in _measured(results):
        row = [t.of, t.method, name_size(t.size), str(t.batch)]
        for key, digits in (("gradient_s", 3), ("memory_mb", 0)):
            plain, ours = _both(results, t, key)
            row += [f"{plain:.{digits}f}", f"{ours:.{digits}f}", _times(plain / ours)]
        rows.append(row)
    return _table(head, rows, words=3)


def _measured(results: Results) -> list[Training]:
    return [t for t in trainings() if None not in _both(results, t, "gradient_s")]


def _both(results: Results, training: Training, key: str) -> list:
    """Return a figure of a step, plain and ours."""
    forms = (PLAIN, "mmzoo")
    return [results.get(training.subject, form, training.size, key) for form in forms]
