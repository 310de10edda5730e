import numpy as np
import pandas as pd
import pytest

from benchmarks.engine.claims import judge
from benchmarks.engine.outcome import HELD, NOT_HELD, NOT_TESTABLE
from benchmarks.engine.ranks import chi_square, preference, rank_counts, ranking_blocks
from benchmarks.engine.results import collect

RANKING = {
    "heading": "Table 9: ranks",
    "rows": ["tool", "net", "other"],
    "at": "heart/LVC",
    "figure": "asd",
    "printed": {"tool": [1, 2, 3], "net": [4, 5, 6], "other": [7, 8, 9], "tests": "P = 0.5"},
    "note": "No expert.",
}


@pytest.fixture
def ranked(results):
    """Results with a third row that runs as the tool does, between the tool and the network."""
    content = results.paper.content
    content["rows"]["other"] = {"title": "Other"}
    content["ranking"] = RANKING
    third = results.cases[results.cases["row"] == "tool"].assign(row="other")
    third = third.assign(asd_mm=third["asd_mm"] - 0.5, dice=third["dice"] + 0.05)
    cases = pd.concat([results.cases, third], ignore_index=True)
    object.__setattr__(results, "cases", cases)
    return results


# === Counts and tests, against the print and by hand ===


def test_the_papers_table_has_its_chi_square_and_p():
    table = pd.DataFrame({"elastix": [17, 18, 15], "unet": [13, 12, 25], "poolnet": [20, 20, 10]})
    statistic, p = chi_square(table)
    assert (round(statistic, 1), round(p, 3)) == (10.6, 0.032)


def test_32_of_50_have_the_papers_p():
    units = pd.DataFrame({"a": [0.0] * 50, "b": [1.0] * 32 + [-1.0] * 18})
    assert preference(units, "a", "b", sign=-1)[:2] == (32, 50)
    assert round(preference(units, "a", "b", sign=-1)[2], 3) == 0.048
    assert preference(units, "a", "b", sign=1)[:2] == (18, 50)


def test_ties_prefer_neither():
    units = pd.DataFrame({"a": [1.0, 1.0, 2.0], "b": [1.0, 2.0, 1.0]})
    assert preference(units, "a", "b", sign=1) == (1, 2, 1.0)
    assert preference(units, "a", "a", sign=1) == (0, 0, 1.0)


@pytest.mark.parametrize("sign", [1, -1])
def test_ranks_are_counted_from_the_best(sign):
    units = -sign * pd.DataFrame({"a": [1.0, 1.0, 3.0], "b": [2.0, 3.0, 2.0], "c": [3.0, 2.0, 1.0]})
    expected = pd.DataFrame({"a": [2, 0, 1], "b": [0, 2, 1], "c": [1, 1, 1]}, index=[1, 2, 3])
    pd.testing.assert_frame_equal(rank_counts(units, sign), expected, check_names=False)


def test_every_case_has_every_rank_once_even_of_equal_values():
    counts = rank_counts(pd.DataFrame(np.ones((5, 3)), columns=["a", "b", "c"]), 1)
    assert (counts.sum(axis=0) == 5).all() and (counts.sum(axis=1) == 5).all()
    assert counts.loc[1].tolist() == [5, 0, 0]


# === The page's part ===


def test_the_table_of_ranks_has_the_print_below(ranked):
    heading, note, table, said, pairs = ranking_blocks(ranked)
    assert (heading, note) == ("### Table 9: ranks", "No expert.")
    assert "| rank | Tool | Net | Other |" in table
    # six people: the network is always first, the tool always last
    first = "| 1 | 0<br><sub>print 1</sub> | 6<br><sub>print 4</sub> | 0<br><sub>print 7</sub> |"
    assert first in table
    assert "LVC (Hearts)), n = 6: χ² = 36, p =" in said and "Print: P = 0.5." in said
    assert "| Tool before Net | 0 of 6 | 0.014 |" in pairs
    assert "| Net before Other | 6 of 6 | 0.014 |" in pairs


def test_without_a_ranking_or_its_data_there_is_nothing(ranked):
    ranked.paper.content["scales"]["laptop"]["data"] = ["liver"]
    assert ranking_blocks(ranked) == []
    del ranked.paper.content["ranking"]
    assert ranking_blocks(ranked) == []


def test_a_ranking_that_lacks_a_run_says_so(paper, out):
    paper.content["ranking"] = {**RANKING, "rows": ["tool", "net"]}
    (out / "runs/heart/tool/fold1/evaluation/cases.csv").unlink()
    blocks = ranking_blocks(collect(paper, out))
    assert blocks[-1] == "Not made: the run heart, tool, fold 1 is missing."


# === Claims ===


def test_ranks_differ(ranked):
    outcome = judge({"test": "ranks_differ"}, ranked)
    assert outcome.verdict == HELD
    assert "χ² = 36" in outcome.reason and "n = 6" in outcome.reason
    noise = np.random.default_rng(0).standard_normal(len(ranked.cases))
    ranked.cases["asd_mm"] = noise
    assert judge({"test": "ranks_differ"}, ranked).verdict == NOT_HELD


@pytest.mark.parametrize(
    ("rows", "verdict"), [(["net", "other", "tool"], HELD), (["net", "tool", "other"], NOT_HELD)]
)
def test_the_order_of_mean_ranks(ranked, rows, verdict):
    outcome = judge({"test": "rank_order", "rows": rows}, ranked)
    assert outcome.verdict == verdict
    assert outcome.reason == "Mean ranks: Net 1.00, Other 2.00, Tool 3.00"


@pytest.mark.parametrize(
    ("pairs", "verdict"), [([["net", "tool"]], HELD), ([["tool", "net"]], NOT_HELD)]
)
def test_preferred_needs_more_cases_and_significance(ranked, pairs, verdict):
    outcome = judge({"test": "preferred", "pairs": pairs}, ranked)
    assert outcome.verdict == verdict
    assert {outcome.parts[0].mean, outcome.parts[0].other_mean} == {0.0, 6.0}


def test_the_best_by_one_figure_is_not_the_best_by_another(ranked):
    claim = {
        "test": "best_elsewhere",
        "rows": ["tool", "net", "other"],
        "by": "nmi",
        "at": ["heart/LVC"],
        "figures": ["asd"],
    }
    ranked.cases["nmi"] = ranked.cases["row"].map({"tool": 0.9, "net": 0.5, "other": 0.4})
    outcome = judge(claim, ranked)
    (part,) = outcome.parts
    assert (outcome.verdict, part.row, part.other) == (HELD, "Tool", "Net")
    assert (part.mean, part.other_mean) == (pytest.approx(3.975), pytest.approx(2.925))
    assert part.p == pytest.approx(1 / 64)
    assert "also has the best ASD in 0 of 6; chance would give 2." in outcome.reason
    ranked.cases["nmi"] = ranked.cases["row"].map({"tool": 0.4, "net": 0.5, "other": 0.4})
    outcome = judge(claim, ranked)
    assert (outcome.verdict, outcome.parts[0].row) == (NOT_HELD, "Net")
    assert "in 6 of 6" in outcome.reason


@pytest.mark.parametrize("test", ["ranks_differ", "rank_order", "preferred"])
def test_too_few_cases_cannot_be_ranked(ranked, test):
    few = ranked.cases["fixed"].isin(["ct_000", "ct_001"])
    object.__setattr__(ranked, "cases", ranked.cases[few])
    claim = {"test": test, "rows": ["net"], "pairs": [["net", "tool"]]}
    outcome = judge(claim, ranked)
    assert outcome.verdict == NOT_TESTABLE
    assert "have 2 independent units" in outcome.reason
