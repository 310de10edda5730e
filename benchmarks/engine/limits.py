"""Tests of claims on a threshold that a row must reach or must not pass."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable

import numpy as np

from benchmarks.engine.measures import FIGURES
from benchmarks.engine.outcome import (
    FEWEST_UNITS,
    NOT_TESTABLE,
    TOO_FEW,
    Outcome,
    Part,
    data_of,
    decide,
    places_of,
    units_title,
)
from benchmarks.engine.results import Results, place_title


def at_most(claim: dict, results: Results) -> Outcome:
    """Row's mean at most `limit`, in display units, at every `at`, in each figure."""
    return _limited(claim, results, "at most", operator.le, np.max)


def at_least(claim: dict, results: Results) -> Outcome:
    """Row's mean at least `limit`, as `at_most`."""
    return _limited(claim, results, "at least", operator.ge, np.min)


def _limited(
    claim: dict, results: Results, side: str, within: Callable, extreme: Callable
) -> Outcome:
    """Compare the row's mean, or with `each` its extreme unit, with `limit` on one side."""
    limit, row, each = claim["limit"], claim["row"], claim.get("each", False)
    chosen = f"The mean over {units_title(results)}"
    if each:
        chosen = f"Each of {units_title(results)}, of which the table has the one that decides,"
    test = f"{chosen} is {side} {limit:g}."
    reason = results.lacking([row], data_of(claim["at"]))
    if reason:
        return Outcome(NOT_TESTABLE, test, reason)
    parts, untested = [], []
    for at, figure in itertools.product(claim["at"], claim["figures"]):
        for place in places_of(results, [at], figure):
            units = results.in_units([row], place, figure)[row].dropna()
            if len(units) < FEWEST_UNITS:
                what = f"{results.title(row)} on {place_title(results.paper, place)}"
                untested.append(f"{what} has {len(units)} independent units: {TOO_FEW}")
                continue
            mean = float(extreme(units) if each else np.mean(units))
            part = Part(
                at=place_title(results.paper, place),
                figure=FIGURES[figure].heading,
                row=results.title(row),
                other="the limit",
                mean=mean,
                other_mean=limit,
                difference=mean - limit,
                p=math.nan,
                n=len(units),
                holds=bool(within(mean, limit)),
            )
            parts.append(part)
    return decide(test, parts, untested=untested)
