"""The rows of a paper's tables, ablations, grid and stages, from its description."""

from __future__ import annotations

import dataclasses
import itertools
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Row:
    """One method of a table.

    Attributes:
        name: of its folders, and of its configuration unless `configs` says otherwise.
        title: in tables.
        configs: files under configs/<paper>, later ones win.
        settings: {key with dots: value}, written over the configuration.
        kind: "row", "ablation", "grid" or "stage".
        data: data sets that it runs on; all if None.
        of: of a stage, the row whose training it is a stage of.
        epoch: of a stage, how many epochs of it are behind.
    """

    name: str
    title: str
    configs: tuple[str, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    kind: str = "row"
    data: tuple[str, ...] | None = None
    of: str | None = None
    epoch: int | None = None


def rows_of(content: dict, settings: dict) -> list[Row]:
    """Return the rows of the tables, the ablations, the grid and the stages, in this order.

    Args:
        content: of the description.
        settings: what its scale says.
    """
    found = [_row(name, entry, "row") for name, entry in content["rows"].items()]
    ablations = content.get("ablations", {})
    data = ablations.get("data")
    for name in settings.get("ablations", ablations.get("rows", {})):
        found.append(_row(name, {"data": data, **ablations["rows"][name]}, "ablation"))
    if "grid" in ablations and settings.get("grid", True):
        elsewhere = ablations["grid"].get("elsewhere", {}).get("data", [])
        found += _grid_rows(ablations["grid"], data and [*data, *elsewhere])
    if "stages" in settings:
        found += _stage_rows(content["stages"], found, settings["stages"])
    return found


def _row(name: str, entry: dict, kind: str) -> Row:
    configs = tuple(entry.get("configs", [f"{name}.yaml"]))
    settings, data = entry.get("settings", {}), _listed(entry.get("data"))
    return Row(name, entry["title"], configs, settings, kind, data)


def _listed(data: list[str] | None) -> tuple[str, ...] | None:
    return None if data is None else tuple(data)


def _grid_rows(grid: dict, data: list[str] | None) -> list[Row]:
    """Return one row for each point of a grid of settings."""
    rows = []
    for values in itertools.product(*(axis["values"] for axis in grid["axes"].values())):
        point = dict(zip(grid["axes"], values, strict=True))
        name = "_".join(["grid", *(str(value) for value in values)])
        title = ", ".join(f"{axis} = {value:g}" for axis, value in point.items())
        settings = {grid["axes"][axis]["key"]: value for axis, value in point.items()}
        rows.append(Row(name, title, (grid["base"],), settings, "grid", _listed(data)))
    return rows


def _stage_rows(stages: dict, rows: list[Row], epochs: list[int]) -> list[Row]:
    """Return a row for each of some epochs of the trainings of some rows."""
    of = {row.name: row for row in rows}
    return [
        dataclasses.replace(
            of[name],
            name=f"{name}_last" if epoch == epochs[-1] else f"{name}_stage{number}",
            title=f"{of[name].title}, epoch {epoch}",
            settings={**of[name].settings, **stages.get("settings", {})},
            kind="stage",
            data=_listed(stages.get("data")),
            of=name,
            epoch=epoch,
        )
        for name in stages["rows"]
        for number, epoch in enumerate(epochs, start=1)
    ]
