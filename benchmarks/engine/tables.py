"""The tables of a paper's page in Markdown: what was measured, and below it what is printed."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable

from benchmarks.engine.measures import FIGURES, SHOWN
from benchmarks.engine.outcome import ALPHA, signed_rank
from benchmarks.engine.results import BEFORE, UNITS, Results, name_folds, place_title, places
from mmzoo.checks import check_choice
from mmzoo.report.markdown import markdown_table

NONE = "–"
LEGEND = (
    "Mean ± standard deviation over pairs; below it what the paper prints. \\* differs from "
    "{reference}: two-sided Wilcoxon signed-rank test on {unit}, over the pairs that both rows "
    f"have, p < {ALPHA}, which fewer than 6 units cannot reach. Folding: share of voxels with a "
    "Jacobian determinant at or below zero, mean. Seconds: median for a pair. Training: minutes "
    "for a fold, median."
)
EXPLAINED = {  # figures that the legend says more of where a table shows them
    "nmi": "NMI: 2 I / (H + H) of the warped and the fixed image, 64 bins, from 0 to 1.",
    "hd": "Hausdorff: the largest distance, 100 %.",
    "tre": "TRE: distance to where the phantom's known field takes a voxel, mean over a structure.",
    "tre_image": "TRE: distance to where the phantom's known field takes a voxel, mean.",
    "rmse": (
        "RMSE: between the moving image warped by the field and by the known one, in percent of "
        "its range, where the field is known."
    ),
    "inside_jacobian": (
        "Jacobian inside: mean of the determinant over the fixed label's voxels; σ its standard "
        "deviation there."
    ),
    "edge_jacobian_change": (
        "Jacobian change at edges: mean of |J - 1| over the fixed label's outermost voxels."
    ),
    "motion": (
        "Motion and turn of the bone: distance and angle between the rigid motion that fits the "
        "field inside the fixed label and the phantom's true one, at the label's centre."
    ),
    "folding": (
        "Folding: share of voxels with a Jacobian determinant at or below zero, mean. Seconds: "
        "median for a pair. Training: minutes for a fold, median."
    ),
}


def paper_tables(results: Results) -> dict[str, str]:
    """Return the paper's tables that this scale fills, by heading; turned ones are elsewhere."""
    paper = results.paper
    rows = [BEFORE, *(row.name for row in paper.rows.values() if row.kind == "row")]
    tables = {}
    for heading, entry in entries(results).items():
        if "marks" in entry:
            continue
        data = [name for name in entry["data"] if name in paper.data]
        if data:
            titles = "; ".join(paper.data[name]["title"] for name in data)
            key = heading if heading == titles else f"{heading}: {titles}"
            own = [row for row in rows if any(results.runs_on(row, name) for name in data)]
            selection = {name: entry[name] for name in ("figures", "columns") if name in entry}
            tables[key] = method_table(results, own, data, **selection)
    return tables


def entries(results: Results) -> dict[str, dict]:
    """Return the description's tables, one a data set where it names none."""
    data = results.paper.data.items()
    entries = results.paper.content.get("tables", {entry["title"]: [name] for name, entry in data})
    return {
        heading: entry if isinstance(entry, dict) else {"data": entry}
        for heading, entry in entries.items()
    }


def ablation_table(results: Results) -> str:
    """Return the table of the ablations, on their data and folds alone; "" without any."""
    paper = results.paper
    rows = [row.name for row in paper.rows.values() if row.kind == "ablation"]
    runs = [run for run in paper.runs if run.row in rows]
    if not runs:
        return ""
    data = list(dict.fromkeys(run.data for run in runs))
    folds = sorted({run.fold for run in runs})
    reference = paper.content["ablations"].get("reference", paper.content["reference"])
    first = next((entry for entry in entries(results).values() if entry["data"] == data), {})
    selection = {name: first[name] for name in ("figures", "columns") if name in first}
    return method_table(results, [BEFORE, reference, *rows], data, folds, **selection)


def method_table(
    results: Results,
    rows: Iterable[str],
    data: list[str],
    folds: list[int] | None = None,
    *,
    figures: Iterable[str] = SHOWN,
    columns: Iterable[str] = ("folding", "seconds", "training", "pairs"),
) -> str:
    """Return a table with one row a method, and the figures of each structure side by side.

    Args:
        results: what was measured.
        rows: names of rows, or "before".
        data: data sets; `columns` stand for each of them, divided by "/".
        folds: to keep; all if None.
        figures: of `FIGURES`, as mean and deviation.
        columns: of `COLUMNS`, after them.

    Raises:
        ValueError: there is no such figure or column.
    """
    for name in columns:
        check_choice("column of a table", name, COLUMNS)
    cells = _figure_places(results, data, figures)
    header = [
        "method",
        *(_heading(results, place, figure, data) for place, figure in cells),
        *(COLUMNS[name][0] for name in columns),
    ]
    body = []
    for row in rows:
        values = [_cell(results, row, place, figure, folds) for place, figure in cells]
        whole = [_each(data, COLUMNS[name][1], results, row, folds) for name in columns]
        body.append([row_title(results, row, data, folds), *values, *whole])
    return markdown(header, body)


def _figure_places(
    results: Results, data: list[str], figures: Iterable[str]
) -> list[tuple[str, str]]:
    """Return (place, figure) of a table's cells: of the structures, then of the whole images."""
    cells = []
    for figure in figures:
        check_choice("figure of a table", figure, FIGURES)
        figure_places = places(results.paper, figure)
        cells += [(place, figure) for place in figure_places if place.split("/")[0] in data]
    order = places(results.paper)
    return sorted(cells, key=lambda cell: order.index(cell[0]) if cell[0] in order else len(order))


