"""Means over pairs, paired tests, and their tables (CSV, Markdown, terminal)."""

import math
from dataclasses import MISSING, fields

import numpy as np
import pandas as pd
from scipy.stats import wilcoxon

from mmzoo.evaluation.cases import STAGES, Case

# What a pair is measured by; a figure may be missing, so that it has a default.
FIGURES = [field.name for field in fields(Case) if field.default is not MISSING]
ALL_STRUCTURES = "mean of structures"


def summarise(cases: pd.DataFrame, union: str | None = None) -> pd.DataFrame:
    """Reduce the rows of `cases.csv` to one row a structure and stage.

    Per figure its mean and standard deviation (n - 1) over the pairs with a finite value:
    a structure that vanished has an infinite distance, which `missing` counts instead. The row
    "mean of structures" averages the structures of each pair first. For the stage "network"
    `p_<figure>_vs_<stage>` is the two-sided p-value of a paired Wilcoxon signed-rank test over
    the pairs; pairs that share a person are not independent, so take it as a guide.

    Args:
        cases: one row a pair, structure and stage, columns of `Case`.
        union: structure that is all others together, so that it does not count in their mean.

    Returns:
        DataFrame with columns structure, stage, pairs, missing, <figure>_mean, <figure>_std
        and the p-values.
    """
    structures = [name for name in cases["structure"].unique() if name]
    blocks = [(name, cases[cases["structure"] == name]) for name in structures or [""]]
    single = cases[cases["structure"] != union]
    if single["structure"].nunique() > 1:
        blocks.append((ALL_STRUCTURES, _mean_of_structures(single)))
    rows = []
    for name, block in blocks:
        tables = {stage: _by_pair(block, stage) for stage in STAGES}
        for stage, table in tables.items():
            if len(table):
                rows.append({"structure": name, "stage": stage, **_row(table, stage, tables)})
    return pd.DataFrame(rows)


def _by_pair(block: pd.DataFrame, stage: str) -> pd.DataFrame:
    return block[block["stage"] == stage].set_index("pair")[FIGURES]


def _mean_of_structures(cases: pd.DataFrame) -> pd.DataFrame:
    finite = cases.replace([math.inf, -math.inf], math.nan)
    return finite.groupby(["pair", "stage"], sort=False)[FIGURES].mean().reset_index()


def _row(table: pd.DataFrame, stage: str, tables: dict[str, pd.DataFrame]) -> dict[str, float]:
    finite = table.where(np.isfinite(table))
    missing = int(np.isinf(table["asd_mm"]).sum())
    row: dict[str, float] = {"pairs": len(table), "missing": missing}
    for figure in FIGURES:
        row[f"{figure}_mean"] = float(finite[figure].mean())
        row[f"{figure}_std"] = float(finite[figure].std())
    if stage == "network":
        for other in ("before", "affine"):
            for figure in ("dice", "asd_mm", "nmi", "tre_mm"):
                p_value = paired_p_value(table[figure], tables[other][figure])
                row[f"p_{figure}_vs_{other}"] = p_value
    return row


def paired_p_value(values: pd.Series, others: pd.Series) -> float:
    """Return the two-sided p-value of a Wilcoxon signed-rank test on values paired by index.

    NaN with fewer than two pairs that have both values finite, or if none differs. With fewer
    than six pairs no value below 0.05 can occur.
    """
    both = pd.concat([values, others], axis=1, join="inner", keys=["a", "b"])
    both = both[np.isfinite(both).all(axis=1)]
    difference = (both["a"] - both["b"]).to_numpy()
    if len(difference) < 2 or not difference.any():
        return math.nan
    return float(wilcoxon(difference).pvalue)
