"""The charts of a paper's page: loss curves, box plots, the line along a grid of one setting."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from benchmarks.engine.drawing import BOX, DPI, INK, REFERENCE_COLOUR, plain, save_figure
from benchmarks.engine.grid import grid_line
from benchmarks.engine.measures import FIGURES, SHOWN
from benchmarks.engine.paper import Run
from benchmarks.engine.results import BEFORE, Results, place_title, places
from mmzoo.checks import check_choice
from mmzoo.config_merge import read_file

# === Loss curves ===


def draw_losses(path: Path, results: Results, out: Path) -> bool:
    """Draw the training loss of each network and data set, a thin line for each fold.

    Dashed: the loss on validation pairs, where there are any. Returns whether there was anything.
    """
    curves = {}
    for run in results.paper.runs:
        trained = results.paper.training(run)
        if results.paper.rows[run.row].kind == "row" and trained not in curves:
            curves[trained] = read_losses(out / trained.folder / "train")
    curves = {trained: found for trained, found in curves.items() if found}
    if not curves:
        return False
    rows = list(dict.fromkeys(run.row for run in curves))
    data = list(dict.fromkeys(run.data for run in curves))
    size = (0.5 + 2.7 * len(data), 0.3 + 1.9 * len(rows))
    figure = Figure(figsize=size, dpi=DPI, facecolor="white", layout="constrained")
    axes = figure.subplots(len(rows), len(data), squeeze=False)
    for row, line in zip(rows, axes, strict=True):
        for name, axis in zip(data, line, strict=True):
            own = {
                run: found for run, found in curves.items() if (run.row, run.data) == (row, name)
            }
            _draw_curves(axis, own)
            title = f"{results.title(row)}, {results.paper.every_data[name]['title']}"
            axis.set_title(title, fontsize=8.5, color=INK)
    figure.supxlabel("training steps", fontsize=8.5, color=INK)
    figure.supylabel("loss", fontsize=8.5, color=INK)
    save_figure(figure, path)
    return True


def read_losses(folder: Path) -> dict[str, np.ndarray]:
    """Return the loss after each epoch of a DeepReg log folder, (epochs, 2): step and loss.

    Args:
        folder: holds `config.yaml`, `train` and, with validation pairs, `validation`.

    Returns:
        By "train" and "validation"; empty where nothing was logged.
    """
    if not (folder / "config.yaml").is_file():
        return {}
    steps = read_file(folder / "config.yaml")["train"].get("steps_per_epoch", 1)
    found = {}
    for name in ("train", "validation"):
        values = _read_events(folder / name)
        if values:
            found[name] = np.array([((epoch + 1) * steps, loss) for epoch, loss in values.items()])
    return found


def _read_events(folder: Path, tag: str = "epoch_loss") -> dict[int, float]:
    """Return a logged value by epoch; of an epoch that was trained again, the last."""
    if not any(folder.glob("events.out.tfevents*")):
        return {}
    # Late, since it loads TensorFlow.
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    events = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    events.Reload()
    if tag not in events.Tags()["tensors"]:
        return {}
    logged = {event.step: float(make_ndarray(event.tensor_proto)) for event in events.Tensors(tag)}
    return dict(sorted(logged.items()))


def _draw_curves(axis: Axes, curves: dict[Run, dict[str, np.ndarray]]) -> None:
    for found in curves.values():
        for name, points in found.items():
            style = {"train": "-", "validation": "--"}[name]
            axis.plot(*points.T, style, color=REFERENCE_COLOUR, lw=0.8, marker=".", ms=3, alpha=0.7)
    axis.set_xlim(left=0)
    axis.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    plain(axis)


# === Box plots ===


def draw_boxes(
    path: Path,
    results: Results,
    figures: Iterable[str] = SHOWN,
    data: Iterable[str] | None = None,
    kind: str = "box",
) -> bool:
    """Draw figures over pairs, one panel a structure (or image), one box or violin a method.

    A line of panels for each figure, or one line in all where each figure has one panel.

    Args:
        path: of the picture.
        results: what was measured.
        figures: of `measures.FIGURES`.
        data: data sets; all of the scale if None.
        kind: "box" or "violin".

    Returns:
        Whether the scale has any of the data.

    Raises:
        ValueError: there is no such kind.
    """
    check_choice("kind of boxes", kind, DRAWN)
    kept = [name for name in results.paper.data if data is None or name in data]
    if not kept:
        return False
    rows = [row for row in (BEFORE, *results.methods) if _is_run(results, row, kept)]
    lines = _panels_of_boxes(results, figures, kept)
    columns = max(len(line) for line in lines)
    size = (0.4 + (0.5 + 0.3 * len(rows)) * columns, 2.3 * len(lines) + 0.4)
    figure = Figure(figsize=size, dpi=DPI, facecolor="white", layout="constrained")
    axes = figure.subplots(len(lines), columns, squeeze=False)
    for number, (line, own) in enumerate(zip(lines, axes, strict=True)):
        above = lines[number - 1] if number else []
        for panel, axis, over in itertools.zip_longest(line, own, above):
            if panel is None:
                axis.set_axis_off()
                continue
            _draw_box(axis, results, rows, panel[1], panel[0], kind)
            if over is None or over[1] != panel[1]:
                structure = panel[1].partition("/")[2] if len(kept) == 1 else ""
                title = structure or place_title(results.paper, panel[1])
                axis.set_title(title, fontsize=8.5, color=INK)
            if len(lines) == 1 or axis is own[0]:
                axis.set_ylabel(FIGURES[panel[0]].heading, fontsize=8.5, color=INK)
    for column in axes.T:
        _name_boxes([axis for axis in column if axis.axison], results, rows)
    save_figure(figure, path)
    return True


def _is_run(results: Results, row: str, data: Iterable[str]) -> bool:
    return any(results.runs_on(row, name) for name in data)


def _panels_of_boxes(
    results: Results, figures: Iterable[str], data: list[str]
) -> list[list[tuple[str, str]]]:
    """Return (figure, place) of each panel, line by line."""
    lines = [
        [(name, at) for at in places(results.paper, name) if at.split("/")[0] in data]
        for name in figures
    ]
    return lines if max(map(len, lines)) > 1 else [list(itertools.chain(*lines))]


def _name_boxes(axes: list[Axes], results: Results, rows: list[str]) -> None:
    """Name the methods below the lowest panel of a column."""
    for axis in axes[:-1]:
        axis.set_xticks(range(len(rows)), [])
    axes[-1].set_xticks(range(len(rows)), [results.title(row) for row in rows])
    axes[-1].tick_params(axis="x", rotation=50)
    for label in axes[-1].get_xticklabels():
        label.set(ha="right", rotation_mode="anchor")


def _draw_box(
    axis: Axes, results: Results, rows: list[str], place: str, name: str, kind: str
) -> None:
    for at, row in enumerate(rows):
        values = results.values(row, place, name).dropna().to_numpy()
        if not len(values) or (name, row) == ("folding", BEFORE):
            continue
        reference = row == results.paper.content["reference"]
        colour = REFERENCE_COLOUR if reference else BOX
        DRAWN[kind](axis, values, at, colour)
    axis.set_xlim(-0.6, len(rows) - 0.4)
    plain(axis)


def _box(axis: Axes, values: np.ndarray, at: int, colour: str) -> None:
    line = {"color": colour, "linewidth": 1.1}
    axis.boxplot(
        [values],
        positions=[at],
        widths=0.6,
        boxprops=line,
        whiskerprops=line,
        capprops=line,
        medianprops={"color": colour, "linewidth": 2.0},
        flierprops={"marker": ".", "markersize": 3, "markeredgecolor": colour},
        manage_ticks=False,
    )


def _violin(axis: Axes, values: np.ndarray, at: int, colour: str) -> None:
    """Draw a violin with quartiles, its median thick."""
    parts: dict[str, Any] = axis.violinplot([values], positions=[at], widths=0.8, showextrema=False)
    for body in parts["bodies"]:
        body.set(facecolor=colour, edgecolor="none", alpha=0.35)
    low, median, high = np.percentile(values, (25, 50, 75))
    axis.vlines(at, low, high, color=colour, lw=1.1)
    axis.hlines(median, at - 0.18, at + 0.18, color=colour, lw=2.0)


DRAWN = {"box": _box, "violin": _violin}


# === A grid of one setting ===


def draw_line(path: Path, results: Results, out: Path) -> bool:
    """Draw the folding along a grid of one setting, as van Ulsen's Figure 4.1; Dice beside it.

    Returns:
        Whether the grid has at least two points with cases.
    """
    grid = results.paper.content.get("ablations", {}).get("grid", {"axes": {}})
    line = grid_line(results) if len(grid["axes"]) == 1 else pd.DataFrame()
    if len(line) < 2:
        return False
    figure = Figure(figsize=(5.4, 2.5), dpi=DPI, facecolor="white", layout="constrained")
    (name,), axes = grid["axes"], figure.subplots(1, 2)
    for axis, column in zip(axes, ("folding", "dice"), strict=True):
        axis.plot(range(len(line)), line[column], color=REFERENCE_COLOUR, lw=1.2, marker=".")
        axis.set_xticks(range(len(line)), [f"{value:g}" for value in line["value"]])
        axis.set_xlabel(name, fontsize=8.5, color=INK)
        axis.set_ylabel(f"{column.capitalize()} %", fontsize=8.5, color=INK)
        plain(axis)
    save_figure(figure, path)
    return True
