"""The figures of a paper's page: a chosen case of each structure, loss curves, box plots."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from PIL import Image
from scipy.spatial import KDTree

from benchmarks.engine.paper import Run
from benchmarks.engine.results import BEFORE, FIGURES, SHOWN, Results, place_title, places
from benchmarks.engine.tables import grid_line
from mmzoo.checks import check_choice
from mmzoo.config_merge import read_file
from mmzoo.evaluation.errors import PredictionError
from mmzoo.evaluation.prediction import open_prediction
from mmzoo.evaluation.volumes import PairData, read_pair
from mmzoo.evaluation.warp import identity_ddf, warp
from mmzoo.io.atomic import whole_file
from mmzoo.spatial.view import Plane, Turn, frame_slice, planes_through, show_slice, window

DPI = 120
FIXED_COLOUR, MOVING_COLOUR = "#3d9bff", "#ff3b30"
INK, GRID, BOX = "#24292f", "#d8dee4", "#8c959f"
REFERENCE_COLOUR = "#0969da"
PANEL, TOP, BOTTOM, LEFT, GAP = 1.6, 0.24, 0.34, 0.36, 0.04  # inches


# === A case of each structure ===


@dataclass(frozen=True)
class Registered:
    """A pair as one row registered it, and the channel of each label."""

    volumes: PairData
    channels: dict[str, int]


@dataclass(frozen=True)
class Panel:
    """A grey slice, and the contour of a mask that is drawn beside the fixed one's."""

    image: np.ndarray
    contour: np.ndarray | None
    text: str


@dataclass(frozen=True)
class Scene:
    """One row of the figure; a panel is None where the method lacks the case."""

    plane: Plane
    fixed: np.ndarray
    panels: list[Panel | None]


def draw_cases(path: Path, results: Results, out: Path) -> bool:
    """Draw the median case of each structure, one row each, as the paper's Figure 2 does.

    Columns: the fixed image with the moving label before registration, each row of the tables with
    its warped label, the reference's warped image. The case has the reference's median Dice among
    the pairs that all rows have; the axial slice is the one that cuts the most of the data set's
    structures in the fixed image, so that a wall is shown around its cavity.

    Returns:
        Whether there was anything to draw.
    """
    scenes = {
        place: _scene(results, out, place)
        for place in places(results.paper)
        if _is_label(results, place) and median_pair(results, place) is not None
    }
    kept = {place: scene for place, scene in scenes.items() if scene is not None}
    if not kept:
        return False
    reference, rows = results.paper.content["reference"], (BEFORE, *methods_of(results))
    titles = [results.title(row) for row in rows]
    titles.append(f"{results.title(reference)}: warped image")
    figure, axes = _case_layout([scene.plane for scene in kept.values()], len(titles))
    for row, (place, scene) in zip(axes, kept.items(), strict=True):
        data, structure = place.split("/")
        for name, axis, panel in zip((*rows, reference), row, scene.panels, strict=True):
            _draw_panel(axis, scene.plane, scene.fixed, panel)
            axis.set_visible(results.runs_on(name, data))
        label = f"{structure}\n{results.paper.data[data]['title']}"
        row[0].set_ylabel(label, color=INK, fontsize=7)
    for column, title in zip(zip(*axes, strict=True), titles, strict=True):
        shown = next((axis for axis in column if axis.get_visible()), column[0])
        shown.set_title(title, color=INK, fontsize=8.5, pad=4)
    _case_legend(figure)
    save_figure(figure, path)
    return True


