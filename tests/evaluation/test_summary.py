import io
import math

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from scipy.stats import wilcoxon

from mmzoo.evaluation.cases import Case
from mmzoo.evaluation.summary import ALL_STRUCTURES, paired_p_value, summarise
from mmzoo.evaluation.tables import markdown, terminal

BEFORE = {"a": [0.5, 0.6, 0.4, 0.7, 0.55, 0.3], "b": [0.2, 0.1, 0.3, 0.2, 0.25, 0.15]}
AFTER = {"a": [0.8, 0.7, 0.6, 0.9, 0.75, 0.5], "b": [0.4, 0.05, 0.5, 0.3, 0.55, 0.45]}


@pytest.fixture
def cases():
    """Six pairs, structures a and b, before and network; one distance is infinite."""
    rows = []
    for stage, table in (("before", BEFORE), ("network", AFTER)):
        for name, values in table.items():
            for pair, value in enumerate(values):
                lost = stage == "network" and name == "b" and pair == 1
                rows.append(
                    Case(
                        pair=f"pair_{pair}",
                        moving="m",
                        fixed="f",
                        structure=name,
                        stage=stage,
                        dice=value,
                        asd_mm=math.inf if lost else 10 * (1 - value),
                        folding_percent=0.1 * pair if stage == "network" else 0.0,
                    )
                )
    return pd.DataFrame(rows)


def cell(summary, structure, stage, column):
    row = summary[(summary["structure"] == structure) & (summary["stage"] == stage)]
    return row[column].item()


def test_mean_and_sample_deviation_over_pairs(cases):
    summary = summarise(cases)
    assert cell(summary, "a", "network", "dice_mean") == pytest.approx(np.mean(AFTER["a"]))
    assert cell(summary, "a", "network", "dice_std") == pytest.approx(np.std(AFTER["a"], ddof=1))
    assert cell(summary, "a", "network", "pairs") == 6


def test_an_infinite_distance_is_counted_and_not_averaged(cases):
    summary = summarise(cases)
    kept = [10 * (1 - value) for index, value in enumerate(AFTER["b"]) if index != 1]
    assert cell(summary, "b", "network", "asd_mm_mean") == pytest.approx(np.mean(kept))
    assert cell(summary, "b", "network", "missing") == 1
    assert cell(summary, "a", "network", "missing") == 0


def test_mean_of_structures_averages_within_each_pair_first(cases):
    within = (np.array(AFTER["a"]) + AFTER["b"]) / 2
    summary = summarise(cases)
    assert cell(summary, ALL_STRUCTURES, "network", "dice_mean") == pytest.approx(within.mean())
    assert cell(summary, ALL_STRUCTURES, "network", "dice_std") == pytest.approx(within.std(ddof=1))
    folding = cell(summary, ALL_STRUCTURES, "network", "folding_percent_mean")
    assert folding == pytest.approx(0.25)


def test_p_values_are_paired_wilcoxon_and_missing_without_an_affine_stage(cases):
    summary = summarise(cases)
    expected = wilcoxon(AFTER["b"], BEFORE["b"]).pvalue
    assert cell(summary, "b", "network", "p_dice_vs_before") == pytest.approx(expected)
    assert math.isnan(cell(summary, "b", "network", "p_dice_vs_affine"))
    assert math.isnan(cell(summary, "b", "before", "p_dice_vs_before"))


def test_p_values_pair_by_name_not_by_order():
    one = pd.Series({"p": 1.0, "q": 2.0, "r": 3.5, "s": math.inf})
    other = pd.Series({"r": 3.0, "q": 1.0, "p": 0.2})
    assert paired_p_value(one, other) == pytest.approx(wilcoxon([0.8, 1.0, 0.5]).pvalue)
    assert math.isnan(paired_p_value(one, one))
    assert math.isnan(paired_p_value(one[:1], other))


def test_markdown_shows_percent_and_mm_per_structure_and_says_what_is_left_out(cases):
    text = markdown(summarise(cases), method="mine")
    header = "| structure | Dice % before | Dice % mine | ASD mm before | ASD mm mine |"
    assert text.splitlines()[0] == header
    mean, std = 100 * np.mean(AFTER["a"]), 100 * np.std(AFTER["a"], ddof=1)
    assert f"| {mean:.1f} ± {std:.1f} |" in text
    assert "| mine | 0.250 ± 0.187 |" in text
    assert "over 6 pairs" in text and "1 infinite distances" in text
    widths = {line.count("|") for line in text.split("\n\n")[0].splitlines()}
    assert widths == {6}


def test_terminal_tables_fit_eighty_columns_uncut(cases):
    affine = cases[cases["stage"] == "before"].assign(stage="affine")
    summary = summarise(pd.concat([cases, affine]))
    console = Console(width=80, record=True, file=io.StringIO())
    for table in terminal(summary, method="bidirectional-ddf"):
        console.print(table)
    text = console.export_text()
    assert "…" not in text
    mean, std = 100 * np.mean(AFTER["a"]), 100 * np.std(AFTER["a"], ddof=1)
    for part in ("Dice %", "ASD mm", "whole image", f"{mean:.1f} ± {std:.1f}", "0.250 ± 0.187"):
        assert part in text
