"""Figures of whole images: registrations with their fields, and translations as training goes on.

As Figures 2 and 3 of Zhang 2020. The case is the reference's median one, as for
`figures.draw_cases`, and the slice the axial one that cuts the most of its structure.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from benchmarks.engine.drawing import INK, save_figure, slice_layout
from benchmarks.engine.median_case import (
    Registered,
    largest_slice,
    median_pair,
    read_registered,
)
from benchmarks.engine.paper import Run
from benchmarks.engine.results import Results
from mmzoo.evaluation.scipy_warp import warp
from mmzoo.evaluation.volumes import PairData
from mmzoo.spatial.view import Plane, Turn, frame_slice, grey, planes_through, show_slice

EVERY_MM = 12.0  # between the lines that show a field


@dataclass(frozen=True)
class View:
    """A pair of the reference row, and how it is cut."""

    data: str
    pair: tuple
    labels: tuple[str, ...]
    volumes: PairData
    turn: Turn
    plane: Plane

    def grey(self, image: np.ndarray, like: np.ndarray | None = None) -> np.ndarray:
        """Return the slice of an image in [0, 1]."""
        return self.plane.slice(self.turn.volume(grey(image, like)))

    def lines(self, ddf: np.ndarray) -> list[np.ndarray]:
        """Return where in the moving image, in mm, a field takes the slice, along both its axes."""
        field = self.turn.field(ddf)
        moved = np.moveaxis(np.indices(field.shape[:-1]), 0, -1) + field
        axes = (self.plane.right, self.plane.up)
        return [self.plane.slice(moved[..., i] * self.turn.spacing_mm[i]) for i in axes]


def draw_registration(path: Path, results: Results, out: Path) -> bool:
    """Draw the median case of each data set under `registration`, images above their fields.

    Columns: fixed image, moving image above the true field, then each row of the tables.

    Returns:
        Whether there was anything to draw.
    """
    wanted = results.paper.content.get("registration", ())
    found = [_view(results, out, data) for data in wanted if data in results.paper.data]
    views = [view for view in found if view is not None]
    if not views:
        return False
    methods = results.methods
    planes = [view.plane for view in views for _ in range(2)]
    figure, axes = slice_layout(planes, 2 + len(methods))
    for view, images, fields in zip(views, axes[::2], axes[1::2], strict=True):
        own = [_volumes(view, out, Run(view.data, row, view.pair[0])) for row in methods]
        pair = [view.grey(view.volumes.fixed), view.grey(view.volumes.moving)]
        slices = [*pair, *(_warped(view, each) for each in own)]
        for axis, image in zip(images, slices, strict=True):
            _show(axis, view.plane, image)
        ddfs = [None if each is None else each.volumes.ddf for each in own]
        for axis, ddf in zip(fields, [None, view.volumes.true_ddf, *ddfs], strict=True):
            _show_field(axis, view, ddf)
        images[0].set_ylabel(results.paper.data[view.data]["title"], color=INK, fontsize=7)
    for axis, title in zip(axes[0], ["fixed", "moving", *map(results.title, methods)], strict=True):
        axis.set_title(title, color=INK, fontsize=8.5, pad=4)
    save_figure(figure, path)
    return True


def draw_stages(path: Path, results: Results, out: Path) -> bool:
    """Draw warped and translated image of the stages' rows, one line an epoch.

    Returns:
        Whether there was anything to draw.
    """
    stages = [row for row in results.paper.rows.values() if row.kind == "stage"]
    if not stages:
        return False
    data = next(run.data for run in results.paper.runs if run.row == stages[0].name)
    view = _view(results, out, data)
    if view is None:
        return False
    methods = list(dict.fromkeys(row.of for row in stages if row.of))
    epochs = list(dict.fromkeys(row.epoch for row in stages))
    figure, axes = slice_layout([view.plane] * len(epochs), 1 + 2 * len(methods))
    names = {(row.of, row.epoch): row.name for row in stages}
    for epoch, line in zip(epochs, axes, strict=True):
        _show(line[0], view.plane, view.grey(view.volumes.fixed))
        line[0].set_ylabel(f"epoch {epoch}", color=INK, fontsize=8.5)
        for method, pair in zip(methods, zip(line[1::2], line[2::2], strict=True), strict=True):
            own = _volumes(view, out, Run(data, names[method, epoch], view.pair[0]))
            for axis, image in zip(pair, _warped_and_translated(view, own), strict=True):
                _show(axis, view.plane, image)
    titles = ["fixed"]
    for method in methods:
        titles += [f"{results.title(method)}: warped", "translated"]
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set_title(title, color=INK, fontsize=7.5, pad=4)
    save_figure(figure, path)
    return True


def _warped(view: View, own: Registered | None) -> np.ndarray | None:
    if own is None:
        return None
    return view.grey(warp(own.volumes.moving, own.volumes.ddf), own.volumes.moving)


def _warped_and_translated(view: View, own: Registered | None) -> list[np.ndarray | None]:
    if own is None or own.volumes.translated is None:
        return [None, None]
    return [_warped(view, own), view.grey(own.volumes.translated, own.volumes.fixed)]


def _view(results: Results, out: Path, data: str) -> View | None:
    """Return the median case of a data set's first structure; None if it was not kept."""
    label, title = next(iter(results.paper.data[data]["structures"].items()))
    pair = median_pair(results, f"{data}/{title}")
    if pair is None:
        return None
    run = Run(data, results.paper.content["reference"], pair[0])
    own = read_registered(out / run.folder / "predict", pair, [label])
    if own is None:
        return None
    turn = Turn.from_affine(own.volumes.affine)
    mask = turn.volume(own.volumes.fixed_labels[own.channels[label]].astype(np.float32))
    plane = planes_through((0, 0, largest_slice(mask)), mask.shape, turn.spacing_mm)[0]
    return View(data, pair, (label,), own.volumes, turn, plane)


def _volumes(view: View, out: Path, run: Run) -> Registered | None:
    """Return the view's pair as a row registered it; None if it is missing."""
    own = read_registered(out / run.folder / "predict", view.pair, view.labels)
    return own if own and own.volumes.ddf.shape == view.volumes.ddf.shape else None


def _show(axis: Axes, plane: Plane, image: np.ndarray | None) -> None:
    frame_slice(axis, plane, 5.5)
    if image is None:
        axis.text(0.5, 0.5, "missing", color="white", ha="center", transform=axis.transAxes)
    else:
        show_slice(axis, plane, image)


def _show_field(axis: Axes, view: View, ddf: np.ndarray | None) -> None:
    """Draw lines of the moving image, straight there, where the field brings them."""
    if ddf is None:
        axis.set_visible(False)
        return
    left, right, bottom, top = view.plane.extent
    axis.set_facecolor("white")
    frame_slice(axis, view.plane, 5.5)
    for moved in view.lines(ddf):
        rows, columns = moved.shape
        x = left + (right - left) / columns * (np.arange(columns) + 0.5)
        y = bottom + (top - bottom) / rows * (np.arange(rows) + 0.5)
        known = np.ma.masked_invalid(moved)
        if known.count():
            first, last = np.ceil(known.min() / EVERY_MM), np.floor(known.max() / EVERY_MM)
            levels = EVERY_MM * np.arange(first, last + 1)
            axis.contour(x, y, known, levels=levels, colors=[INK], linewidths=0.6)
