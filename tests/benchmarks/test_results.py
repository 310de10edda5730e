import math

import pandas as pd
import pytest

from benchmarks.engine.results import collect, name_folds, place_title, places


def edit(out, run, change):
    path = out / "runs" / run / "evaluation" / "cases.csv"
    cases = pd.read_csv(path)
    change(cases).to_csv(path, index=False)


VANISHED = ("dice", "asd_mm", "msd_mm", "hd_mm", "hd95_mm", "hd99_mm")


def lose(cases, structure="cavity", figures=VANISHED, value=None):
    """Make the structure of the first pair vanish."""
    chosen = (cases["structure"] == structure) & (cases["pair"] == "pair_0")
    chosen &= cases["stage"] == "network"
    assert chosen.sum() == 1
    for figure in figures:
        cases.loc[chosen, figure] = (
            (0.0 if figure == "dice" else math.inf) if value is None else value
        )
    return cases


def test_every_pair_and_structure_of_every_row_has_one_line(results):
    heart = 2 * 2 * (3 + 9 + 9)  # structures, folds, pairs of tool, net and before
    liver = 2 * (3 + 9 + 9)
    ablations = 2 * 9 * 5  # structures, pairs of one fold, variant and four points
    assert len(results.cases) == heart + liver + ablations
    keys = ["data", "row", "fold", "pair", "structure"]
    assert not results.cases.duplicated(keys).any()


def test_structures_have_the_papers_titles_and_others_are_left_out(results):
    assert set(results.cases["structure"]) == {"LVC", "Myo", "Liver"}
    assert places(results.paper) == ["heart/LVC", "heart/Myo", "liver/Liver"]


def test_before_is_a_row_of_its_own_with_the_references_pairs(results):
    before = results.values("before", "heart/LVC", "dice")
    assert list(before.index) == list(results.values("net", "heart/LVC", "dice").index)
    assert before[(1, "mr_003", "ct_005")] == pytest.approx(100 * (0.5 + 0.005))


def test_values_are_shown_in_percent_and_mm_and_can_be_cut_to_folds(results):
    dice = results.values("net", "liver/Liver", "dice", folds=[1])
    assert set(dice.index.get_level_values("fold")) == {1}
    assert dice.max() == pytest.approx(71.5)
    assert results.values("net", "liver/Liver", "asd").max() == pytest.approx(3.0)


def test_units_are_means_per_fixed_person_over_the_pairs_that_all_have(results):
    values = results.values("net", "heart/LVC", "dice")
    results.cases.loc[
        (results.cases["row"] == "net") & (results.cases["moving"] == results.cases["fixed"]),
        "dice",
    ] = 0.0
    assert len(values) == 18
    units = results.in_units(["net", "tool"], "heart/LVC", "dice")
    # the tool has matched pairs alone, so those of the network with other people do not count
    assert list(units.index) == [f"ct_{person:03}" for person in range(6)]
    assert units["tool"].tolist() == pytest.approx([60 + 0.1 * person for person in range(6)])
    alone = results.in_units(["net", "before"], "heart/LVC", "dice")
    assert alone["net"].tolist() == pytest.approx([70 + 0.3 * person for person in range(6)])


def test_units_average_over_the_moving_people(results):
    chosen = (results.cases["row"] == "net") & (results.cases["moving"] == "mr_000")
    results.cases.loc[chosen, "dice"] += 0.3
    units = results.in_units(["net"], "heart/LVC", "dice")["net"]
    assert units["ct_001"] == pytest.approx(70.3 + 30 / 3)
    assert units["ct_004"] == pytest.approx(71.2)


def test_units_may_be_pairs(results):
    results.paper.content["unit"] = "pair"
    assert len(results.in_units(["net", "before"], "heart/LVC", "dice")) == 18


def test_units_may_be_people(results):
    results.paper.content["unit"] = "person"
    assert len(results.in_units(["tool", "before"], "heart/LVC", "dice")) == 6


def test_a_figure_of_the_whole_image_is_of_a_data_set_and_counts_a_pair_once(results):
    values = results.values("net", "heart", "folding")
    assert (len(values), set(values)) == (18, {0.5})
    assert places(results.paper, "folding") == ["heart", "liver"]
    assert place_title(results.paper, "heart") == "Hearts"


@pytest.mark.parametrize(("place", "figure"), [("heart/LVC", "folding"), ("heart", "dice")])
def test_a_figure_at_the_wrong_place_is_an_error(results, place, figure):
    with pytest.raises(ValueError, match=f"The figure '{figure}' is of DATA.* got '{place}'"):
        results.values("net", place, figure)


