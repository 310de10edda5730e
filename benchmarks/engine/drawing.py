"""What the figures of a paper's page share: colours, plain axes, contours, PNG with a palette."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image
from scipy.spatial import KDTree

from mmzoo.io.atomic import whole_file
from mmzoo.spatial.view import Plane

DPI = 120
FIXED_COLOUR, MOVING_COLOUR = "#3d9bff", "#ff3b30"
INK, GRID, BOX = "#24292f", "#d8dee4", "#8c959f"
REFERENCE_COLOUR = "#0969da"
PANEL, TOP, BOTTOM, LEFT, GAP = 1.6, 0.24, 0.34, 0.36, 0.04  # inches


def slice_layout(planes: list[Plane], columns: int) -> tuple[Figure, list[list[Axes]]]:
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


def draw_contour(axis: Axes, plane: Plane, mask: np.ndarray, colour: str) -> None:
    if mask.max() < 0.5 or mask.min() >= 0.5:
        return
    left, right, bottom, top = plane.extent
    rows, columns = mask.shape
    x = left + (right - left) / columns * (np.arange(columns) + 0.5)
    y = bottom + (top - bottom) / rows * (np.arange(rows) + 0.5)
    axis.contour(x, y, mask, levels=[0.5], colors=[colour], linewidths=1.3)


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
    bits = np.array([16, 8, 0])  # of red, green and blue in one number
    numbers, where = np.unique(pixels @ (1 << bits), return_inverse=True)
    colours = numbers[:, None] >> bits & 255
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
