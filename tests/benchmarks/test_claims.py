import dataclasses
import math

import numpy as np
import pytest
import yaml

from benchmarks.engine.claims import TESTS, judge
from benchmarks.engine.outcome import HELD, NOT_HELD, NOT_TESTABLE, signed_rank
from benchmarks.engine.paper import PAPERS, Paper
from benchmarks.engine.results import collect

BETTER = {
    "test": "better",
    "row": "net",
    "than": ["tool"],
    "at": ["heart/LVC", "heart/Myo"],
    "figures": ["dice", "asd"],
}
NOT_WORSE = {**BETTER, "test": "not_worse", "margins": {"dice": 2.0, "asd": 0.2}}
GRID = {"test": "best_of_grid", "at": ["heart/LVC", "heart/Myo"], "figures": ["dice"]}
FASTER = {"test": "faster", "row": "net", "than": ["tool"], "at": ["heart", "liver"]}


def p_values(outcome):
    return [part.p for part in outcome.parts]


# === Signed rank: exact p-values counted by hand ===


def test_six_differences_of_one_sign_have_one_of_the_64_sign_patterns():
    assert signed_rank([1, 2, 3, 4, 5, 6]) == pytest.approx(1 / 64)
    assert signed_rank([-1, -2, -3, -4, -5, -6]) == pytest.approx(1.0)


def test_ranks_count_and_not_only_signs():
    # negative rank sums of at most 1: {}, {1}; of at most 6: 14 of the subsets of 1..6
    assert signed_rank([-1, 2, 3, 4, 5, 6]) == pytest.approx(2 / 64)
    assert signed_rank([1, 2, 3, 4, 5, -6]) == pytest.approx(14 / 64)


def test_two_sided_is_twice_one_sided():
    assert signed_rank([1, 2, 3, 4, 5, 6], "two-sided") == pytest.approx(2 / 64)


def test_equal_values_or_none_show_nothing():
    assert signed_rank([0.0] * 8) == 1.0
    assert signed_rank([]) == 1.0


# === Better ===


def test_better_holds_where_every_part_does(results):
    outcome = judge(BETTER, results)
    assert outcome.verdict == HELD
    assert p_values(outcome) == pytest.approx([1 / 64] * 4)
    assert [part.at for part in outcome.parts] == ["LVC (Hearts)"] * 2 + ["Myo (Hearts)"] * 2


def test_parts_list_means_difference_and_number_of_units(results):
    part = judge(BETTER, results).parts[0]
    # matched pairs of six people, Dice in percent
    assert (part.row, part.other, part.figure, part.n) == ("Net", "Tool", "Dice %", 6)
    assert part.mean == pytest.approx(np.mean([70 + 0.3 * k for k in range(6)]))
    assert part.other_mean == pytest.approx(np.mean([60 + 0.1 * k for k in range(6)]))
    assert part.difference == pytest.approx(10.5)


def test_a_lower_distance_is_better(results):
    part = judge(BETTER, results).parts[1]
    assert part.figure == "ASD mm"
    assert part.difference == pytest.approx(-1.05)
    assert part.holds


def test_the_verdict_flips_with_the_data(change):
    outcome = judge(BETTER, change("tool", "dice", 0.3))
    assert outcome.verdict == NOT_HELD
    dice, asd = outcome.parts[0], outcome.parts[1]
    assert dice.p == pytest.approx(1.0)
    assert asd.holds and not dice.holds


def test_one_part_that_fails_is_enough(results):
    chosen = (results.cases["row"] == "tool") & (results.cases["structure"] == "Myo")
    results.cases.loc[chosen, "asd_mm"] -= 3
    outcome = judge(BETTER, results)
    assert [part.holds for part in outcome.parts] == [True, True, True, False]
    assert outcome.verdict == NOT_HELD


def test_a_part_needs_significance_and_not_only_the_better_mean(change):
    change("tool", "dice", 0.11, fixed=0)
    results = change("tool", "dice", 0.105, fixed=1)
    part = judge(BETTER, results).parts[0]
    # the differences of two of six people are negative and the smallest: 3 of 64 sums up to 3
    assert part.difference > 0
    assert part.p == pytest.approx(5 / 64)
    assert not part.holds


def test_every_row_of_than_is_a_part(results):
    outcome = judge({**BETTER, "than": ["tool", "before"]}, results)
    assert [part.other for part in outcome.parts] == ["Tool"] * 4 + ["before"] * 4