def test_which_row_runs_where_is_known_with_or_without_its_cases(results):
    assert results.runs_on("before", "liver") and results.runs_on("tool", "liver")
    assert results.runs_on("variant", "heart") and not results.runs_on("variant", "liver")


def test_a_whole_hausdorff_distance_of_what_vanished_counts_as_worst(paper, out):
    def measured(cases):
        return lose(cases.assign(hd_mm=7.0))

    edit(out, "heart/net/fold0", measured)
    cases = collect(paper, out).cases
    assert cases.query("vanished")["hd_mm"].item() == pytest.approx(7.0)


def test_a_vanished_structure_counts_as_worst(paper, out):
    edit(out, "heart/net/fold0", lose)
    cases = collect(paper, out).cases
    lost = cases[cases["vanished"]]
    assert len(lost) == 1
    assert lost["dice"].item() == 0.0
    # nothing is worse than 5 mm, the first person before registration
    assert lost["asd_mm"].item() == pytest.approx(5.0)


def test_nan_counts_as_worst_too(paper, out):
    edit(out, "heart/net/fold0", lambda cases: lose(cases, value=math.nan))
    lost = collect(paper, out).cases.query("vanished")
    assert (lost["dice"].item(), lost["asd_mm"].item()) == (0.0, pytest.approx(5.0))


def test_the_worst_distance_is_of_the_same_structure(paper, out):
    def far(cases):
        cases.loc[cases["structure"] == "wall", "asd_mm"] = 99.0
        return lose(cases)

    edit(out, "heart/net/fold0", far)
    assert collect(paper, out).cases.query("vanished")["asd_mm"].item() == pytest.approx(5.0)


def test_collecting_again_gives_the_same(paper, finished, results):
    pd.testing.assert_frame_equal(collect(paper, finished).cases, results.cases)


def test_runs_without_cases_are_named(paper, out):
    (out / "runs/liver/net/fold1/evaluation/cases.csv").unlink()
    results = collect(paper, out)
    assert [run.folder for run in results.missing] == ["runs/liver/net/fold1"]
    assert len(results.values("net", "liver/Liver", "dice")) == 9


def test_what_is_lacking_is_said(paper, out):
    (out / "runs/heart/net/fold1/evaluation/cases.csv").unlink()
    results = collect(paper, out)
    assert results.lacking(["net", "tool"], ["liver"]) == ""
    reason = "the run heart, net, fold 1 is missing"
    assert results.lacking(["net", "tool"], ["liver", "heart"]) == reason
    # `before` comes from the reference's runs
    assert results.lacking(["before", "tool"], ["heart"]) == reason
    # the variant is tested on fold 0 alone, so the other fold is not needed
    assert results.lacking(["net", "variant"], ["heart"]) == ""
    assert "no run of variant on liver" in results.lacking(["net", "variant"], ["liver"])


def test_trainings_are_read(results):
    assert len(results.training) == 4
    assert set(results.training["row"]) == {"net"}
    assert results.training["seconds"].tolist() == [120.0] * 4


def test_an_empty_folder_is_an_error(paper, tmp_path):
    with pytest.raises(ValueError, match="must hold finished runs of tiny at the laptop scale"):
        collect(paper, tmp_path)


def test_a_structure_that_was_not_measured_is_an_error(paper, out):
    edit(out, "heart/net/fold0", lambda cases: cases[cases["structure"] != "wall"])
    with pytest.raises(ValueError, match="structure in .*heart/net/fold0.* is 'wall'"):
        collect(paper, out)


def test_pairs_without_names_are_an_error(paper, out):
    edit(out, "heart/net/fold0", lambda cases: cases.assign(fixed=""))
    with pytest.raises(ValueError, match="must name the people of each pair"):
        collect(paper, out)


def test_runs_that_differ_in_their_fold_are_named_together(paper):
    runs = [run for run in paper.runs if run.row in ("net", "variant")]
    assert name_folds(runs, "data", "row") == (
        "heart, net, folds 0 1; liver, net, folds 0 1; heart, variant, fold 0"
    )


def test_a_person_who_is_tested_in_several_folds_counts_once(results):
    results.paper.content["unit"] = "person"
    net = results.cases["row"] == "net"
    results.cases.loc[net, ["moving", "fixed"]] = ["mr_000", "ct_000"]
    results.cases.loc[net & (results.cases["fold"] == 0), "dice"] = 0.5
    results.cases.loc[net & (results.cases["fold"] == 1), "dice"] = 0.7
    units = results.in_units(["net"], "heart/LVC", "dice")["net"]
    assert units.to_dict() == {"ct_000": pytest.approx(60.0)}


def test_pairs_before_registration_may_have_a_title_of_their_own(results):
    assert results.title("before") == "before"
    results.paper.content["before"] = "Rigid"
    assert results.title("before") == "Rigid"
