"""The page: targets, a table of ratios, seconds and memory, and what it was run on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from benchmarks.speed.limits import least_seconds
from benchmarks.speed.pieces import PIECES
from benchmarks.speed.processors import Processor
from benchmarks.speed.results import Size, SpeedResults, voxels
from benchmarks.speed.runs import PLAIN, name_size
from benchmarks.speed.steps import FORMS, OLD, STEPS
from benchmarks.speed.summary import summary
from benchmarks.speed.targets import TARGETS, verdict
from mmzoo.report.markdown import markdown_table

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


def write_page(
    out: Path, results: SpeedResults, versions: str, processors: Sequence[Processor]
) -> Path:
    """Write README.md; returns its path.

    Args:
        out: folder of the page.
        results: of this processor.
        versions: what was measured with.
        processors: the ratios of this one, then of others.
    """
    parts = [
        _head(results, versions, processors[0]),
        *filter(None, [summary(results, processors[0].processor)]),
        "## Targets\n\n" + _elsewhere(processors) + _targets(results, processors),
        "## Pieces: how many times as long the other forms take\n\n"
        "Value and gradient, and how near ours is to what the machine allows.\n\n"
        "![Seconds over voxels](speed.png)\n\n" + _ratios(results),
        "## Pieces: seconds and memory\n\n" + _figures(results),
        "## One training step\n\nBatch 1, Adam; `python benchmarks/step.py` measures any "
        "configuration. Memory is of the whole process. [What a step is made of](parts.md): its "
        "convolutions, its losses and warps.\n\n" + _steps(results),
        LAPTOP + _by_paper(results) + "\n\n" + _by_method(results),
    ]
    path = out / "README.md"
    path.write_text("\n\n".join(parts) + "\n")
    return path


def _head(results: SpeedResults, versions: str, here: Processor) -> str:
    bandwidth, operations, products = (
        results.machine[key] / 1e9 for key in ("copied_bytes_s", "operations_s", "multiply_adds_s")
    )
    return (
        "# Speed and memory beside DeepReg, the plain forms, MONAI and ConvexAdam\n\n"
        "By `make benchmark-speed`, which goes on where it was stopped. float32, batch 1, random "
        "volumes. Every figure is from a process of its own, the forms of a piece in turn: the "
        "median of several calls, and of several turns the quickest. Memory is what a first value "
        "and gradient, compilation included, takes at its highest above the inputs. DeepReg is "
        "0.1.2 as it is, on the same TensorFlow unless said; plain is the authors' formulation in "
        "whole tensors and convolutions (`benchmarks/speed/plain.py`).\n\n"
        f"* {os.cpu_count()} cores, {here.processor}, {versions}.\n"
        f"* The machine copies {bandwidth:.1f} GB a second (read and written), does "
        f"{operations:.0f} thousand million additions a second of numbers in its cache, and "
        f"{products:.0f} thousand million multiply-adds a second in a product of matrices. A "
        "piece's limit is the longest of three: to read its tensors once for the value and once "
        "for the gradient and write that (memory); the additions, multiplications, roots and "
        "exponentials of the best algorithm known, such as running sums, each taking as long as an "
        "addition in the cache (operations); its products of matrices (products). For the local "
        "similarities and SEGI it is the operations, ten times as long as reading the volumes."
    )


def _elsewhere(processors: Sequence[Processor]) -> str:
    """Say of what processors there are columns."""
    if len(processors) == 1:
        return ""
    said = " and ".join(f"{each.processor} ({each.date})" for each in processors[1:])
    return (
        "A target is met where every processor meets it. Of other processors the page has the "
        f"ratios alone, of the code of that day: {said}.\n\n"
    )


def _times(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.1f}x"


def _targets(results: SpeedResults, processors: Sequence[Processor]) -> str:
    rows = []
    for t in TARGETS:
        elsewhere = [each.ratios.get(t.name) for each in processors[1:]]
        rows.append(
            [
                PIECES[t.subject].title if t.subject in PIECES else f"training step, {t.subject}",
                f"{UNITS[t.key]} against {t.other}"
                + (f" with {PIECES[t.other_subject].bins} bins" if t.other_subject else ""),
                name_size(t.size),
                f"{t.times:g}x",
                *map(_times, (t.measured(results), *elsewhere)),
                verdict(t, results, elsewhere),
            ]
        )
    names = [each.processor for each in processors]
    return markdown_table(["piece", "of", "size", "target", *names, ""], rows, range(2))


def _ratios(results: SpeedResults) -> str:
    rows = []
    for size in results.sizes(PIECES):
        for name, piece in PIECES.items():
            mine = results.get(name, "mmzoo", size, "gradient_s")
            if mine is None:
                continue
            least = least_seconds(piece, voxels(size), results.machine)
            limit, seconds = max(least.items(), key=lambda item: item[1])
            others = [_other(results, name, other, size) for other in OTHERS]
            of_limit = f"{mine / seconds:.1f}x"
            rows.append([name_size(size), piece.title, *others, of_limit, limit])
    return markdown_table(["size", "piece", *OTHERS, "of the limit", "which is"], rows, range(2))


def _other(results: SpeedResults, name: str, form: str, size: Size) -> str:
    return results.failed(name, form, size) or _times(results.ratio(name, form, size))


def _figures(results: SpeedResults) -> str:
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
    return markdown_table(head, rows, range(3))


def _steps(results: SpeedResults) -> str:
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
    return markdown_table(head, rows, range(3))


def _named(form: str) -> str:
    return f"DeepReg on {form}" if form == OLD else form


def _by_paper(results: SpeedResults) -> str:
    """Return the hours of all steps together."""
    head = ["benchmark", "training steps", "plain, hours", "mmzoo, hours", "plain against mmzoo"]
    rows = [
        [of, str(steps), f"{plain:.2f}", f"{ours:.2f}", _times(plain / ours)]
        for of, (steps, plain, ours) in results.hours().items()
    ]
    return markdown_table(head, rows)


def _by_method(results: SpeedResults) -> str:
    head = ["benchmark", "method", "images", "batch", "plain, s a step", "mmzoo, s a step", "time"]
    head += ["plain, MB", "mmzoo, MB", "memory"]
    rows = []
    for t in results.laptop():
        row = [t.of, t.method, name_size(t.size), str(t.batch)]
        for key, digits in (("gradient_s", 3), ("memory_mb", 0)):
            plain, ours = results.both(t, key)
            row += [f"{plain:.{digits}f}", f"{ours:.{digits}f}", _times(plain / ours)]
        rows.append(row)
    return markdown_table(head, rows, range(3))
