"""One pair as each row of the tables registered it, as van Ulsen's Figures 4.3 to 4.5.

A column a row of the tables; from top to bottom: fixed and moving image over each other, fixed and
warped, the difference that the warp makes, contours of the labels, the Jacobian determinant, and
its histogram within the fixed labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import CenteredNorm, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image
from scipy.ndimage import center_of_mass

from benchmarks.engine.drawing import (
    DPI,
    INK,
    REFERENCE_COLOUR,
    draw_contour,
    plain,
    render,
    write_png,
)
from benchmarks.engine.median_case import Registered, median_pair, read_registered
from benchmarks.engine.paper import Run
from benchmarks.engine.results import Results, places
from mmzoo.evaluation.scipy_warp import warp
from mmzoo.metrics import jacobian_determinant
from mmzoo.spatial.view import Plane, Turn, frame_slice, grey, planes_through, show_slice

LINES = ("fixed + moving", "fixed + warped", "|moving - warped|", "labels", "Jacobian", "histogram")
FIXED_TINT, MOVING_TINT = np.array([0.2, 0.75, 1.0]), np.array([1.0, 0.45, 0.1])
CONTOURS = {"fixed": "#2fbf4f", "moving": "#ff3b30", "warped": "#ffd24d"}
RANGE, BIN = 0.5, 0.01  # of the Jacobian: shown about 1, and the width of a bin
WIDTH, GAP, LEFT, TOP, BOTTOM, HISTOGRAM = 1.9, 0.05, 0.42, 0.26, 0.62, 1.1  # inches


@dataclass(frozen=True)
class Column:
    """What is drawn of one row of the tables.

    Attributes:
        fixed: grey slice in [0, 1], likewise `moving` and `warped`.
        contours: by "fixed", "moving", "warped": a slice of each label.
        determinant: slice of the Jacobian determinant.
        inside: determinants of all voxels of the fixed labels, (n,).
    """

    fixed: np.ndarray
    moving: np.ndarray
    warped: np.ndarray
    contours: dict[str, list[np.ndarray]]
    determinant: np.ndarray
    inside: np.ndarray


def draw_overlays(path: Path, results: Results, out: Path) -> bool:
    """Draw the pair with the reference's median Dice on the last structure, a sagittal slice.

    The last structure is the union of all labels where the paper has one; the slice goes through
    its centre.

    Returns:
        Whether the pair was kept by any row.
    """
    place = places(results.paper)[-1]
    pair, data = median_pair(results, place), place.split("/")[0]
    if pair is None:
        return False
    labels = list(results.paper.labels(data))
    found = {
        row: read_registered(out / Run(data, row, pair[0]).folder / "predict", pair, labels)
        for row in results.methods
    }
    kept = {row: registered for row, registered in found.items() if registered is not None}
    if not kept:
        return False
    plane = _plane(next(iter(kept.values())))
    columns = {row: _column(registered, labels, plane) for row, registered in kept.items()}
    figure, axes = _layout(plane, len(columns))
    for own, (row, column) in zip(axes, columns.items(), strict=True):
        _draw(own, column, plane)
        own[0].set_title(results.title(row), color=INK, fontsize=9, pad=4)
    for axis, title in zip(axes[0], LINES, strict=True):
        axis.set_ylabel(title, color=INK, fontsize=8)
    _legend(figure)
    _save(figure, path)
    return True


def _plane(registered: Registered) -> Plane:
    """Return the sagittal slice through the middle of all fixed labels together."""
    volumes = registered.volumes
    turn = Turn.from_affine(volumes.affine)
    union = turn.volume(np.any(volumes.fixed_labels, axis=0))
    centre = center_of_mass(union) if union.any() else tuple(n / 2 for n in union.shape)
    return planes_through(centre, union.shape, turn.spacing_mm)[2]


def _column(registered: Registered, labels: list[str], plane: Plane) -> Column:
    volumes = registered.volumes
    turn = Turn.from_affine(volumes.affine)
    channels = [registered.channels[label] for label in labels]

    def cut(volume: np.ndarray) -> np.ndarray:
        return plane.slice(turn.volume(volume))

    fixed = [volumes.fixed_labels[channel] for channel in channels]
    moving = [volumes.moving_labels[channel] for channel in channels]
    determinant = jacobian_determinant(volumes.ddf)
    warped = warp(volumes.moving, volumes.ddf, volumes.interpolation)
    return Column(
        fixed=cut(grey(volumes.fixed)),
        moving=cut(grey(volumes.moving)),
        warped=cut(grey(warped, like=volumes.moving)),
        contours={
            "fixed": [cut(label.astype(np.float32)) for label in fixed],
            "moving": [cut(label) for label in moving],
            "warped": [cut(warp(label, volumes.ddf)) for label in moving],
        },
        determinant=cut(determinant),
        inside=determinant[np.any(fixed, axis=0)],
    )


# === Drawing ===


def _layout(plane: Plane, columns: int) -> tuple[Figure, list[list[Axes]]]:
    """Return axes by column, then by line."""
    left, right, bottom, top = plane.extent
    height = WIDTH * (top - bottom) / (right - left)
    heights = [*[height] * (len(LINES) - 1), HISTOGRAM]
    total = sum(heights) + GAP * len(LINES) + TOP + BOTTOM
    width = LEFT + columns * (WIDTH + GAP)
    figure = Figure(figsize=(width, total), dpi=DPI, facecolor="white")
    axes = []
    for column in range(columns):
        x, y, own = LEFT + column * (WIDTH + GAP), total - TOP, []
        for line in heights:
            box = (x / width, (y - line) / total, WIDTH / width, line / total)
            own.append(figure.add_axes(box))
            y -= line + GAP
        axes.append(own)
    return figure, axes


def _draw(axes: list[Axes], column: Column, plane: Plane) -> None:
    for axis, image in zip(axes, (column.moving, column.warped), strict=False):
        over = column.fixed[..., None] * FIXED_TINT + image[..., None] * MOVING_TINT
        show_slice(axis, plane, np.clip(over, 0, 1))
    show_slice(axes[2], plane, np.abs(column.moving - column.warped))
    show_slice(axes[3], plane, 0.7 * column.fixed)
    for name, slices in column.contours.items():
        for slice_ in slices:
            draw_contour(axes[3], plane, slice_, CONTOURS[name])
    norm = CenteredNorm(1.0, RANGE)
    show_slice(axes[4], plane, column.determinant, cmap="RdBu", norm=norm)
    for slice_ in column.contours["fixed"]:
        draw_contour(axes[4], plane, slice_, "black")
    for axis in axes[:5]:
        frame_slice(axis, plane, 5.5)
    _histogram(axes[5], column.inside)


def _histogram(axis: Axes, inside: np.ndarray) -> None:
    bins = np.arange(1 - RANGE - BIN / 2, 1 + RANGE + BIN, BIN)
    values = np.clip(inside, bins[0], bins[-1])
    shares = np.full(len(values), 1 / max(len(values), 1))
    axis.hist(values, bins.tolist(), weights=shares, color=REFERENCE_COLOUR)
    axis.set(xlim=(bins[0], bins[-1]), ylim=(0, None), yticks=[])
    axis.text(0.03, 0.86, f"σ = {inside.std():.3f}", transform=axis.transAxes, fontsize=7)
    plain(axis)


def _legend(figure: Figure) -> None:
    texts = {"fixed": "label of the fixed image", "moving": "of the moving", "warped": "warped"}
    lines = [
        Line2D([], [], color=colour, lw=1.8, label=texts[name]) for name, colour in CONTOURS.items()
    ]
    figure.legend(handles=lines, loc="lower center", ncols=3, frameon=False, fontsize=8.5)


def _save(figure: Figure, path: Path) -> None:
    """Write a PNG with the colours that fit it best, and those of the thin contours."""
    pixels = render(figure)
    image = Image.fromarray(pixels).quantize(240, dither=Image.Dither.NONE)
    found = np.array(image.getpalette()).reshape(-1, 3)
    named = 255 * np.array([to_rgb(colour) for colour in CONTOURS.values()])
    write_png(pixels, np.round(np.concatenate([found, named, 0.6 * named])), path)
