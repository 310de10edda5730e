"""The figure of cases: the median case of each structure, before and after each method."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmarks.engine.drawing import (
    FIXED_COLOUR,
    INK,
    MOVING_COLOUR,
    draw_contour,
    save_figure,
    slice_layout,
)
from benchmarks.engine.median_case import largest_slice, median_pair, read_registered
from benchmarks.engine.paper import Run
from benchmarks.engine.results import BEFORE, Results, places
from mmzoo.evaluation.scipy_warp import identity_ddf, warp
from mmzoo.spatial.view import Plane, Turn, frame_slice, grey, planes_through, show_slice


@dataclass(frozen=True)
class Panel:
    """A grey slice, and the contour of a mask that is drawn beside the fixed one's."""

    image: np.ndarray
    contour: np.ndarray | None
    text: str


@dataclass(frozen=True)
class CaseRow:
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
        if _is_label(results, place)
    }
    kept = {place: scene for place, scene in scenes.items() if scene is not None}
    if not kept:
        return False
    reference, rows = results.paper.content["reference"], (BEFORE, *results.methods)
    titles = [results.title(row) for row in rows]
    titles.append(f"{results.title(reference)}: warped image")
    figure, axes = slice_layout([scene.plane for scene in kept.values()], len(titles))
    for row, (place, scene) in zip(axes, kept.items(), strict=True):
        data, structure = place.split("/")
        for name, axis, panel in zip((*rows, reference), row, scene.panels, strict=True):
            _draw_panel(axis, scene.plane, scene.fixed, panel)
            axis.set_visible(results.runs_on(name, data))
        label = f"{structure}\n{results.paper.data[data]['title']}"
        row[0].set_ylabel(label, color=INK, fontsize=7)
    for column, title in zip(zip(*axes, strict=True), titles, strict=True):
        top = next((axis for axis in column if axis.get_visible()), column[0])
        top.set_title(title, color=INK, fontsize=8.5, pad=4)
    _case_legend(figure)
    save_figure(figure, path)
    return True


def _scene(results: Results, out: Path, place: str) -> CaseRow | None:
    """Return what is drawn of one structure; None without cases, or if its case was not kept."""
    data, structure = place.split("/")
    pair = median_pair(results, place)
    if pair is None:
        return None
    titles = {title: label for label, title in results.paper.labels(data).items()}
    rows = [BEFORE, *results.methods]
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
    return CaseRow(plane, plane.slice(masks[structure]), panels)


def _draw_panel(axis: Axes, plane: Plane, fixed: np.ndarray, panel: Panel | None) -> None:
    frame_slice(axis, plane, 5.5)
    if panel is None:
        axis.text(0.5, 0.5, "missing", color="white", ha="center", transform=axis.transAxes)
        return
    show_slice(axis, plane, panel.image)
    draw_contour(axis, plane, fixed, FIXED_COLOUR)
    if panel.contour is not None:
        draw_contour(axis, plane, panel.contour, MOVING_COLOUR)
    axis.text(0.04, 0.97, panel.text, color="white", transform=axis.transAxes, va="top", fontsize=7)


def _case_legend(figure: Figure) -> None:
    lines = [
        Line2D([], [], color=colour, lw=1.8, label=text)
        for colour, text in (
            (FIXED_COLOUR, "label of the fixed image"),
            (MOVING_COLOUR, "label of the moving image, as it is or warped"),
        )
    ]
    figure.legend(handles=lines, loc="lower center", ncols=2, frameon=False, fontsize=8.5)


def _is_label(results: Results, place: str) -> bool:
    """Whether a structure has a label of its own, and is not the union of all."""
    data, _, structure = place.partition("/")
    return structure in results.paper.labels(data).values()
