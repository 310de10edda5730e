"""The table of a grid of settings, and the means along a grid of one setting."""

from __future__ import annotations

import functools

import pandas as pd

from benchmarks.engine.results import (
    PAIR,
    Results,
)
from benchmarks.engine.rows import Row
from benchmarks.engine.tables import markdown
from mmzoo.config_merge import read_file


def grid_tables(results: Results) -> dict[str, str]:
    """Return the tables of the grid of settings, one for each group of data, by their titles."""
    ablations = results.paper.content.get("ablations", {})
    grid = ablations.get("grid", {})
    found = {}
    for group in ({"data": ablations.get("data"), **grid}, grid.get("elsewhere")):
        data = [name for name in (group or {}).get("data") or [] if name in results.paper.data]
        table = grid_table(results, data, group.get("printed")) if data else ""
        if table:
            found[", ".join(dict.fromkeys(results.paper.data[name]["title"] for name in data))] = (
                table
            )
    return found


def grid_table(results: Results, data: list[str] | None = None, printed: dict | None = None) -> str:
    """Return the mean Dice of a grid of settings; "" without a grid.

    Of two settings rows by columns; of one a line for each value, with the folding beside it.

    Args:
        results: what was measured.
        data: data sets to take; all that the grid runs on if left out.
        printed: the paper's point; the grid's own if left out.
    """
    made = {run.row for run in results.paper.runs}
    rows = [row for row in results.paper.rows.values() if row.kind == "grid" and row.name in made]
    if not rows:
        return ""
    grid = results.paper.content["ablations"]["grid"]
    if len(grid["axes"]) == 1:
        return line_table(results)
    (down, across), axes = grid["axes"], grid["axes"]
    cases = results.cases
    cases = cases if data is None else cases[cases["data"].isin(data)]
    means = {
        _point(row, grid): float(cases.loc[cases["row"] == row.name, "dice"].mean() * 100)
        for row in rows
        if (cases["row"] == row.name).any()
    }
    best = max(means, key=lambda point: means[point]) if means else None
    given = tuple((printed or grid["printed"]).values())
    body = []
    for value in axes[down]["values"]:
        cells = []
        for other in axes[across]["values"]:
            point = (value, other)
            text = f"{means[point]:.2f}" if point in means else "missing"
            text = f"**{text}**" if point == best else text
            cells.append(f"{text} (print)" if point == given else text)
        body.append([f"{down} = {value:g}", *cells])
    return markdown(["", *(f"{across} = {value:g}" for value in axes[across]["values"])], body)


def line_table(results: Results) -> str:
    """Return Dice and folding along a grid of one setting, see `grid_line`."""
    (axis,) = results.paper.content["ablations"]["grid"]["axes"]
    line = grid_line(results)
    body = []
    for value, folding, dice in zip(line["value"], line["folding"], line["dice"], strict=True):
        body.append([f"{axis} = {value:g}", f"{dice:.2f}", f"{folding:.3f}"])
    return markdown(["", "Dice %", "folding %"], body)


def grid_line(results: Results) -> pd.DataFrame:
    """Return mean folding and Dice in percent along a grid of one setting, by its value.

    The row of the tables that the grid starts from is a point of it, on the grid's folds.

    Returns:
        DataFrame with columns value, row, folding, dice; only of rows with cases.
    """
    ablations = results.paper.content["ablations"]
    ((_, axis),) = ablations["grid"]["axes"].items()
    points = {
        row.name: row.settings[axis["key"]]
        for row in results.paper.rows.values()
        if row.kind == "grid"
    }
    for row in results.paper.rows.values():
        if row.kind == "row" and row.configs == (ablations["grid"]["base"],):
            config = read_file(results.paper.config_folder / row.configs[0])
            points[row.name] = functools.reduce(dict.__getitem__, axis["key"].split("."), config)
    cases = results.cases[results.cases["fold"].isin(ablations["test_folds"])]
    cases = cases[cases["data"].isin(ablations["data"])]
    lines = []
    for name, value in points.items():
        own = cases[cases["row"] == name]
        if len(own):
            folding = own.drop_duplicates(PAIR)["folding_percent"].mean()
            lines.append((value, name, folding, own["dice"].mean() * 100))
    table = pd.DataFrame(lines, columns=["value", "row", "folding", "dice"])
    return table.sort_values("value", ignore_index=True)


def _point(row: Row, grid: dict) -> tuple[float, ...]:
    return tuple(row.settings[axis["key"]] for axis in grid["axes"].values())
