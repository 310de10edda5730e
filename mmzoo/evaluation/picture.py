"""The picture of a pair: slices with contours, the field and the Jacobian map.

Rows are the axial, coronal and sagittal slice through a structure; columns fixed, moving,
warped, a checkerboard of fixed and warped, the displacement, the Jacobian determinant and the
agreement of both images.
"""

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import CenteredNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.ndimage import gaussian_filter, gaussian_gradient_magnitude, laplace, zoom

from mmzoo.evaluation.scene import PairScene, pair_scene
from mmzoo.evaluation.volumes import PairData
from mmzoo.spatial.view import Plane, frame_slice, show_slice

COLOURS = ("#ff4d4d", "#4dd2ff", "#ffd24d", "#7dff6b", "#ff8cf0", "#ff9a3d", "#b79bff", "#3dffc8")
BACKGROUND, INK = "#15171c", "#e8e8ea"
WIDTH_PX, DPI = 1960, 120
CHECKER_ZOOM = 6  # pixels a voxel, so that tile borders are sharp and tissue is smooth


def draw_pair(
    path: Path,
    data: PairData,
    *,
    structures: tuple[str, ...],
    title: str,
    structure: str | None = None,
) -> None:
    """Write the picture of a pair as PNG, 1960 pixels wide.

    Args:
        path: file to write (its suffix must be ".png").
        data: the pair's volumes.
        structures: name of each label channel.
        title: heading of the picture; lines separated by newlines.
        structure: the structure to cut through; the largest if None.
    """
    scene = pair_scene(data, None if structure is None else structures.index(structure))
    figure, axes = _layout(scene.planes)
    for row, plane in zip(axes, scene.planes, strict=True):
        _draw_row(row, plane, scene)
    _decorate(figure, axes, scene, structures, title)
    # The bare canvas needs no display and leaves pyplot's state, which callers may use, alone.
    FigureCanvasAgg(figure).print_png(str(path), pil_kwargs={"compress_level": 1})


# === Layout ===

COLUMNS = (
    "fixed",
    "moving",
    "warped",
    "fixed / warped tiles",
    "displacement",
    "Jacobian determinant",
    "agreement",
)
LEFT, RIGHT, GAP, TOP_PX, BOTTOM_PX = 0.022, 0.994, 0.006, 92, 92


def _layout(planes: list[Plane]) -> tuple[Figure, list[list[Axes]]]:
    """Give each row the height its slice needs at the common column width."""
    matplotlib.rcParams["font.family"] = "DejaVu Sans"
    columns = len(COLUMNS)
    panel = (RIGHT - LEFT - GAP * (columns - 1)) / columns * WIDTH_PX
    heights = [panel * min(1.6, max(0.4, _aspect(plane))) for plane in planes]
    total = sum(heights) + GAP * WIDTH_PX * (len(planes) - 1) + TOP_PX + BOTTOM_PX
    figure = Figure(figsize=(WIDTH_PX / DPI, total / DPI), dpi=DPI, facecolor=BACKGROUND)
    axes, top = [], total - TOP_PX
    for height in heights:
        row = []
        for column in range(columns):
            left = LEFT + column * (panel / WIDTH_PX + GAP)
            box = (left, (top - height) / total, panel / WIDTH_PX, height / total)
            row.append(figure.add_axes(box, facecolor=BACKGROUND))
        axes.append(row)
        top -= height + GAP * WIDTH_PX
    return figure, axes


def _aspect(plane: Plane) -> float:
    left, right, bottom, top = plane.extent
    return (top - bottom) / (right - left)


# === Panels ===


def _draw_row(row: list[Axes], plane: Plane, scene: PairScene) -> None:
    panels = (scene.fixed, scene.moving, scene.warped, _checkerboard(plane, scene))
    for axis, volume in zip(row, panels, strict=False):
        image = volume if volume.ndim == 2 else plane.slice(volume)
        show_slice(axis, plane, image)
    if scene.fixed_labels:
        _contours(row[0], plane, scene.fixed_labels)
        for axis, labels in ((row[1], scene.moving_labels), (row[2], scene.warped_labels)):
            _contours(axis, plane, scene.fixed_labels)
            _contours(axis, plane, labels, white=True)
    else:
        for axis in row[:3]:
            _edges(axis, plane, scene.fixed)
    _displacement(row[4], plane, scene)
    _jacobian(row[5], plane, scene)
    show_slice(row[6], plane, plane.slice(scene.agreement), cmap="magma", interpolation="nearest")
    for axis in row:
        frame_slice(axis, plane)
    row[0].set_ylabel(plane.name, color=INK, fontsize=10)


def _checkerboard(plane: Plane, scene: PairScene, tiles: int = 6) -> np.ndarray:
    """Return tiles of the fixed and the warped slice in turn, interpolated like the others."""
    fixed, warped = (
        zoom(plane.slice(volume), CHECKER_ZOOM, order=1, mode="nearest", grid_mode=True)
        for volume in (scene.fixed, scene.warped)
    )
    left, right, bottom, top = plane.extent
    tile = max(right - left, top - bottom) / tiles  # mm
    rows, columns = fixed.shape
    row_tile = (np.arange(rows) + 0.5) * (top - bottom) / rows // tile
    column_tile = (np.arange(columns) + 0.5) * (right - left) / columns // tile
    return np.where((row_tile[:, None] + column_tile) % 2 == 0, fixed, warped)


