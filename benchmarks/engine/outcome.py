"""What the tests of claims share: their outcome, its parts, and the comparison of two rows.

All comparisons are Wilcoxon's signed-rank test (Wilcoxon 1945) on the means of independent units,
one-sided at 5 %; see `Results.in_units`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.stats import wilcoxon

from benchmarks.engine.measures import FIGURES
from benchmarks.engine.results import UNITS, Results, place_title

HELD, NOT_HELD, NOT_TESTABLE = "held", "not held", "not testable here"
ALPHA = 0.05  # significance level
FEWEST_UNITS = 6  # with five p is below it only if all agree, with fewer never
TOO_FEW = f"too few, since fewer than {FEWEST_UNITS} decide nothing"


@dataclass(frozen=True)
class Part:
    """One comparison of a claim.

    Attributes:
        at: title of the data set or structure.
        figure: title and unit of the figure.
        row: title of the row that the claim is about.
        other: title of the row it is compared with.
        mean: of the row's units; the median for seconds; the unit that decides, where each must be
            on one side of a limit.
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

    @classmethod
    def of_units(
        cls, ours: pd.Series, theirs: pd.Series, figure: str, names: tuple[str, str, str], p: float
    ) -> Part:
        """Return the comparison of a figure of the same units, which holds if p is significant.

        Args:
            ours: the row's units.
            theirs: those of the other row.
            figure: its name.
            names: `at`, `row` and `other`.
            p: one-sided p-value.
        """
        at, row, other = names
        return cls(
            at=at,
            figure=FIGURES[figure].heading,
            row=row,
            other=other,
            mean=float(ours.mean()),
            other_mean=float(theirs.mean()),
            difference=float((ours - theirs).mean()),
            p=p,
            n=len(ours),
            holds=p < ALPHA,
        )


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


# === Comparisons ===


def compare(
    claim: dict,
    results: Results,
    test: str,
    margins: dict[str, float],
    *,
    both: bool = False,
    times: float | None = None,
) -> Outcome:
    """Test whether rows are better than others by more than minus a margin.

    Args:
        claim: its `row` and each of `than`, or `pairs` of rows; `at` DATA/STRUCTURE, or DATA for
            all its structures; `figures`.
        results: what was measured.
        test: in words.
        margins: of each figure, as it is shown.
        both: whether the others must not be better by more than the margin either.
        times: the factor by which the rows' means must also be smaller, if any.
    """
    pairs = claim.get("pairs") or [(claim["row"], other) for other in claim["than"]]
    reason = results.lacking(dict.fromkeys(itertools.chain(*pairs)), data_of(claim["at"]))
    if reason:
        return Outcome(NOT_TESTABLE, test, reason)
    parts, untested = [], []
    for (row, other), (place, figure) in itertools.product(pairs, _cells(claim, results)):
        units = results.in_units([row, other], place, figure)
        title = place_title(results.paper, place)
        names = f"{results.title(row)} and {results.title(other)} on {title}"
        if reason := unfit(units, names, figure):
            untested.append(reason)
        else:
            parts.append(_part(results, units, title, figure, margins, both, times))
    return decide(test, parts, untested=untested)


def _cells(claim: dict, results: Results) -> list[tuple[str, str]]:
    """Return (place, figure) of each comparison of two rows."""
    cells = [
        (place, figure)
        for at, figure in itertools.product(claim["at"], claim["figures"])
        for place in places_of(results, [at], figure)
    ]
    return list(dict.fromkeys(cells))


def _part(
    results: Results,
    units: pd.DataFrame,
    at: str,
    figure: str,
    margins: dict[str, float],
    both: bool,
    times: float | None,
) -> Part:
    row, other = units.columns
    difference = units[row] - units[other]
    p = signed_rank(FIGURES[figure].sign * difference + margins[figure])
    if both:
        p = max(p, signed_rank(margins[figure] - FIGURES[figure].sign * difference))
    names = (at, results.title(row), results.title(other))
    part = Part.of_units(units[row], units[other], figure, names, p)
    if times is not None and not times * part.mean <= part.other_mean:
        return replace(part, holds=False)
    return part


def unfit(units: pd.DataFrame, what: str, figure: str) -> str:
    """Return why no test can be made of units, "" if one can."""
    if units.isna().any(axis=None):
        why = "since the structure vanished everywhere, or the data do not know it"
        return f"{what} have no finite value of {FIGURES[figure].title}, {why}"
    if len(units) < FEWEST_UNITS:
        return f"{what} have {len(units)} independent units in common: {TOO_FEW}"
    if figure == "folding" and not units.to_numpy().any():
        return f"{what} fold nowhere"
    return ""


def decide(
    test: str, parts: Iterable[Part], reason: str = "", untested: Sequence[str] = ()
) -> Outcome:
    """Return the outcome of a claim that holds if all its parts do.

    Args:
        test: in words.
        parts: what was tested.
        reason: why the verdict is so, where the parts do not say it.
        untested: why each further part cannot be tested. A part that was tested and does not hold
            decides all the same; else the claim is not testable.
    """
    parts = tuple(parts)
    if not untested:
        return Outcome(verdict(part.holds for part in parts), test, reason, parts)
    if all(part.holds for part in parts):
        return Outcome(NOT_TESTABLE, test, untested[0], parts)
    return Outcome(NOT_HELD, test, f"Not tested: {'; '.join(untested)}.", parts)


def verdict(holds: Iterable[bool]) -> str:
    """Return whether all of a claim holds, as a verdict."""
    return HELD if all(holds) else NOT_HELD


def data_of(at: Iterable[str]) -> list[str]:
    """Return the data sets of some "DATA/STRUCTURE" or "DATA"."""
    return list(dict.fromkeys(place.split("/")[0] for place in at))


def places_of(results: Results, at: Iterable[str], figure: str) -> list[str]:
    """Return where a figure is: its data sets, or their structures where DATA stands alone."""
    if FIGURES[figure].whole:
        return data_of(at)
    found = []
    for place in at:
        data, _, structure = place.partition("/")
        titles = [structure] if structure else results.paper.data[data]["structures"].values()
        found += [f"{data}/{title}" for title in titles]
    return found


def units_title(results: Results) -> str:
    """Return what is independent, in words."""
    return UNITS[results.paper.content["unit"]]
