"""Methods ranked case by case: a table of ranks, and the tests of claims about them.

A paper whose expert ranked methods by eye has them ranked here by a figure instead. Its
description says, as `ranking`:

heading                of the table
rows                   that are ranked
at, figure             by which: DATA or DATA/STRUCTURE and one of `measures.FIGURES`
printed                {row: [how often first, second, ...], tests: what the paper says of it}
note                   what stands below the table

The tests are the paper's: chi-square of the contingency table of ranks, and of how often one of
two rows is preferred. Ranks of one case are not independent of each other, which the chi-square of
the table overlooks, as in the paper.
"""

from __future__ import annotations

import itertools

import pandas as pd
from scipy.stats import chi2_contingency, chisquare

from benchmarks.engine.measures import FIGURES
from benchmarks.engine.outcome import (
    ALPHA,
    NOT_TESTABLE,
    Outcome,
    Part,
    data_of,
    decide,
    places_of,
    signed_rank,
    unfit,
    units_title,
    verdict,
)
from benchmarks.engine.results import Results, place_title
from benchmarks.engine.tables import markdown

PREFERRED = "times preferred"


# === The table ===


def rank_counts(units: pd.DataFrame, sign: int) -> pd.DataFrame:
    """Return how often each row has each rank.

    Args:
        units: a line a case, a column a row.
        sign: 1 where higher is better, -1 where lower is.

    Returns:
        A line a rank, from 1, a column a row; of equal values the first column's goes first.
    """
    ranks = (-sign * units).rank(axis=1, method="first").astype(int)
    every = range(1, units.shape[1] + 1)
    return ranks.apply(lambda own: own.value_counts().reindex(every, fill_value=0))


def chi_square(counts: pd.DataFrame) -> tuple[float, float]:
    """Return chi-square and p-value of a contingency table of ranks by rows."""
    found = chi2_contingency(counts.to_numpy(), correction=False)
    return float(found.statistic), float(found.pvalue)


def preference(units: pd.DataFrame, row: str, other: str, sign: int) -> tuple[int, int, float]:
    """Return how often a row is better than another, of how many cases without a tie, and p.

    The p-value is of chi-square with one degree of freedom against half of the cases.
    """
    difference = sign * (units[row] - units[other])
    better, count = int((difference > 0).sum()), int((difference != 0).sum())
    p = float(chisquare([better, count - better]).pvalue) if count else 1.0
    return better, count, p


def ranked_units(results: Results) -> tuple[pd.DataFrame | None, str]:
    """Return the cases of the description's ranking, or None and why there are none."""
    ranking = results.paper.content["ranking"]
    reason = results.lacking(ranking["rows"], data_of([ranking["at"]]))
    if reason:
        return None, reason
    units = results.in_units(ranking["rows"], ranking["at"], ranking["figure"])
    what = f"the rows on {place_title(results.paper, ranking['at'])}"
    reason = unfit(units, what, ranking["figure"])
    return (None, reason) if reason else (units, "")


def ranking_blocks(results: Results) -> list[str]:
    """Return the page's part on the description's ranking: heading, tables and tests; [] without.

    Nothing either where the scale leaves its data out.
    """
    ranking = results.paper.content.get("ranking")
    if ranking is None or data_of([ranking["at"]])[0] not in results.paper.data:
        return []
    blocks = [f"### {ranking['heading']}", ranking["note"]]
    units, reason = ranked_units(results)
    if units is None:
        return [*blocks, f"Not made: {reason}."]
    figure = FIGURES[ranking["figure"]]
    counts = rank_counts(units, figure.sign)
    statistic, p = chi_square(counts)
    said = (
        f"Ranks by {figure.title} ({place_title(results.paper, ranking['at'])}), n = "
        f"{len(units)}: χ² = {statistic:.3g}, p = {p:.2g}. Print: {ranking['printed']['tests']}."
    )
    return [*blocks, _rank_table(results, counts), said, _preference_table(results, units)]


def _rank_table(results: Results, counts: pd.DataFrame) -> str:
    printed = results.paper.content["ranking"]["printed"]
    body = [
        [str(rank), *(f"{own[row]}<br><sub>print {printed[row][rank - 1]}</sub>" for row in counts)]
        for rank, own in counts.iterrows()
    ]
    return markdown(["rank", *(results.title(row) for row in counts)], body)


def _preference_table(results: Results, units: pd.DataFrame) -> str:
    body = []
    for row, other in itertools.combinations(units, 2):
        better, count, p = preference(units, row, other, _sign(results))
        titles = f"{results.title(row)} before {results.title(other)}"
        body.append([titles, f"{better} of {count}", f"{p:.2g}"])
    return markdown(["", PREFERRED, "p (χ², one half)"], body)


# === Tests of claims ===


