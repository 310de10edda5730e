"""Tests of claims on folded cases: pairs whose field folds at one voxel or more."""

from __future__ import annotations

import itertools

import pandas as pd
from scipy.stats import binomtest

from benchmarks.engine.outcome import (
    ALPHA,
    FEWEST_UNITS,
    NOT_TESTABLE,
    TOO_FEW,
    Outcome,
    Part,
    data_of,
    decide,
    verdict,
)
from benchmarks.engine.results import Results

FOLDED = "folded cases"


def none_folded(claim: dict, results: Results) -> Outcome:
    """No pair of the row folds, on any data set of `at`."""
    row, data = claim["row"], data_of(claim["at"])
    test = "No pair has a voxel with a Jacobian determinant at or below zero."
    reason = results.lacking([row], data)
    if reason:
        return Outcome(NOT_TESTABLE, test, reason)
    counts = {name: results.values(row, name, "folding") > 0 for name in data}
    said = "; ".join(
        f"{own.sum()} of {len(own)} pairs of {results.paper.data[name]['title']} fold"
        for name, own in counts.items()
    )
    fewest = min(len(own) for own in counts.values())
    if fewest < FEWEST_UNITS:
        return Outcome(NOT_TESTABLE, test, f"{said}: {TOO_FEW}")
    holds = not any(own.any() for own in counts.values())
    return Outcome(verdict([holds]), test, said)


def fewer_folded(claim: dict, results: Results) -> Outcome:
    """The first row of each of `pairs` has fewer folded cases than the second."""
    test = (
        "Fewer folded cases (pairs with a Jacobian determinant at or below zero anywhere): exact "
        f"one-sided sign test on the pairs that fold with one row alone, p < {ALPHA}."
    )
    data, pairs = data_of(claim["at"]), claim["pairs"]
    reason = results.lacking(dict.fromkeys(itertools.chain(*pairs)), data)
    if reason:
        return Outcome(NOT_TESTABLE, test, reason)
    parts = tuple(_part(results, row, other, name) for name in data for row, other in pairs)
    if not any(part.mean or part.other_mean for part in parts):
        return Outcome(NOT_TESTABLE, test, "no row folds anywhere", parts)
    return decide(test, parts)


def _part(results: Results, row: str, other: str, data: str) -> Part:
    values = [results.values(name, data, "folding") > 0 for name in (row, other)]
    folded = pd.concat(values, axis=1, join="inner", keys=(row, other))
    alone = int((folded[row] & ~folded[other]).sum())
    other_alone = int((folded[other] & ~folded[row]).sum())
    p = 1.0
    if alone + other_alone:
        p = float(binomtest(other_alone, alone + other_alone, alternative="greater").pvalue)
    return Part(
        at=results.paper.data[data]["title"],
        figure=FOLDED,
        row=results.title(row),
        other=results.title(other),
        mean=float(folded[row].sum()),
        other_mean=float(folded[other].sum()),
        difference=float(alone - other_alone),
        p=p,
        n=len(folded),
        holds=p < ALPHA,
    )
