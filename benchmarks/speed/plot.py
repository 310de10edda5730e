"""The plot of the page: seconds over voxels, a panel a piece."""

from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.speed.limits import least_seconds
from benchmarks.speed.pieces import PIECES
from benchmarks.speed.results import SpeedResults, voxels
from mmzoo.io.atomic import whole_file

COLOURS = {
    "mmzoo": "#0969da",
    "DeepReg": "#ff3b30",
    "plain": "#f0a020",
    "MONAI": "#2da44e",
    "ConvexAdam": "#8250df",
}
COLUMNS = 5


def draw(out: Path, results: SpeedResults) -> Path:
    """Write speed.png; returns its path."""
    measured = [name for name in PIECES if any(key[0] == name for key in results.figures)]
    lines = -(-len(measured) // COLUMNS)
    figure = Figure(figsize=(2.6 * COLUMNS, 2.4 * lines + 0.5), layout="constrained")
    panels = figure.subplots(lines, COLUMNS, squeeze=False, sharex=True).ravel()
    for panel, name in zip(panels, measured, strict=False):
        _panel(panel, name, results)
    for panel in panels[len(measured) :]:
        panel.set_axis_off()
    handles = {
        label: handle
        for panel in panels
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=5)
    with whole_file(out / "speed.png") as path:
        FigureCanvasAgg(figure).print_png(path)
    return out / "speed.png"


def _panel(panel, name: str, results: SpeedResults) -> None:
    sizes = results.sizes([name])
    for form, colour in COLOURS.items():
        points = [(voxels(s), results.get(name, form, s, "gradient_s")) for s in sizes]
        points = [(x, y) for x, y in points if y is not None]
        if points:
            panel.plot(*zip(*points, strict=True), "o-", color=colour, label=form, markersize=3)
    least = [max(least_seconds(PIECES[name], voxels(s), results.machine).values()) for s in sizes]
    panel.plot([voxels(s) for s in sizes], least, ":", color="#8c959f", label="machine's limit")
    panel.set(xscale="log", yscale="log", title=PIECES[name].title)
    panel.title.set_fontsize(9)
    panel.tick_params(labelsize=7)
    panel.set_xlabel("voxels", fontsize=7)
    panel.set_ylabel("s", fontsize=7)