def ranks_differ(claim: dict, results: Results) -> Outcome:
    """The ranks of the description's ranking differ between its rows."""
    test = f"Chi-square of the contingency table of ranks, p < {ALPHA}."
    units, reason = ranked_units(results)
    if units is None:
        return Outcome(NOT_TESTABLE, test, reason)
    statistic, p = chi_square(rank_counts(units, _sign(results)))
    return Outcome(
        verdict([p < ALPHA]), test, f"χ² = {statistic:.3g}, p = {p:.2g}, n = {len(units)}"
    )


def rank_order(claim: dict, results: Results) -> Outcome:
    """The mean ranks of the description's ranking have the order of the claim's `rows`."""
    said = ", ".join(results.title(row) for row in claim["rows"])
    test = f"Mean ranks in this order: {said}."
    units, reason = ranked_units(results)
    if units is None:
        return Outcome(NOT_TESTABLE, test, reason)
    means = (-_sign(results) * units).rank(axis=1, method="first").mean().sort_values(kind="stable")
    found = ", ".join(f"{results.title(row)} {mean:.2f}" for row, mean in means.items())
    return Outcome(verdict([list(means.index) == claim["rows"]]), test, f"Mean ranks: {found}")


def preferred(claim: dict, results: Results) -> Outcome:
    """The first row of each of `pairs` is better than the second in more cases."""
    test = (
        "More cases in which it is the better one: chi-square with one degree of freedom against "
        f"one half, p < {ALPHA}."
    )
    units, reason = ranked_units(results)
    if units is None:
        return Outcome(NOT_TESTABLE, test, reason)
    parts = tuple(_preferred(results, units, row, other) for row, other in claim["pairs"])
    return decide(test, parts)


def _preferred(results: Results, units: pd.DataFrame, row: str, other: str) -> Part:
    better, count, p = preference(units, row, other, _sign(results))
    return Part(
        at=place_title(results.paper, results.paper.content["ranking"]["at"]),
        figure=PREFERRED,
        row=results.title(row),
        other=results.title(other),
        mean=float(better),
        other_mean=float(count - better),
        difference=float(2 * better - count),
        p=p,
        n=count,
        holds=p < ALPHA and 2 * better > count,
    )


def best_elsewhere(claim: dict, results: Results) -> Outcome:
    """The row of `rows` that is best by one figure, on average, is not best in the claim's."""
    by, (figure,), rows, at = claim["by"], claim["figures"], claim["rows"], claim["at"]
    test = (
        f"Of {len(rows)} rows, the one with the best mean {FIGURES[by].title} has not the best "
        f"mean {FIGURES[figure].title}; p, for the eye, of a one-sided Wilcoxon signed-rank test "
        f"on {units_title(results)} that the best other row is better in it."
    )
    reason = results.lacking(rows, data_of(at))
    if reason:
        return Outcome(NOT_TESTABLE, test, reason)
    title = " and ".join(place_title(results.paper, place) for place in at)
    leading, own = (_scores(results, rows, at, name) for name in (by, figure))
    what = f"the rows on {title}"
    reason = unfit(leading, what, by) or unfit(own, what, figure)
    if reason:
        return Outcome(NOT_TESTABLE, test, reason)
    part = _elsewhere(results, leading.mean().idxmax(), own, figure, title)
    same = (leading.idxmax(axis=1) == own.idxmax(axis=1)).sum()
    said = (
        f"{part.row} has the best mean {FIGURES[by].title}. Case by case the row with the best "
        f"{FIGURES[by].title} also has the best {FIGURES[figure].title} in {same} of {len(own)}; "
        f"chance would give {len(own) / len(rows):.3g}."
    )
    return decide(test, [part], said)


def _elsewhere(results: Results, top: str, scores: pd.DataFrame, figure: str, at: str) -> Part:
    """Compare a row with the best of the others; holds if that one is better."""
    other = scores.drop(columns=top).mean().idxmax()
    gain, sign = scores[other] - scores[top], FIGURES[figure].sign
    return Part(
        at=at,
        figure=FIGURES[figure].heading,
        row=results.title(top),
        other=results.title(other),
        mean=float(sign * scores[top].mean()),
        other_mean=float(sign * scores[other].mean()),
        difference=float(-sign * gain.mean()),
        p=signed_rank(gain),
        n=len(gain),
        holds=bool(gain.mean() > 0),
    )


def _scores(results: Results, rows: list[str], at: list[str], figure: str) -> pd.DataFrame:
    """Return a figure's mean over places, one line a unit, higher is better."""
    tables = [results.in_units(rows, place, figure) for place in places_of(results, at, figure)]
    return FIGURES[figure].sign * sum(tables) / len(tables)


def _sign(results: Results) -> int:
    return FIGURES[results.paper.content["ranking"]["figure"]].sign
