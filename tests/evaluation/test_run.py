import json

import numpy as np
import pandas as pd
import pytest
from helpers_prediction import SHAPE, save, write_prediction

from mmzoo.evaluation import PredictionError, evaluate
from mmzoo.evaluation.run import median_order


def test_every_file_is_written_and_agrees_with_what_is_returned(prediction):
    seen = []
    found = evaluate(prediction, on_pair=lambda done, total: seen.append((done, total)))
    out = prediction / "evaluation"
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert sorted(path.name for path in out.iterdir()) == [
        "cases.csv",
        found.pictures[0].with_suffix(".html").name,
        found.pictures[0].name,
        "settings.json",
        "summary.csv",
        "summary.md",
    ]
    read = pd.read_csv(out / "cases.csv")
    pd.testing.assert_frame_equal(read, found.cases)
    assert len(read) == 3 * 2 * 3
    assert set(read["moving"]) == {"mr_000", "mr_001", "mr_002"}
    network = read[read["stage"] == "network"]
    assert (network["dice"] == 1).all() and (read["dice"] < 1).any()
    settings = json.loads((out / "settings.json").read_text())
    assert settings["structures"] == ["cavity", "shell"]
    assert settings["pictures"] == [found.pictures[0].name]
    assert "| cavity |" in (out / "summary.md").read_text()


def test_two_processes_find_the_same_figures_as_one(prediction, tmp_path):
    one = evaluate(prediction, pictures=0, out=tmp_path / "one")
    two = evaluate(prediction, pictures=0, out=tmp_path / "two", jobs=2)
    pd.testing.assert_frame_equal(one.cases, two.cases)
    read = [(tmp_path / name / "cases.csv").read_bytes() for name in ("one", "two")]
    assert read[0] == read[1]


def test_no_affine_leaves_the_stage_out(prediction, tmp_path):
    found = evaluate(prediction, affine=False, pictures=0, out=tmp_path / "out")
    assert list(found.cases["stage"].unique()) == ["before", "network"]
    assert found.pictures == ()


@pytest.mark.parametrize("labelled", [True, False])
def test_no_before_measures_the_network_alone(tmp_path, labelled):
    run = write_prediction(tmp_path, pairs=2, labelled=labelled)
    found = evaluate(run, before=False, affine=False)
    assert list(found.cases["stage"].unique()) == ["network"]
    assert found.pictures[0].stat().st_size > 10_000
    text = (found.out / "summary.md").read_text()
    assert "before" not in text and "| bidirectional-ddf |" in text
    settings = json.loads((found.out / "settings.json").read_text())
    assert (settings["before"], settings["affine"]) == (False, False)
    assert found.summary["p_nmi_vs_before"].isna().all()


def test_seconds_stand_in_the_table_where_they_are_known(prediction):
    found = evaluate(prediction, affine=False, pictures=0)
    assert "seconds" not in (found.out / "summary.md").read_text()
    path = prediction / "test" / "pairs.json"
    description = json.loads(path.read_text())
    for seconds, entry in enumerate(description["pairs"].values(), start=1):
        entry["seconds"] = float(seconds)
    path.write_text(json.dumps(description))
    found = evaluate(prediction, affine=False, pictures=0)
    table = (found.out / "summary.md").read_text().split("\n\n")[1].splitlines()
    header, _, before, network = ([cell.strip() for cell in row.split("|")] for row in table)
    column = header.index("seconds")
    assert (before[column], network[column]) == ("-", "2.00 ± 1.00")


def test_unlabelled_pairs_get_a_summary_of_the_images_and_a_picture(tmp_path):
    run = write_prediction(tmp_path, pairs=2, labelled=False)
    found = evaluate(run, affine=False)
    text = (found.out / "summary.md").read_text()
    assert "| bidirectional-ddf |" in text and "Dice" not in text
    assert found.pictures[0].stat().st_size > 10_000
    network = found.summary[found.summary["stage"] == "network"]
    assert network["nmi_mean"].item() > found.summary["nmi_mean"].min()


