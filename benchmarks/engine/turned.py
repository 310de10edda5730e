"""Tables with a line for each figure and structure and a column for each method.

An entry of `tables` with `marks` is one: {data, figures, columns, marks: {SIGN: row that a cell is
compared with}}. A cell holds median and interquartile range over pairs, and the signs of the rows
that it differs from; below it what the paper prints, with the signs that are printed.
"""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.engine.measures import FIGURES
from benchmarks.engine.outcome import ALPHA, signed_rank
from benchmarks.engine.paper import Paper
from benchmarks.engine.results import BEFORE, UNITS, Results, place_title, places
from benchmarks.engine.tables import (
    COLUMNS,
    NONE,
    entries,
    explained,
    markdown,
    printed_of,
    row_title,
    vanished,
)
from mmzoo.checks import check_choice


def turned_tables(results: Results) -> dict[str, str]:
    """Return the turned tables that this scale fills, by heading, each with its legend."""
    tables = {}
    for heading, entry in entries(results).items():
        data = [name for name in entry["data"] if name in results.paper.data]
        if "marks" in entry and data:
            titles = "; ".join(results.paper.data[name]["title"] for name in data)
            table = turned_table(results, data, entry["figures"], entry["marks"], entry["columns"])
            tables[f"{heading}: {titles}"] = f"{table}\n{legend(results, entry)}"
    return tables


def turned_table(
    results: Results,
    data: list[str],
    figures: Iterable[str],
    marks: dict[str, str],
    columns: Iterable[str] = (),
) -> str:
    """Return a table of median and interquartile range in Markdown.

    Args:
        results: what was measured.
        data: data sets.
        figures: of `FIGURES`, a line each for every structure.
        marks: sign in a cell: row that the cell's row differs from.
        columns: of `tables.COLUMNS`, a line each at the end.

    Raises:
        ValueError: there is no such figure, column or row.
    """
    rows = methods(results.paper, data)
    for other in marks.values():
        check_choice("row of a mark", other, [BEFORE, *results.paper.rows])
    body = []
    for figure in figures:
        check_choice("figure of a table", figure, FIGURES)
        for place in places(results.paper, figure):
            if place.split("/")[0] in data:
                cells = [cell(results, row, place, figure, marks) for row in rows]
                line = [FIGURES[figure].heading, _where(results, place, data), *cells]
                body += [line] if set(cells) != {NONE} else []
    for name in columns:
        check_choice("column of a table", name, COLUMNS)
        title, of = COLUMNS[name]
        for source in data:
            cells = [of(results, row, source, None) for row in rows]
            body.append(
                [title, place_title(results.paper, source) if len(data) > 1 else "", *cells]
            )
    return markdown(["", "", *(row_title(results, row, data, None) for row in rows)], body, text=2)


def legend(results: Results, entry: dict) -> str:
    """Return what the cells of a turned table mean."""
    marks = ", ".join(f"{sign} from {results.title(row)}" for sign, row in entry["marks"].items())
    text = (
        "Median ± interquartile range over pairs and folds; below it what the paper prints. Marks: "
        f"differs, {marks}; two-sided Wilcoxon signed-rank test on "
        f"{UNITS[results.paper.content['unit']]}, p < {ALPHA}, which fewer than 6 units cannot "
        "reach."
    )
    return " ".join([text, *explained([*entry["figures"], *entry["columns"]]), *vanished(results)])


def methods(paper: Paper, data: Iterable[str]) -> list[str]:
    """Return "before" and the rows of the tables that run on some data."""
    data = set(data)
    rows = [row for row in paper.rows.values() if row.kind == "row"]
    return [BEFORE, *(row.name for row in rows if row.data is None or data & set(row.data))]


def cell(results: Results, row: str, place: str, figure: str, marks: dict[str, str]) -> str:
    """Return "median ± interquartile range signs", and the print below it."""
    if not results.runs_on(row, place.split("/")[0]):
        return NONE
    values, kind = results.values(row, place, figure).dropna(), FIGURES[figure]
    text = NONE
    if len(values):
        low, median, high = values.quantile([0.25, 0.5, 0.75])
        signs = [
            sign for sign, other in marks.items() if differs(results, row, other, place, figure)
        ]
        text = " ".join([f"{kind.text(median)} ± {kind.text(high - low)}", *map(_escaped, signs)])
    said = printed_of(results, row, place).get(figure)
    if said:
        median, spread, *signs = said
        stands = " ".join(
            [f"{kind.text(median)} ± {kind.text(spread)}", *map(_escaped, "".join(signs))]
        )
        text += f"<br><sub>print {stands}</sub>"
    return text


def differs(results: Results, row: str, other: str, place: str, figure: str) -> bool:
    """Whether two rows differ significantly in a figure, two-sided."""
    if row == other:
        return False
    units = results.in_units([row, other], place, figure).dropna()
    return signed_rank(units[row] - units[other], "two-sided") < ALPHA


def _where(results: Results, place: str, data: list[str]) -> str:
    if len(data) > 1:
        return place_title(results.paper, place)
    return place.partition("/")[2] or "image"


def _escaped(sign: str) -> str:
    return sign.replace("*", r"\*")