def test_pairs_that_share_a_person_count_once(results):
    part = judge({**BETTER, "than": ["before"]}, results).parts[0]
    assert part.n == 6  # of 18 pairs
    results.paper.content["unit"] = "pair"
    assert judge({**BETTER, "than": ["before"]}, results).parts[0].n == 18


def test_five_people_are_too_few_to_say_that_a_claim_fails(results):
    five = results.cases[results.cases["fixed"] != "ct_005"]
    outcome = judge(BETTER, dataclasses.replace(results, cases=five))
    assert outcome.verdict == NOT_TESTABLE
    assert "have 5 independent units in common: too few" in outcome.reason


def test_units_that_cannot_be_tested_are_counted(results):
    outcome = judge({**BETTER, "than": ["variant"]}, results)
    assert outcome.verdict == NOT_TESTABLE
    assert "have 3 independent units in common" in outcome.reason


# === Not worse ===


@pytest.mark.parametrize(("deficit", "verdict"), [(0.015, HELD), (0.025, NOT_HELD)])
def test_not_worse_allows_its_margin_in_percent_points(change, deficit, verdict):
    # the tool is better than the network by `deficit` for everyone; ASD stays in favour of net
    for person in range(6):
        change("tool", "dice", 0.1 + 0.002 * person + deficit + 1e-4 * person, fixed=person)
    outcome = judge({**NOT_WORSE, "figures": ["dice"]}, change("tool", "dice", 0.0))
    assert outcome.verdict == verdict
    assert outcome.parts[0].difference == pytest.approx(-100 * (deficit + 2.5e-4))


@pytest.mark.parametrize(("deficit", "verdict"), [(0.15, HELD), (0.25, NOT_HELD)])
def test_not_worse_allows_its_margin_in_mm(change, deficit, verdict):
    for person in range(6):
        change("tool", "asd_mm", -1.0 - 0.02 * person - deficit - 1e-3 * person, fixed=person)
    outcome = judge({**NOT_WORSE, "figures": ["asd"]}, change("tool", "dice", 0.0))
    assert outcome.verdict == verdict
    assert outcome.parts[0].difference == pytest.approx(deficit + 2.5e-3)


def test_the_margins_are_said(results):
    assert "(2 points of Dice, 0.2 mm of ASD)" in judge(NOT_WORSE, results).test


# === Pairs of rows, places and whole images ===


def test_pairs_of_rows_are_compared_one_by_one(results):
    claim = {**BETTER, "pairs": [["net", "tool"], ["tool", "before"]], "at": ["heart/LVC"]}
    outcome = judge(claim, results)
    found = [(part.row, part.other, part.figure) for part in outcome.parts]
    assert found == [
        ("Net", "Tool", "Dice %"),
        ("Net", "Tool", "ASD mm"),
        ("Tool", "before", "Dice %"),
        ("Tool", "before", "ASD mm"),
    ]
    assert outcome.verdict == HELD


def test_a_data_set_stands_for_all_its_structures(results):
    outcome = judge({**BETTER, "at": ["heart"], "figures": ["dice"]}, results)
    assert [part.at for part in outcome.parts] == ["LVC (Hearts)", "Myo (Hearts)"]


def test_a_figure_of_the_whole_image_is_one_part_a_data_set(results):
    results.cases.loc[results.cases["row"] == "tool", "folding_percent"] = 0.75
    outcome = judge({**BETTER, "figures": ["folding"]}, results)
    (part,) = outcome.parts
    assert (part.at, part.figure, part.mean, part.other_mean) == ("Hearts", "folding %", 0.5, 0.75)
    assert part.holds and part.n == 6


def test_folding_cannot_be_compared_where_there_is_none(results):
    results.cases["folding_percent"] = 0.0
    outcome = judge({**BETTER, "figures": ["folding"]}, results)
    assert outcome.verdict == NOT_TESTABLE
    assert outcome.reason == "Net and Tool on Hearts fold nowhere"


# === Similar ===


@pytest.mark.parametrize(("gain", "verdict"), [(0.015, HELD), (-0.015, HELD), (0.025, NOT_HELD)])
def test_similar_rows_lie_within_the_margin_on_both_sides(change, gain, verdict):
    for person in range(6):
        change("tool", "dice", 0.1 + 0.002 * person + gain + 1e-4 * person, fixed=person)
    claim = {**NOT_WORSE, "test": "similar", "figures": ["dice"]}
    assert judge(claim, change("tool", "dice", 0.0)).verdict == verdict
    results = change("tool", "dice", -2 * gain)
    assert judge(claim, results).verdict == verdict