def test_an_error_leaves_earlier_results_and_no_half_written_file(prediction):
    found = evaluate(prediction, affine=False)
    before = {path.name: path.read_bytes() for path in found.out.iterdir()}
    ddf = np.full((*SHAPE, 3), np.nan)
    save(prediction / "test" / "pair_2" / "ddf.nii.gz", ddf, np.eye(4))
    with pytest.raises(PredictionError, match="pair_2/ddf.nii.gz` must be finite"):
        evaluate(prediction, affine=False)
    assert {path.name: path.read_bytes() for path in found.out.iterdir()} == before


def test_an_error_in_a_process_arrives_with_its_message(prediction):
    ddf = np.full((*SHAPE, 3), np.inf)
    save(prediction / "test" / "pair_1" / "ddf.nii.gz", ddf, np.eye(4))
    with pytest.raises(PredictionError, match="pair_1/ddf.nii.gz` must be finite"):
        evaluate(prediction, affine=False, jobs=2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"structure": "liver"}, r"one of the structures \(cavity, shell\), got 'liver'"),
        ({"pictures": -1}, "`pictures` must be 0 or more, got -1"),
        ({"jobs": 0}, "`jobs` must be 1 or more, got 0"),
    ],
)
def test_options_are_checked_before_anything_is_written(prediction, options, message):
    with pytest.raises(ValueError, match=message):
        evaluate(prediction, **options)
    assert not (prediction / "evaluation").exists()


def test_pictures_start_at_the_median_pair_and_go_outwards():
    values = {"p0": 0.9, "p1": 0.1, "p2": 0.5, "p3": 0.7, "p4": 0.3}
    rows = [{"pair": name, "stage": "network", "dice": v, "nmi": 0} for name, v in values.items()]
    rows += [
        {"pair": name, "stage": "before", "dice": 1 - v, "nmi": 0} for name, v in values.items()
    ]
    order = median_order(pd.DataFrame(rows))
    assert order[0] == "p2"
    assert set(order[1:3]) == {"p3", "p4"}


def test_median_of_unlabelled_pairs_is_by_gain_in_similarity():
    nan = float("nan")
    rows = []
    for name, before, after in (("p0", 0.1, 0.2), ("p1", 0.5, 0.55), ("p2", 0.2, 0.9)):
        rows.append({"pair": name, "stage": "before", "dice": nan, "nmi": before})
        rows.append({"pair": name, "stage": "network", "dice": nan, "nmi": after})
    assert median_order(pd.DataFrame(rows))[0] == "p0"


def test_median_of_unlabelled_pairs_without_before_is_by_similarity():
    values = (("p0", 0.9), ("p1", 0.5), ("p2", 0.2))
    rows = [
        {"pair": name, "stage": "network", "dice": float("nan"), "nmi": nmi} for name, nmi in values
    ]
    assert median_order(pd.DataFrame(rows))[0] == "p1"


def test_the_union_of_structures_is_no_part_of_their_mean(prediction, tmp_path):
    plain = evaluate(prediction, affine=False, pictures=0, out=tmp_path / "a").summary
    found = evaluate(prediction, affine=False, pictures=0, out=tmp_path / "b", union="all").summary
    assert "all" in set(found["structure"]) and "all" not in set(plain["structure"])
    means = [table[table["structure"] == "mean of structures"] for table in (plain, found)]
    for column in ("dice_mean", "asd_mm_mean", "inside_jacobian_std_mean"):
        assert means[0][column].tolist() == means[1][column].tolist()


def test_a_union_needs_a_name_of_its_own(prediction):
    with pytest.raises(ValueError, match="`union` must be a name that no structure has"):
        evaluate(prediction, union="cavity")


def test_a_folder_with_other_things_is_replaced_only_when_asked(prediction, tmp_path):
    options = {"affine": False, "before": False, "pictures": 0, "out": tmp_path / "out"}
    evaluate(prediction, **options)
    evaluate(prediction, **options)  # its own results, made anew
    settings = tmp_path / "out/settings.json"
    settings.write_text(json.dumps({"prediction": "/elsewhere"}))
    with pytest.raises(ValueError, match="holds results of /elsewhere.*--overwrite"):
        evaluate(prediction, **options)
    evaluate(prediction, **options, overwrite=True)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/summary.md").write_text("mine")
    with pytest.raises(ValueError, match="something that is no evaluation"):
        evaluate(prediction, **(options | {"out": tmp_path / "mine"}))
    assert (tmp_path / "mine/summary.md").read_text() == "mine"
