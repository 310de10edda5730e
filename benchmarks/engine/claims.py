"""The tests that decide whether a paper's claim holds on what was measured.

A claim of `benchmarks/papers/NAME.yaml` names its test in `TESTS`, the row it is about, what it is
compared with (`than`), where (`at`) and in which figures. It holds only if each part holds, so no
part needs a correction for their number. All tests are Wilcoxon's signed-rank test (Wilcoxon 1945)
on the means of independent units, one-sided at 5 %; see `Results.in_units`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import wilcoxon

from engine.results import FIGURES, Results, place_title
from mmzoo.checks import check_choice

HELD, NOT_HELD, NOT_TESTABLE = "held", "not held", "not testable here"
LEVEL = 0.05
FEWEST_UNITS = 5  # 2^-4 is above the level: with four units no p-value can be below it


@dataclass(frozen=True)
class Part:
    """One comparison of a claim.

    Attributes:
        at: title of the data set or structure.
        figure: title and unit of the figure.
        row: title of the row that the claim is about.
        other: title of the row it is compared with.
        mean: of the row's units, or the median for seconds.
        other_mean: likewise of the other row.
        difference: first minus second.
        p: one-sided p-value; NaN where there is no test.
        n: number of units, or of pairs for seconds.
        holds: whether this part holds.
    """

    at: str
    figure: str
    row: str
    other: str
    mean: float
    other_mean: float
    difference: float
    p: float
    n: int
    holds: bool


@dataclass(frozen=True)
class Outcome:
    """What came out of a claim.

    Attributes:
        verdict: "held", "not held" or "not testable here".
        test: what was tested, in one sentence; "" if nothing can be.
        reason: why the verdict is so, where the parts do not say it.
        parts: the comparisons.
    """

    verdict: str
    test: str
    reason: str = ""
    parts: tuple[Part, ...] = ()


def judge(claim: dict, results: Results) -> Outcome:
    """Put a claim to its test.

    Raises:
        ValueError: the claim names an unknown test, row, data set, structure or figure.
    """
    check_choice("test of a claim", claim["test"], TESTS)
    return TESTS[claim["test"]](claim, results)


def signed_rank(differences: Iterable[float], alternative: str = "greater") -> float:
    """Return the p-value of Wilcoxon's signed-rank test that differences are above zero.

    Args:
        differences: one a unit; exact up to 50 without ties and zeros (SciPy's choice).
        alternative: "greater", or "two-sided" for: other than zero.

    Returns:
        The p-value; 1 if no difference is other than zero, or there is none.
    """
    values = np.asarray(list(differences), dtype=float)
    return float(wilcoxon(values, alternative=alternative).pvalue) if values.any() else 1.0


# === Tests ===


def better(claim: dict, results: Results) -> Outcome:
    """Row better than every `than`, at every `at`, in each figure."""
    test = (
        f"One-sided Wilcoxon signed-rank test on {_units(results)}: better in each part, "
        f"p < {LEVEL}."
    )
    return _compare(claim, results, test, dict.fromkeys(claim["figures"], 0.0))


def not_worse(claim: dict, results: Results) -> Outcome:
    """Row not worse than every `than` by more than `margins`, in display units."""
    margins = {figure: claim["margins"][figure] for figure in claim["figures"]}
    said = ", ".join(_margin(figure, margin) for figure, margin in margins.items())
    test = (
        f"One-sided Wilcoxon signed-rank test of non-inferiority on {_units(results)}: in each "
        f"part worse by less than the margin ({said}), p < {LEVEL}."
    )
    return _compare(claim, results, test, margins)


def best_of_grid(claim: dict, results: Results) -> Outcome:
    """The printed point of the grid has the best mean over `at`, in each figure."""
    grid = results.paper.content["ablations"]["grid"]
    printed = ", ".join(f"{axis} = {value:g}" for axis, value in grid["printed"].items())
    test = (
        f"The printed point, {printed}, has the best mean of all points of the grid; p, for the "
        f"eye, of a one-sided Wilcoxon signed-rank test on {_units(results)} that the best other "
        "point is better."
    )
    points = {row.title: row.name for row in results.paper.rows.values() if row.kind == "grid"}
    reason = results.lacking(points.values(), _data(claim["at"])) if points else ""
    if not points or reason:
        reason = reason or f"the {results.paper.scale} scale leaves the grid out"
        return Outcome(NOT_TESTABLE, test, reason)
    check_choice("printed point of the grid", printed, points)
    found = [_rank(results, claim["at"], figure, points, printed) for figure in claim["figures"]]
    parts = tuple(part for part, _ in found)
    return Outcome(_verdict(parts), test, " ".join(said for _, said in found), parts)


def faster(claim: dict, results: Results) -> Outcome:
    """Row takes fewer seconds for a pair than every `than`, on every data set of `at`."""
    test = "Smaller median of the seconds for a pair, over the pairs that both rows have."
    reason = results.lacking([claim["row"], *claim["than"]], claim["at"])
    if reason:
        return Outcome(NOT_TESTABLE, test, reason)
    parts = []
    for data, other in itertools.product(claim["at"], claim["than"]):
        seconds = [results.per_pair(row, data, "seconds") for row in (claim["row"], other)]
        both = pd.concat(seconds, axis=1, join="inner").dropna()
        if both.empty:
            titles = f"{results.title(claim['row'])} and {results.title(other)}"
            reason = f"{titles} have no pair on {data} with both times"
            return Outcome(NOT_TESTABLE, test, reason)
        mean, other_mean = both.median()
        part = Part(
            at=results.paper.data[data]["title"],
            figure="s a pair",
            row=results.title(claim["row"]),
            other=results.title(other),
            mean=mean,
            other_mean=other_mean,
            difference=mean - other_mean,
            p=math.nan,
            n=len(both),
            holds=bool(mean < other_mean),
        )
        parts.append(part)
    ratios = [part.other_mean / part.mean for part in parts]
    reason = f"The others take {min(ratios):.3g} to {max(ratios):.3g} times as long."
    return Outcome(_verdict(parts), test, reason, tuple(parts))


def not_testable(claim: dict, results: Results) -> Outcome:
    """Give the description's own reason."""
    return Outcome(NOT_TESTABLE, "", claim["why"])


TESTS: dict[str, Callable[[dict, Results], Outcome]] = {
    "better": better,
    "not_worse": not_worse,
    "best_of_grid": best_of_grid,
    "faster": faster,
    "not_testable": not_testable,
}


# === Parts ===


def _compare(claim: dict, results: Results, test: str, margins: dict[str, float]) -> Outcome:
    """Test every part of `better` (margins of zero) and `not_worse`."""
    row = claim["row"]
    reason = results.lacking([row, *claim["than"]], _data(claim["at"]))
    if reason:
        return Outcome(NOT_TESTABLE, test, reason)
    parts = []
    for other, place, figure in itertools.product(claim["than"], claim["at"], claim["figures"]):
        units = results.in_units([row, other], place, figure)
        title = place_title(results.paper, place)
        reason = _unfit(units, f"{results.title(row)} and {results.title(other)} on {title}")
        if reason:
            return Outcome(NOT_TESTABLE, test, reason)
        parts.append(_part(results, units, title, figure, margins))
    return Outcome(_verdict(parts), test, parts=tuple(parts))


def _part(
    results: Results, units: pd.DataFrame, at: str, figure: str, margins: dict[str, float]
) -> Part:
    row, other = units.columns
    difference = units[row] - units[other]
    p = signed_rank(FIGURES[figure].sign * difference + margins[figure])
    return Part(
        at=at,
        figure=_heading(figure),
        row=results.title(row),
        other=results.title(other),
        mean=float(units[row].mean()),
        other_mean=float(units[other].mean()),
        difference=float(difference.mean()),
        p=p,
        n=len(units),
        holds=p < LEVEL,
    )


def _rank(
    results: Results, at: list[str], figure: str, points: dict[str, str], printed: str
) -> tuple[Part, str]:
    """Compare the printed point with the best other one, and say how it ranks."""
    rows = list(points.values())
    tables = [results.in_units(rows, place, figure) for place in at]
    units = sum(tables) / len(tables)
    sign = FIGURES[figure].sign
    order = (sign * units.mean()).sort_values(ascending=False, kind="stable").index
    titles = {row: title for title, row in points.items()}
    ours = points[printed]
    other = next(row for row in order if row != ours)
    difference = units[ours] - units[other]
    part = Part(
        at=" and ".join(place_title(results.paper, place) for place in at),
        figure=_heading(figure),
        row=printed,
        other=titles[other],
        mean=float(units[ours].mean()),
        other_mean=float(units[other].mean()),
        difference=float(difference.mean()),
        p=signed_rank(-sign * difference),
        n=len(units),
        holds=bool(order[0] == ours),
    )
    said = f"{FIGURES[figure].title}: the printed point ranks {list(order).index(ours) + 1} of "
    said += f"{len(order)}."
    if not part.holds:
        worse = "significantly" if part.p < LEVEL else "not significantly"
        said += f" The best is {part.other}; the printed one is {worse} worse (p = {part.p:.2g})."
    return part, said


def _unfit(units: pd.DataFrame, what: str) -> str:
    """Return why no test can be made of units, "" if one can."""
    if units.isna().any(axis=None):
        return f"{what} have no finite value, since the structure vanished everywhere"
    if len(units) < FEWEST_UNITS:
        return (
            f"{what} have {len(units)} independent units in common, and with fewer than "
            f"{FEWEST_UNITS} no p-value can be below {LEVEL}"
        )
    return ""


def _verdict(parts: Iterable[Part]) -> str:
    return HELD if all(part.holds for part in parts) else NOT_HELD


def _data(at: Iterable[str]) -> list[str]:
    """Return the data sets of some "DATA/STRUCTURE"."""
    return list(dict.fromkeys(place.split("/")[0] for place in at))


def _units(results: Results) -> str:
    return {"fixed": "the means per fixed person", "pair": "the pairs"}[
        results.paper.content["unit"]
    ]


def _heading(figure: str) -> str:
    return f"{FIGURES[figure].title} {FIGURES[figure].unit}"


def _margin(figure: str, margin: float) -> str:
    unit = {"%": "points"}.get(FIGURES[figure].unit, FIGURES[figure].unit)
    return f"{margin:g} {unit} of {FIGURES[figure].title}"