# === Best of a grid ===


def test_a_claim_may_have_a_printed_point_of_its_own(results):
    claim = {"test": "best_of_grid", "at": ["heart/LVC"], "figures": ["dice"]}
    outcome = judge({**claim, "printed": {"a": 2, "b": 2}}, results)
    assert outcome.verdict == NOT_HELD and outcome.parts[0].row == "a = 2, b = 2"


def test_the_printed_point_of_the_grid_is_best(results):
    outcome = judge(GRID, results)
    assert outcome.verdict == HELD
    (part,) = outcome.parts
    assert (part.row, part.other) == ("a = 1, b = 2", "a = 2, b = 1")
    assert part.difference == pytest.approx(1.0)
    assert outcome.reason == "Dice: the printed point ranks 1 of 4."


def test_another_point_is_best(change):
    outcome = judge(GRID, change("grid_2_2", "dice", 0.05))
    assert outcome.verdict == NOT_HELD
    assert outcome.parts[0].other == "a = 2, b = 2"
    # three people: one of eight sign patterns, above 5 %
    assert outcome.parts[0].p == pytest.approx(1 / 8)
    assert "ranks 2 of 4. The best is a = 2, b = 2; the printed one is not signif" in outcome.reason


def test_structures_count_alike_in_the_grid(results):
    chosen = (results.cases["row"] == "grid_2_1") & (results.cases["structure"] == "Myo")
    results.cases.loc[chosen, "dice"] += 0.03
    # 63 and 66 percent on the two structures against 64 on both
    part = judge(GRID, results).parts[0]
    assert (part.mean, part.other_mean) == (pytest.approx(64.1), pytest.approx(64.6))
    assert not part.holds


def test_a_scale_without_the_grid_cannot_test_it(results):
    results.paper.content["scales"]["laptop"]["grid"] = False
    outcome = judge(GRID, results)
    assert (outcome.verdict, outcome.reason) == (
        NOT_TESTABLE,
        "the laptop scale leaves the grid out",
    )


# === Faster ===


def test_faster_compares_medians_on_the_same_pairs(results):
    outcome = judge(FASTER, results)
    assert outcome.verdict == HELD
    part = outcome.parts[0]
    # matched pairs: of the network's nine pairs a fold numbers 0, 4, 8; of the tool's 0, 1, 2
    assert (part.mean, part.other_mean, part.n) == (
        pytest.approx(0.54),
        pytest.approx(2.01),
        6,
    )
    assert outcome.reason == "The others take 3.72 to 3.72 times as long."


def test_slower_on_one_data_set_is_not_faster(results):
    chosen = (results.cases["row"] == "net") & (results.cases["data"] == "liver")
    results.cases.loc[chosen, "seconds"] = 60.0
    outcome = judge(FASTER, results)
    assert [part.holds for part in outcome.parts] == [True, False]
    assert outcome.verdict == NOT_HELD


def test_without_times_speed_cannot_be_tested(change):
    results = change("tool", "seconds", math.nan)
    outcome = judge(FASTER, results)
    assert outcome.verdict == NOT_TESTABLE
    assert outcome.reason == "Net and Tool have no pair on heart with both times"


# === Missing runs, vanished structures, unknown names ===


@pytest.mark.parametrize("claim", [BETTER, NOT_WORSE, FASTER], ids=lambda claim: claim["test"])
def test_a_missing_run_makes_a_claim_untestable(paper, out, claim):
    (out / "runs/heart/tool/fold1/evaluation/cases.csv").unlink()
    outcome = judge(claim, collect(paper, out))
    assert outcome.verdict == NOT_TESTABLE
    assert outcome.reason == "the run heart, tool, fold 1 is missing"


def test_a_missing_point_makes_the_grid_untestable(paper, out):
    (out / "runs/heart/grid_2_2/fold0/evaluation/cases.csv").unlink()
    outcome = judge(GRID, collect(paper, out))
    assert outcome.verdict == NOT_TESTABLE
    assert outcome.reason == "the run heart, grid_2_2, fold 0 is missing"


