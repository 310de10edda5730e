import pytest

from benchmarks.engine.claims import judge
from benchmarks.engine.outcome import HELD, NOT_HELD, NOT_TESTABLE
from benchmarks.engine.results import collect

NONE = {"test": "none_folded", "row": "tool", "at": ["heart", "liver"]}
FEWER = {"test": "fewer_folded", "pairs": [["tool", "net"]], "at": ["heart"]}


@pytest.fixture
def fold(results):
    """Return a function that says which people's pairs a row folds, and nowhere else."""
    results.cases["folding_percent"] = 0.0

    def only(row, people):
        chosen = results.cases["fixed"].isin([f"ct_{person:03}" for person in people])
        results.cases.loc[chosen & (results.cases["row"] == row), "folding_percent"] = 0.01
        return results

    return only


def test_none_folded_holds_without_a_single_one(fold):
    outcome = judge(NONE, fold("net", [0]))
    assert outcome.verdict == HELD
    assert outcome.reason == "0 of 6 pairs of Hearts fold; 0 of 6 pairs of Livers fold"
    assert judge(NONE, fold("tool", [4])).verdict == NOT_HELD


def test_none_of_a_few_pairs_shows_nothing(fold):
    results = fold("net", [])
    few = results.cases["fixed"].isin(["ct_000", "ct_001"])
    object.__setattr__(results, "cases", results.cases[few])
    outcome = judge(NONE, results)
    assert outcome.verdict == NOT_TESTABLE
    assert outcome.reason.endswith(
        "0 of 2 pairs of Livers fold: too few, since fewer than 6 decide nothing"
    )


def test_fewer_folded_is_an_exact_sign_test_on_the_pairs_that_differ(fold):
    fold("tool", [0])
    outcome = judge(FEWER, fold("net", [0, 1, 2, 3, 4, 5]))
    (part,) = outcome.parts
    # matched pairs of six people: five fold with the network alone, one with both
    assert (part.mean, part.other_mean, part.n) == (1, 6, 6)
    assert part.p == pytest.approx(1 / 32)
    assert outcome.verdict == HELD


def test_four_pairs_fewer_are_not_enough(fold):
    outcome = judge(FEWER, fold("net", [0, 1, 2, 3]))
    assert outcome.parts[0].p == pytest.approx(1 / 16)
    assert outcome.verdict == NOT_HELD


def test_more_folded_does_not_hold(fold):
    assert judge(FEWER, fold("tool", range(6))).parts[0].p == pytest.approx(1.0)


def test_where_nothing_folds_nothing_is_fewer(fold):
    outcome = judge(FEWER, fold("net", []))
    assert (outcome.verdict, outcome.reason) == (NOT_TESTABLE, "no row folds anywhere")


@pytest.mark.parametrize("claim", [NONE, FEWER], ids=lambda claim: claim["test"])
def test_a_missing_run_makes_it_untestable(paper, out, claim):
    (out / "runs/heart/tool/fold1/evaluation/cases.csv").unlink()
    outcome = judge(claim, collect(paper, out))
    assert outcome.verdict == NOT_TESTABLE
    assert outcome.reason == "the run heart, tool, fold 1 is missing"