def markdown(header: list[str], body: Iterable[list[str]], *, text: int = 1) -> str:
    """Return a Markdown table, its first `text` columns to the left, the others to the right."""
    return markdown_table(header, body, range(text)) + "\n"


def legend(results: Results) -> str:
    """Return what the marks and columns of the tables mean."""
    reference = results.title(results.paper.content["reference"])
    text = LEGEND.format(reference=reference, unit=UNITS[results.paper.content["unit"]])
    plain = [entry for entry in entries(results).values() if "marks" not in entry]
    used = itertools.chain(*(entry.get("figures", ()) for entry in plain))
    text = " ".join([text, *explained(used)])
    return " ".join([text, *vanished(results)])


def vanished(results: Results) -> list[str]:
    """Return what the legend says of structures that vanished, nothing if none did."""
    lost = results.cases[results.cases["vanished"]]
    if not len(lost):
        return []
    counts = lost.groupby("row", sort=False).size().items()
    said = ", ".join(f"{results.title(row)} {count}" for row, count in counts)
    return [
        f"Structures that vanished ({said}) count as Dice 0 and as the largest distance that any "
        "row has on the structure."
    ]


def explained(names: Iterable[str]) -> list[str]:
    """Return what the legend says of figures and columns."""
    names = set(names)
    return [said for name, said in EXPLAINED.items() if name in names]


# === Cells ===


def _heading(results: Results, place: str, figure: str, data: list[str]) -> str:
    alone = len(data) == 1
    name = place.partition("/")[2] if alone else place_title(results.paper, place)
    return f"{name} {FIGURES[figure].heading}".strip()


def row_title(results: Results, row: str, data: list[str], folds: list[int] | None) -> str:
    """Return a row's title with the runs that it lacks."""
    lost = [
        run
        for run in results.missing
        if run.row == row and run.data in data and (folds is None or run.fold in folds)
    ]
    return results.title(row) + (f" (missing: {name_folds(lost, 'data')})" if lost else "")


def _cell(results: Results, row: str, place: str, figure: str, folds: list[int] | None) -> str:
    """Return "mean ± std", marked where it differs from the reference, and the print."""
    if not results.runs_on(row, place.split("/")[0]):
        return NONE
    values, kind = results.values(row, place, figure, folds), FIGURES[figure]
    text = "missing"
    if len(values):
        mark = r" \*" if _differs(results, row, place, figure, folds) else ""
        spread = f" ± {kind.text(values.std())}" if len(values) > 1 else ""
        text = f"{kind.text(values.mean())}{spread}{mark}"
    printed = printed_of(results, row, place).get(figure)
    if printed:
        text += f"<br><sub>print {kind.text(printed[0])} ± {kind.text(printed[1])}</sub>"
    return text


def printed_of(results: Results, row: str, place: str) -> dict:
    """Return what the paper prints of a row at a "DATA/STRUCTURE" or "DATA", by figure."""
    return results.paper.content.get("printed", {}).get(row, {}).get(place, {})


def _with_print(text: str, printed) -> str:
    return f"{text}<br><sub>print {printed}</sub>" if printed else text


def _differs(results: Results, row: str, place: str, figure: str, folds: list[int] | None) -> bool:
    reference = results.paper.content["reference"]
    if row == reference:
        return False
    units = results.in_units([row, reference], place, figure, folds)
    return signed_rank(units[row] - units[reference], "two-sided") < ALPHA


def _folding(results: Results, row: str, data: str, folds: list[int] | None) -> str:
    values = results.per_pair(row, data, "folding_percent", folds)
    text = f"{values.mean():.3f}" if len(values) else NONE
    return _with_print(text, printed_of(results, row, data).get("folding"))


def _folded(results: Results, row: str, data: str, folds: list[int] | None) -> str:
    """Return how many pairs fold anywhere, and what the paper prints."""
    values = results.per_pair(row, data, "folding_percent", folds)
    text = f"{(values > 0).sum()} of {len(values)}" if len(values) else NONE
    return _with_print(text, printed_of(results, row, data).get("folded"))


def _seconds(results: Results, row: str, data: str, folds: list[int] | None) -> str:
    values = results.per_pair(row, data, "seconds", folds).dropna()
    text = f"{values.median():.3g}" if len(values) else NONE
    return _with_print(text, printed_of(results, row, data).get("seconds"))


def _training(results: Results, row: str, data: str, folds: list[int] | None) -> str:
    trained = results.training
    trained = trained[(trained["row"] == row) & (trained["data"] == data)]
    if folds is not None:
        trained = trained[trained["fold"].isin(folds)]
    return f"{trained['seconds'].median() / 60:.1f}" if len(trained) else NONE


def _pairs(results: Results, row: str, data: str, folds: list[int] | None) -> str:
    return str(len(results.per_pair(row, data, "seconds", folds)))


COLUMNS: dict[str, tuple[str, Callable[..., str]]] = {
    "folding": ("folding %", _folding),
    "folded": ("folded cases", _folded),
    "seconds": ("s a pair", _seconds),
    "training": ("training min", _training),
    "pairs": ("pairs", _pairs),
}


def _each(data: list[str], of: Callable[..., str], results: Results, row: str, folds) -> str:
    """Return a figure of the whole image for each data set, once where they are alike."""
    texts = [of(results, row, name, folds) for name in data]
    return texts[0] if len(set(texts)) == 1 else " / ".join(texts)