def test_losing_structures_does_not_help_a_row(paper, out):
    import pandas as pd

    claim = {**BETTER, "at": ["heart/LVC"], "figures": ["asd"]}
    assert judge(claim, collect(paper, out)).verdict == HELD
    for fold in (0, 1):
        path = out / f"runs/heart/net/fold{fold}/evaluation/cases.csv"
        cases = pd.read_csv(path)
        lost = (cases["stage"] == "network") & cases["fixed"].isin(["ct_000", "ct_005"])
        cases.loc[lost, "asd_mm"] = math.inf
        cases.to_csv(path, index=False)
    outcome = judge(claim, collect(paper, out))
    assert outcome.parts[0].n == 6
    # both lost people count as the largest losses: negative ranks 5 and 6
    assert outcome.verdict == NOT_HELD


def test_a_structure_that_no_row_has_cannot_be_tested(results):
    results.cases["asd_mm"] = math.nan
    outcome = judge(BETTER, results)
    assert outcome.verdict == NOT_TESTABLE
    assert "no finite value" in outcome.reason


def test_a_part_that_cannot_be_tested_hides_none_that_fails(change, results):
    results.cases["asd_mm"] = math.nan
    outcome = judge(BETTER, results)
    assert outcome.verdict == NOT_TESTABLE and [part.holds for part in outcome.parts] == [True] * 2
    outcome = judge(BETTER, change("tool", "dice", 0.3))
    assert outcome.verdict == NOT_HELD and "Not tested: " in outcome.reason
    assert "no finite value" in outcome.reason


def test_what_cannot_be_tested_says_why(results):
    outcome = judge({"test": "not_testable", "why": "by eye"}, results)
    assert (outcome.verdict, outcome.reason, outcome.parts) == (NOT_TESTABLE, "by eye", ())


def test_an_unknown_test_is_named(results):
    with pytest.raises(ValueError, match="test of a claim` is 'beter': did you mean 'better'"):
        judge({**BETTER, "test": "beter"}, results)


