"""The tests that decide whether a paper's claim holds on what was measured.

A claim of `benchmarks/papers/NAME.yaml` names its test in `TESTS`, the row it is about, what it is
compared with (`than`, or `pairs` of rows), where (`at`) and in which figures. It holds only if each
part holds, so no part needs a correction for their number.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable

import pandas as pd

from benchmarks.engine import ranks
from benchmarks.engine.folding import fewer_folded, none_folded
from benchmarks.engine.limits import at_least, at_most
from benchmarks.engine.measures import FIGURES
from benchmarks.engine.outcome import (
    ALPHA,
    HELD,
    NOT_HELD,
    NOT_TESTABLE,
    Outcome,
    Part,
    compare,
    data_of,
    decide,
    places_of,
    signed_rank,
    unfit,
    units_title,
)
from benchmarks.engine.results import Results, place_title
from mmzoo.checks import check_choice


def judge(claim: dict, results: Results) -> Outcome:
    """Put a claim to its test.

    Raises:
        ValueError: the claim names an unknown test, row, data set, structure or figure.
    """
    check_choice("test of a claim", claim["test"], TESTS)
    return TESTS[claim["test"]](claim, results)


# === Tests ===


def better(claim: dict, results: Results) -> Outcome:
    """Row better than every `than`, at every `at`, in each figure."""
    test = (
        f"One-sided Wilcoxon signed-rank test on {units_title(results)}: better in each part, "
        f"p < {ALPHA}."
    )
    return compare(claim, results, test, dict.fromkeys(claim["figures"], 0.0))


def not_worse(claim: dict, results: Results) -> Outcome:
    """Row not worse than every `than` by more than `margins`, in display units."""
    margins = {figure: claim["margins"][figure] for figure in claim["figures"]}
    test = (
        f"One-sided Wilcoxon signed-rank test of non-inferiority on {units_title(results)}: in "
        f"each part worse by less than the margin ({_in_words(margins)}), p < {ALPHA}."
    )
    return compare(claim, results, test, margins)


def similar(claim: dict, results: Results) -> Outcome:
    """Rows of each pair within `margins` of each other, in display units."""
    margins = {figure: claim["margins"][figure] for figure in claim["figures"]}
    test = (
        f"Two one-sided Wilcoxon signed-rank tests of equivalence on {units_title(results)}: in "
        f"each part the difference is within the margin ({_in_words(margins)}), larger p < {ALPHA}."
    )
    return compare(claim, results, test, margins, both=True)


def times_smaller(claim: dict, results: Results) -> Outcome:
    """Row's figures, of which less is better, smaller than every `than`'s by the factor `times`.

    The factor is asked of the means alone: a row that does exactly what is printed must not fail.
    """
    times = claim["times"]
    test = (
        f"One-sided Wilcoxon signed-rank test on {units_title(results)}: in each part smaller, "
        f"p < {ALPHA}, and the mean at most 1/{times:g} of the other's."
    )
    outcome = compare(claim, results, test, dict.fromkeys(claim["figures"], 0.0), times=times)
    said = ", ".join(
        f"{part.other_mean / part.mean:.3g} ({part.row}, {part.at})"
        for part in outcome.parts
        if part.mean
    )
    return dataclasses.replace(outcome, reason=f"Ratios of the means: {said}.") if said else outcome


def all_of(claim: dict, results: Results) -> Outcome:
    """Every one of `tests`, each written as a claim is."""
    outcomes = [judge(part, results) for part in claim["tests"]]
    verdicts = [outcome.verdict for outcome in outcomes]
    return Outcome(
        next((found for found in (NOT_HELD, NOT_TESTABLE) if found in verdicts), HELD),
        " And: ".join(outcome.test for outcome in outcomes),
        "; ".join(outcome.reason.rstrip(".") for outcome in outcomes if outcome.reason),
        tuple(part for outcome in outcomes for part in outcome.parts),
    )


def keeps(claim: dict, results: Results) -> Outcome:
    """Each of `rows` on the same people's worse images of `at` nearly as good as on `clean`."""
    margins = {figure: claim["margins"][figure] for figure in claim["figures"]}
    test = (
        f"One-sided Wilcoxon signed-rank test of non-inferiority on {units_title(results)}, the "
        f"same row on both: in each part worse by less than the margin ({_in_words(margins)}), "
        f"p < {ALPHA}."
    )
    reason = results.lacking(claim["rows"], [*claim["at"], claim["clean"]])
    if reason:
        return Outcome(NOT_TESTABLE, test, reason)
    parts, untested = [], []
    for row, data, figure in itertools.product(claim["rows"], claim["at"], claim["figures"]):
        places = places_of(results, [data], figure), places_of(results, [claim["clean"]], figure)
        for place, clean in zip(*places, strict=True):
            units = results.as_units({at: results.values(row, at, figure) for at in (place, clean)})
            title, other = place_title(results.paper, place), place_title(results.paper, clean)
            if reason := unfit(units, f"{title} and {other}", figure):
                untested.append(reason)
                continue
            difference = units[place] - units[clean]
            p = signed_rank(FIGURES[figure].sign * difference + margins[figure])
            names = (title, results.title(row), other)
            parts.append(Part.of_units(units[place], units[clean], figure, names, p))
    return decide(test, parts, untested=untested)