def _contours(axis: Axes, plane: Plane, labels: list[np.ndarray], *, white: bool = False) -> None:
    """Draw each label's outline; the first channels come last, so that they lie on top."""
    for index, label in reversed(list(enumerate(labels))):
        mask = plane.slice(label)
        if mask.max() < 0.5 or mask.min() >= 0.5:
            continue
        axis.contour(
            *plane.centres(label.shape),
            mask,
            levels=[0.5],
            colors=["white" if white else COLOURS[index % len(COLOURS)]],
            linewidths=0.9 if white else 1.6,
        )


def _edges(axis: Axes, plane: Plane, fixed: np.ndarray) -> None:
    """Draw the strong edges of the fixed slice: zero crossings of its Laplacian."""
    image = plane.slice(fixed)
    strength = gaussian_gradient_magnitude(image, 1.0)
    curvature = np.ma.masked_where(
        strength < np.percentile(strength, 80), laplace(gaussian_filter(image, 1.0))
    )
    if strength.any():
        axis.contour(
            *plane.centres(fixed.shape), curvature, levels=[0], colors=["#ff9a3d"], linewidths=1.0
        )


def _displacement(axis: Axes, plane: Plane, scene: PairScene) -> None:
    """Draw the displacement's length, and the moving grid's lines as the field bends them."""
    show_slice(axis, plane, plane.slice(scene.length_mm), cmap="viridis", vmax=_longest(scene))
    grid = np.indices(scene.length_mm.shape)
    for along in (plane.right, plane.up):
        lines = plane.slice(grid[along] + scene.ddf[..., along])
        step = max(2, scene.length_mm.shape[along] // 20)
        levels = np.arange(np.floor(lines.min() / step) * step, lines.max(), step)
        axis.contour(
            *plane.centres(scene.length_mm.shape),
            lines,
            levels=levels,
            colors=["white"],
            linewidths=0.6,
            linestyles="solid",  # or negative levels would be dashed
            alpha=0.8,
        )


def _jacobian(axis: Axes, plane: Plane, scene: PairScene) -> None:
    determinant = plane.slice(scene.determinant)
    norm = CenteredNorm(1.0, _jacobian_range(scene))
    show_slice(axis, plane, determinant, cmap="RdBu_r", norm=norm, interpolation="nearest")
    folds = np.ma.masked_where(determinant > 0, np.ones_like(determinant))
    green = ListedColormap(["#39ff14"])
    show_slice(axis, plane, folds, cmap=green, interpolation="nearest")


def _longest(scene: PairScene) -> float:
    return max(float(np.percentile(scene.length_mm, 99.5)), 1e-3)


def _jacobian_range(scene: PairScene) -> float:
    """Return the half width of the colour bar: up to 1, so that dark blue means folding."""
    return float(np.clip(np.percentile(np.abs(scene.determinant - 1), 99), 0.2, 1.0))


# === Heading, legend, colour bars ===


def _decorate(
    figure: Figure,
    axes: list[list[Axes]],
    scene: PairScene,
    structures: tuple[str, ...],
    title: str,
) -> None:
    height = figure.get_size_inches()[1] * DPI
    for axis, name in zip(axes[0], COLUMNS, strict=True):
        axis.set_title(name, color=INK, fontsize=11, pad=5)
    heading, *lines = title.split("\n")
    figure.text(LEFT, 1 - 16 / height, heading, color=INK, size=12.5, weight="bold", va="top")
    figure.text(LEFT, 1 - 42 / height, "\n".join(lines), color=INK, size=10.5, va="top")
    _legend(figure, structures)
    _colour_bar(figure, axes[-1][4], height, "displacement (mm)", extend="max")
    _colour_bar(figure, axes[-1][5], height, "det J (green: folded)", extend="both")
    _colour_bar(figure, axes[-1][6], height, "squared correlation (empty: flat)", extend="neither")


def _legend(figure: Figure, structures: tuple[str, ...]) -> None:
    if structures:
        handles = [
            Line2D([], [], color=COLOURS[i % len(COLOURS)], lw=2, label=f"{name} (fixed)")
            for i, name in enumerate(structures)
        ]
        handles.append(Line2D([], [], color="white", lw=1, label="the same, moving / warped"))
    else:
        handles = [Line2D([], [], color="#ff9a3d", lw=2, label="edges of the fixed image")]
    figure.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(LEFT - 0.008, 0.0),
        ncols=4,
        frameon=False,
        fontsize=9.5,
        labelcolor=INK,
    )


def _colour_bar(figure: Figure, axis: Axes, height: float, label: str, *, extend: str) -> None:
    box = axis.get_position()
    place = figure.add_axes((box.x0 + 0.06 * box.width, 50 / height, 0.88 * box.width, 12 / height))
    bar = figure.colorbar(axis.images[0], cax=place, orientation="horizontal", extend=extend)
    bar.set_label(label, color=INK, fontsize=9.5, labelpad=2)
    bar.ax.tick_params(colors=INK, labelsize=9)
    bar.outline.set_visible(False)
