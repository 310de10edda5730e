"""The summary as a Markdown table (for a README) and as rich tables (for the terminal)."""

import math
from typing import NamedTuple

import pandas as pd
from rich.table import Table

from mmzoo.evaluation.cases import STAGES
from mmzoo.evaluation.summary import ALL_STRUCTURES
from mmzoo.report.markdown import markdown_table

Rows = tuple[list[str], list[list[str]]]  # header, body


class TableColumn(NamedTuple):
    """How a figure is shown: its column without "_mean", its heading and its format."""

    column: str
    title: str
    digits: int
    scale: float = 1.0


STRUCTURE_FIGURES = (
    TableColumn("dice", "Dice %", 1, 100.0),
    TableColumn("asd_mm", "ASD mm", 2),
    TableColumn("tre_mm", "TRE mm", 2),
    TableColumn("inside_jacobian_std", "Jacobian std", 3),
    TableColumn("motion_mm", "motion mm", 2),
    TableColumn("motion_degrees", "motion degrees", 2),
)
IMAGE_FIGURES = (
    TableColumn("folding_percent", "folding %", 3),
    TableColumn("jacobian_mean", "Jacobian mean", 3),
    TableColumn("jacobian_std", "Jacobian std", 3),
    TableColumn("nmi", "NMI", 3),
    TableColumn("gradient_similarity", "gradient similarity", 3),
    TableColumn("inverse_consistency_voxels", "inverse error (voxels)", 2),
    TableColumn("tre_image_mm", "TRE mm", 2),
    TableColumn("rmse_percent", "RMSE %", 2),
    TableColumn("translation_percent", "translation L1 %", 2),
    TableColumn("translation_edges", "edges kept", 3),
    TableColumn("seconds", "seconds", 2),
)


def markdown(summary: pd.DataFrame, *, method: str) -> str:
    """Return the tables of a summary as Markdown, ready for a README.

    Args:
        summary: from `summarise`.
        method: heading of the network's columns.
    """
    tables = [_field_rows(summary, method)]
    if _labelled(summary):
        tables.insert(0, _structure_rows(summary, method, _known(summary, STRUCTURE_FIGURES)))
    return "\n".join([*(markdown_table(*rows) + "\n" for rows in tables), _footnote(summary)])


def terminal(summary: pd.DataFrame, *, method: str) -> list[Table]:
    """Return the tables of a summary for `rich.console.Console.print`, 80 columns wide at most.

    One table for each figure of the structures, then the figures of the whole image.
    """
    tables = []
    if _labelled(summary):
        for figure in _known(summary, STRUCTURE_FIGURES):
            header, rows = _structure_rows(summary, method, (figure,))
            plain = [name.removeprefix(f"{figure.title} ") for name in header]
            tables.append(_rich_table(figure.title, plain, rows))
    header, rows = _field_rows(summary, method)
    columns = list(zip(header, *rows, strict=True))
    stages = ["", *_stages(summary)]  # the method's name would not fit
    tables.append(_rich_table("whole image", stages, [[*row] for row in columns[1:]]))
    return tables


def _rich_table(title: str, header: list[str], rows: list[list[str]]) -> Table:
    table = Table(title=title, title_justify="left", header_style="bold")
    for index, name in enumerate(header):
        table.add_column(name, justify="right" if index else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row, style="bold" if row[0] == ALL_STRUCTURES else None)
    return table


def _known(summary: pd.DataFrame, figures: tuple[TableColumn, ...]) -> tuple[TableColumn, ...]:
    return tuple(figure for figure in figures if summary[f"{figure.column}_mean"].notna().any())


def _labelled(summary: pd.DataFrame) -> bool:
    return bool(summary["dice_mean"].notna().any())


def _structure_rows(summary: pd.DataFrame, method: str, figures: tuple[TableColumn, ...]) -> Rows:
    """Return the figures of every stage side by side, one row a structure."""
    cells = [(figure, stage) for figure in figures for stage in _stages(summary)]
    header = ["structure", *(f"{figure.title} {_title(stage, method)}" for figure, stage in cells)]
    rows = []
    for name in summary["structure"].unique():
        block = summary[summary["structure"] == name].set_index("stage")
        rows.append([name, *(_text(block, stage, figure) for figure, stage in cells)])
    return header, rows


def _field_rows(summary: pd.DataFrame, method: str) -> Rows:
    """Return the figures of the whole image, one row a stage."""
    figures = _known(summary, IMAGE_FIGURES)
    block = summary[summary["structure"] == summary["structure"].iloc[-1]].set_index("stage")
    rows = [
        [_title(stage, method), *(_text(block, stage, figure) for figure in figures)]
        for stage in _stages(summary)
    ]
    return ["stage", *(figure.title for figure in figures)], rows


def _stages(summary: pd.DataFrame) -> list[str]:
    present = set(summary["stage"])
    return [stage for stage in STAGES if stage in present]


def _title(stage: str, method: str) -> str:
    return method if stage == "network" else stage


def _text(block: pd.DataFrame, stage: str, figure: TableColumn) -> str:
    """Return "mean ± std", the mean alone for one pair, or "-" where there is none."""
    if stage not in block.index or math.isnan(block.at[stage, f"{figure.column}_mean"]):
        return "-"
    mean = block.at[stage, f"{figure.column}_mean"] * figure.scale
    std = block.at[stage, f"{figure.column}_std"] * figure.scale
    spread = "" if math.isnan(std) else f" ± {std:.{figure.digits}f}"
    return f"{mean:.{figure.digits}f}{spread}"


def _footnote(summary: pd.DataFrame) -> str:
    last = summary.iloc[-1]
    count = int(last["pairs"])
    text = f"Mean ± standard deviation over {count} pairs." if count > 1 else "One pair."
    for other in ("before", "affine"):
        p_value = last.get(f"p_dice_vs_{other}", math.nan)
        if not math.isnan(p_value):
            text += f" Mean Dice against {other}: p = {p_value:.2g} (paired Wilcoxon)."
    missing = int(summary["missing"].sum())
    if missing:
        text += f" {missing} infinite distances (an empty label) are left out of the means."
    return text + "\n"