@pytest.mark.parametrize("path", sorted(PAPERS.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_papers_claims_name_tests_rows_and_places_that_there_are(path):
    from benchmarks.engine.measures import FIGURES
    from benchmarks.engine.results import places

    paper = Paper(path, "paper", yaml.safe_load(path.read_text()))
    parts = []
    for claim in paper.content["claims"]:
        assert claim["test"] in TESTS
        assert claim["quote"] and claim["where"]
        parts += claim.get("tests", [claim])
    for claim in parts:
        assert claim["test"] in TESTS
        named = {claim.get("row", "before"), *claim.get("than", []), *claim.get("rows", [])}
        assert named.union(*claim.get("pairs", [])) <= {"before", *paper.rows}
        assert set(claim.get("at", [])) <= {*paper.data, *places(paper)}
        assert {claim.get("by", "dice")} <= set(FIGURES)
        assert set(claim.get("figures", [])) <= set(FIGURES)
        assert set(claim.get("margins", {})) in (set(), set(claim.get("figures", [])))


# === Keeps ===

KEEPS = {
    "test": "keeps",
    "rows": ["net"],
    "at": ["liver"],
    "clean": "heart",
    "figures": ["folding"],
    "margins": {"folding": 0.2},
}


def test_a_row_keeps_its_figures_where_they_are_worse_by_less_than_the_margin(results):
    cases = results.cases
    worse = cases["data"] == "liver"
    cases.loc[worse, "folding_percent"] += 0.1
    outcome = judge(KEEPS, results)
    assert outcome.verdict == HELD
    (part,) = outcome.parts
    assert (part.at, part.other, part.row) == ("Livers", "Hearts", "Net")
    assert part.difference == pytest.approx(0.1) and part.n == 6
    cases.loc[worse, "folding_percent"] += 0.15
    assert judge(KEEPS, results).verdict == NOT_HELD


def test_without_a_run_on_the_worse_data_nothing_is_kept(results):
    results.paper.content["scales"]["laptop"]["data"] = ["heart"]
    outcome = judge(KEEPS, results)
    assert outcome.verdict == NOT_TESTABLE and "no run of net on liver" in outcome.reason


# === Times smaller, at most ===

SMALLER = {**BETTER, "test": "times_smaller", "figures": ["asd"], "at": ["heart/LVC"]}


@pytest.mark.parametrize(("times", "verdict"), [(1.2, HELD), (1.355, HELD), (1.4, NOT_HELD)])
def test_times_smaller_asks_the_factor_of_the_means(results, times, verdict):
    # ASD of the network 2.925 on average, of the tool 3.975: 1.36 times
    outcome = judge({**SMALLER, "times": times}, results)
    assert outcome.verdict == verdict
    assert outcome.parts[0].difference == pytest.approx(-1.05)
    assert "Ratios of the means: 1.36 (Net, LVC (Hearts))" in outcome.reason


def test_times_smaller_needs_significance_too(change):
    change("tool", "asd_mm", -1.2, fixed=0)
    results = change("tool", "asd_mm", -1.2, fixed=1)
    (part,) = judge({**SMALLER, "times": 1.1}, results).parts
    assert part.other_mean / part.mean > 1.1 and part.p > 0.05 and not part.holds


def test_times_smaller_cannot_be_tested_without_its_row(results):
    results.paper.content["rows"]["tool"]["data"] = ["liver"]
    outcome = judge({**SMALLER, "times": 2}, results)
    assert outcome.verdict == NOT_TESTABLE and "no run of tool" in outcome.reason


@pytest.mark.parametrize(("limit", "verdict"), [(0.5, HELD), (0.49, NOT_HELD)])
def test_at_most_holds_where_the_mean_is_below_the_limit(results, limit, verdict):
    claim = {"test": "at_most", "row": "net", "at": ["heart"], "figures": ["folding"]}
    outcome = judge({**claim, "limit": limit}, results)
    assert outcome.verdict == verdict
    assert (outcome.parts[0].mean, outcome.parts[0].n) == (0.5, 6)


def test_at_most_of_few_people_shows_nothing(results):
    claim = {
        "test": "at_most",
        "row": "variant",
        "at": ["heart"],
        "figures": ["folding"],
        "limit": 1,
    }
    outcome = judge(claim, results)
    assert (
        outcome.verdict == NOT_TESTABLE
        and "units: too few, since fewer than 6 decide nothing" in outcome.reason
    )


def test_a_place_above_the_limit_decides_where_another_has_too_few_people(results):
    cases = results.cases
    few = (cases["structure"] == "Myo") & (cases["fixed"] != "ct_000")
    claim = {"test": "at_most", "row": "net", "at": ["heart"], "figures": ["asd"], "limit": 1}
    outcome = judge(claim, dataclasses.replace(results, cases=cases[~few]))
    assert (
        outcome.verdict == NOT_HELD
        and "units: too few, since fewer than 6 decide nothing" in outcome.reason
    )


EDGES = {"row": "net", "at": ["heart/LVC"], "figures": ["dice"]}  # people's 70, 70.3, ... 71.5 %


@pytest.mark.parametrize(("limit", "verdict"), [(70.74, HELD), (70.76, NOT_HELD)])
def test_at_least_holds_where_the_mean_reaches_the_limit(results, limit, verdict):
    assert judge({**EDGES, "test": "at_least", "limit": limit}, results).verdict == verdict


@pytest.mark.parametrize(
    ("test", "limit", "verdict"),
    [
        ("at_least", 69.99, HELD),
        ("at_least", 70.01, NOT_HELD),
        ("at_most", 71.51, HELD),
        ("at_most", 71.49, NOT_HELD),
    ],
)
def test_a_limit_may_be_asked_of_each_person(results, test, limit, verdict):
    outcome = judge({**EDGES, "test": test, "limit": limit, "each": True}, results)
    assert outcome.verdict == verdict and outcome.test.startswith("Each of the means per fixed")
    assert outcome.parts[0].mean == pytest.approx({"at_least": 70, "at_most": 71.5}[test])


# === All of several tests ===


@pytest.mark.parametrize(
    ("limit", "other", "verdict"),
    [
        (70, BETTER, HELD),
        (71, BETTER, NOT_HELD),
        (70, {"test": "not_testable", "why": "by eye."}, NOT_TESTABLE),
        (71, {"test": "not_testable", "why": "by eye."}, NOT_HELD),
    ],
)
def test_all_of_holds_where_every_test_does_and_one_that_fails_decides(
    results, limit, other, verdict
):
    parts = [{**EDGES, "test": "at_least", "limit": limit}, other]
    outcome = judge({"test": "all_of", "tests": parts}, results)
    assert outcome.verdict == verdict
    assert len(outcome.parts) == (5 if other is BETTER else 1)
    assert outcome.test.startswith(f"The mean over the means per fixed person is at least {limit}.")