def best_of_grid(claim: dict, results: Results) -> Outcome:
    """The printed point, the grid's or the claim's, has the best mean over `at`, in each figure."""
    point = claim.get("printed") or results.paper.content["ablations"]["grid"]["printed"]
    printed = ", ".join(f"{axis} = {value:g}" for axis, value in point.items())
    test = (
        f"The printed point, {printed}, has the best mean of all points of the grid; p, for the "
        f"eye, of a one-sided Wilcoxon signed-rank test on {units_title(results)} that the best "
        "other point is better."
    )
    points = {row.title: row.name for row in results.paper.rows.values() if row.kind == "grid"}
    reason = results.lacking(points.values(), data_of(claim["at"])) if points else ""
    if not points or reason:
        reason = reason or f"the {results.paper.scale} scale leaves the grid out"
        return Outcome(NOT_TESTABLE, test, reason)
    check_choice("printed point of the grid", printed, points)
    found = [_rank(results, claim["at"], figure, points, printed) for figure in claim["figures"]]
    return decide(test, (part for part, _ in found), " ".join(said for _, said in found))


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
    return decide(test, parts, reason)


def not_testable(claim: dict, results: Results) -> Outcome:
    """Give the description's own reason."""
    return Outcome(NOT_TESTABLE, "", claim["why"])


TESTS: dict[str, Callable[[dict, Results], Outcome]] = {
    "better": better,
    "not_worse": not_worse,
    "times_smaller": times_smaller,
    "at_most": at_most,
    "at_least": at_least,
    "all_of": all_of,
    "similar": similar,
    "keeps": keeps,
    "none_folded": none_folded,
    "fewer_folded": fewer_folded,
    "ranks_differ": ranks.ranks_differ,
    "rank_order": ranks.rank_order,
    "preferred": ranks.preferred,
    "best_elsewhere": ranks.best_elsewhere,
    "best_of_grid": best_of_grid,
    "faster": faster,
    "not_testable": not_testable,
}


# === Parts ===


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
    places = " and ".join(place_title(results.paper, place) for place in at)
    p = signed_rank(-sign * (units[ours] - units[other]))
    part = Part.of_units(units[ours], units[other], figure, (places, printed, titles[other]), p)
    part = dataclasses.replace(part, holds=bool(order[0] == ours))
    said = f"{FIGURES[figure].title}: the printed point ranks {list(order).index(ours) + 1} of "
    said += f"{len(order)}."
    if not part.holds:
        worse = "significantly" if part.p < ALPHA else "not significantly"
        said += f" The best is {part.other}; the printed one is {worse} worse (p = {part.p:.2g})."
    return part, said


def _in_words(margins: dict[str, float]) -> str:
    parts = []
    for name, margin in margins.items():
        figure = FIGURES[name]
        unit = "points" if figure.unit == "%" else figure.unit
        parts.append(f"{margin:g} {unit} of {figure.title}")
    return ", ".join(parts)