def median_pair(results: Results, place: str) -> tuple | None:
    """Return (fold, moving, fixed) of the reference's median Dice on a structure.

    Among the pairs that every row of the tables with cases on these data has; the lower of the two
    in the middle. None if the reference has no cases.
    """
    values = {row: results.values(row, place, "dice") for row in methods_of(results)}
    reference = values[results.paper.content["reference"]]
    for own in values.values():
        if len(own):
            reference = reference[reference.index.isin(own.index)]
    if not len(reference):
        return None
    ranked = reference.sort_values(kind="stable")
    return tuple(ranked.index[(len(ranked) - 1) // 2])


def largest_slice(mask: np.ndarray) -> int:
    """Return the number of the axial slice, the last axis, that cuts the most of a mask."""
    return int(np.argmax(mask.sum(axis=(0, 1))))


def _scene(results: Results, out: Path, place: str) -> Scene | None:
    """Return what is drawn of one structure; None if its case was not kept."""
    data, structure = place.split("/")
    pair = median_pair(results, place)
    titles = {title: label for label, title in results.paper.labels(data).items()}
    rows = [BEFORE, *methods_of(results)]
    dice = {row: results.values(row, place, "dice").get(pair) for row in rows}
    found = {
        row: read_registered(
            out / Run(data, row, pair[0]).folder / "predict", pair, titles.values()
        )
        for row in rows[1:]
        if dice[row] is not None
    }
    reference = found.get(results.paper.content["reference"])
    if reference is None:
        return None
    volumes = reference.volumes
    still = identity_ddf(volumes.fixed.shape)
    found[BEFORE] = replace(reference, volumes=replace(volumes, ddf=still))
    turn = Turn.from_affine(volumes.affine)
    masks = {
        title: turn.volume(volumes.fixed_labels[reference.channels[label]].astype(np.float32))
        for title, label in titles.items()
    }
    centre = (0, 0, largest_slice(masks[structure]))
    plane = planes_through(centre, masks[structure].shape, turn.spacing_mm)[0]

    def cut(volume: np.ndarray) -> np.ndarray:
        return plane.slice(turn.volume(volume))

    def panel(row: str) -> Panel | None:
        own = found.get(row)
        if own is None or own.volumes.ddf.shape != volumes.ddf.shape:
            return None
        label = own.volumes.moving_labels[own.channels[titles[structure]]]
        contour = cut(warp(label, own.volumes.ddf))
        return Panel(cut(grey(volumes.fixed)), contour, f"Dice {dice[row]:.1f} %")

    warped = grey(warp(volumes.moving, volumes.ddf), like=volumes.moving)
    panels = [*(panel(row) for row in rows), Panel(cut(warped), None, "")]
    return Scene(plane, plane.slice(masks[structure]), panels)


def _is_label(results: Results, place: str) -> bool:
    """Whether a structure has a label of its own, and is not the union of all."""
    data, _, structure = place.partition("/")
    return structure in results.paper.labels(data).values()


def methods_of(results: Results) -> list[str]:
    return [row.name for row in results.paper.rows.values() if row.kind == "row"]


def read_registered(folder: Path, pair: tuple, labels: Iterable[str]) -> Registered | None:
    """Return a pair of a prediction folder; None if it, or one of the labels, is not there."""
    try:
        prediction = open_prediction(folder.resolve())
    except PredictionError:
        return None
    channels = {name: channel for channel, name in enumerate(prediction.structures)}
    for entry in prediction.pairs:
        if (entry.moving_name, entry.fixed_name) == pair[1:] and channels.keys() >= set(labels):
            return Registered(read_pair(entry), channels)
    return None


def grey(image: np.ndarray, like: np.ndarray | None = None) -> np.ndarray:
    low, high = window(image if like is None else like)
    return np.clip((image - low) / (high - low), 0.0, 1.0)


def _case_layout(planes: list[Plane], columns: int) -> tuple[Figure, list[list[Axes]]]:
    """Give each row the height that its slice has at the common width."""
    heights = [PANEL * (p.extent[3] - p.extent[2]) / (p.extent[1] - p.extent[0]) for p in planes]
    width = LEFT + columns * (PANEL + GAP)
    height = TOP + BOTTOM + sum(heights) + GAP * (len(heights) - 1)
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    axes, top = [], height - TOP
    for own in heights:
        row = []
        for column in range(columns):
            left = LEFT + column * (PANEL + GAP)
            box = (left / width, (top - own) / height, PANEL / width, own / height)
            row.append(figure.add_axes(box, facecolor="black"))
        axes.append(row)
        top -= own + GAP
    return figure, axes


def _draw_panel(axis: Axes, plane: Plane, fixed: np.ndarray, panel: Panel | None) -> None:
    frame_slice(axis, plane, 5.5)
    if panel is None:
        axis.text(0.5, 0.5, "missing", color="white", ha="center", transform=axis.transAxes)
        return
    show_slice(axis, plane, panel.image)
    draw_contour(axis, plane, fixed, FIXED_COLOUR)
    if panel.contour is not None:
        draw_contour(axis, plane, panel.contour, MOVING_COLOUR)
    place = {"transform": axis.transAxes, "va": "top", "fontsize": 7}
    axis.text(0.04, 0.97, panel.text, color="white", **place)


def draw_contour(axis: Axes, plane: Plane, mask: np.ndarray, colour: str) -> None:
    if mask.max() < 0.5 or mask.min() >= 0.5:
        return
    left, right, bottom, top = plane.extent
    rows, columns = mask.shape
    x = left + (right - left) / columns * (np.arange(columns) + 0.5)
    y = bottom + (top - bottom) / rows * (np.arange(rows) + 0.5)
    axis.contour(x, y, mask, levels=[0.5], colors=[colour], linewidths=1.3)


def _case_legend(figure: Figure) -> None:
    lines = [
        Line2D([], [], color=colour, lw=1.8, label=text)
        for colour, text in (
            (FIXED_COLOUR, "label of the fixed image"),
            (MOVING_COLOUR, "label of the moving image, as it is or warped"),
        )
    ]
    figure.legend(handles=lines, loc="lower center", ncols=2, frameon=False, fontsize=8.5)


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
        figures: of `results.FIGURES`.
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
    rows = [row for row in (BEFORE, *methods_of(results)) if _is_run(results, row, kept)]
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
    parts = axis.violinplot([values], positions=[at], widths=0.8, showextrema=False)
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
    line = grid_line(results) if len(grid["axes"]) == 1 else []
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


# === Shared ===


def plain(axis: Axes) -> None:
    axis.grid(axis="y", color=GRID, linewidth=0.6)
    axis.set_axisbelow(True)
    axis.tick_params(labelsize=7.5, colors=INK, length=2)
    axis.spines[["top", "right"]].set_visible(False)
    axis.spines[["left", "bottom"]].set_color(GRID)


def save_figure(figure: Figure, path: Path) -> None:
    """Write a PNG with a palette, less than half the size of true colour."""
    write_png(render(figure), _palette(), path)


def write_png(pixels: np.ndarray, palette: np.ndarray, path: Path) -> None:
    """Write pixels (rows, columns, 3) in the nearest colours of a palette (at most 256, 3)."""
    numbers, where = np.unique(pixels @ (1 << 16, 1 << 8, 1), return_inverse=True)
    colours = numbers[:, None] >> (16, 8, 0) & 255
    nearest = KDTree(palette).query(colours)[1].astype(np.uint8)
    image = Image.fromarray(nearest[where].reshape(pixels.shape[:2]))
    image.putpalette(palette.astype(np.uint8).tobytes())
    with whole_file(path) as partial:
        image.save(partial, optimize=True)


def render(figure: Figure) -> np.ndarray:
    """Return a figure's pixels, (rows, columns, 3), uint8."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


def _palette() -> np.ndarray:
    """Return 52 greys, and our colours with what their antialiased rims mix with, (n, 3).

    A palette found from the picture would give the thin contours' colours up for more greys.
    """
    greys = np.arange(0, 256, 5)[:, None] * np.ones(3)
    mixed = [greys]
    for name in (FIXED_COLOUR, MOVING_COLOUR, REFERENCE_COLOUR):
        colour = 255 * np.array(to_rgb(name))
        mixed += [share * colour + (1 - share) * greys[::10] for share in (0.25, 0.5, 0.75, 1)]
    return np.round(np.concatenate(mixed))
