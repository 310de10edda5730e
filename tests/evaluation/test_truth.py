"""Predictions of data whose true field is known are measured against it."""

import json
import math

import nibabel as nib
import numpy as np
import pytest
from helpers_prediction import save
from scipy.ndimage import map_coordinates

from mmzoo.datasets.phantom import PhantomSettings, make_data_set
from mmzoo.evaluation import PredictionError, evaluate, open_prediction
from mmzoo.evaluation.truth import true_field_file

SETTINGS = PhantomSettings("cine", (16, 16, 6), seed=1)
OFF = np.array([0.5, 0.0, 0.0])


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    out = tmp_path_factory.mktemp("truth") / "data"
    make_data_set(SETTINGS, out, cases=2, folds=2, valid=0)
    return out


@pytest.fixture
def run(data, tmp_path):
    return write_run(data, tmp_path / "run")


def write_run(data, run, *, pair="ed_000__es_000", off=OFF, labelled=True, links=True):
    """Write a prediction of fold 0 that is so many voxels off the truth along each axis."""
    folder = data / "fold0" / "test"
    name = f"{pair}.nii.gz"
    files = {side: folder / f"{side}_images" / name for side in ("moving", "fixed")}
    pair = run / "test" / "pair_0"
    affine = nib.load(files["fixed"]).affine
    for side, file in files.items():
        save(pair / f"{side}_image.nii.gz", nib.load(file).get_fdata(), affine)
        labels = nib.load(folder / f"{side}_labels" / name).get_fdata()
        for k in range(3 if labelled else 0):
            save(pair / f"label_{k}" / f"{side}_label.nii.gz", labels[..., k], affine)
    truth = nib.load(data / "fields" / name).get_fdata()
    save(pair / "ddf.nii.gz", np.nan_to_num(truth) + off, affine)
    given = files if links else {side: file.resolve() for side, file in files.items()}
    named = {"pair_0": {side: str(file) for side, file in given.items()}}
    description = {"method": "mine", "mode": "test", "pairs": named}
    description["dataset"] = {"dir": {"test": str(folder)}}
    (run / "test" / "pairs.json").write_text(json.dumps(description))
    return run


def truth_of(data):
    return nib.load(data / "fields" / "ed_000__es_000.nii.gz").get_fdata()


def cell(cases, stage, structure, column):
    row = cases[(cases["stage"] == stage) & (cases["structure"] == structure)]
    return row[column].item()


@pytest.mark.parametrize("links", [True, False])
def test_error_is_measured_per_structure_and_over_the_image(data, tmp_path, links):
    cases = evaluate(write_run(data, tmp_path / "run", links=links), affine=False, pictures=0).cases
    # Half a voxel of 12 mm everywhere.
    network = cases[cases["stage"] == "network"]
    assert network["tre_mm"].tolist() == pytest.approx([6.0] * 3, rel=1e-4)
    assert network["tre_image_mm"].tolist() == pytest.approx([6.0] * 3, rel=1e-4)
    length = np.linalg.norm(truth_of(data) * (12, 12, 20), axis=-1)
    assert cell(cases, "before", "myocardium", "tre_image_mm") == pytest.approx(np.nanmean(length))
    labels = nib.load(data / "labels" / "es_000.nii.gz").get_fdata()[..., 1] > 0
    expected = np.nanmean(length[labels])
    assert cell(cases, "before", "myocardium", "tre_mm") == pytest.approx(expected, rel=1e-4)


def test_rmse_compares_with_the_moving_image_warped_by_the_truth(run, data):
    cases = evaluate(run, affine=False, pictures=0).cases
    moving = nib.load(data / "images" / "ed_000.nii.gz").get_fdata()
    truth = truth_of(data)
    known = np.isfinite(truth).all(axis=-1)
    points = np.moveaxis(np.indices(moving.shape), 0, -1) + np.where(known[..., None], truth, 0)
    images = [
        map_coordinates(moving, np.moveaxis(points + by, -1, 0), order=1, mode="nearest")
        for by in (0 * OFF, OFF)
    ]
    squares = ((images[0] - images[1]) ** 2)[known]
    expected = 100 * np.sqrt(squares.mean()) / np.ptp(moving)
    rmse = cases.set_index("stage").loc["network", "rmse_percent"]
    assert rmse.tolist() == pytest.approx([expected] * 3, rel=1e-3)
    assert cell(cases, "before", "myocardium", "rmse_percent") > expected


def test_a_translated_image_is_compared_with_fixed_and_warped_image(run, data):
    assert evaluate(run, affine=False, pictures=0).cases["translation_percent"].isna().all()
    pair = run / "test" / "pair_0"
    fixed = nib.load(pair / "fixed_image.nii.gz")
    values = fixed.get_fdata()
    save(pair / "translated_image.nii.gz", values + 0.1 * np.ptp(values), fixed.affine)
    found = evaluate(run, affine=False, pictures=0)
    case = found.cases[found.cases["stage"] == "network"].iloc[0]
    assert case["translation_percent"] == pytest.approx(10, rel=1e-4)
    # edges are not moved by adding a constant: those of the fixed image against the warped one's
    assert case["translation_edges"] == pytest.approx(case["gradient_similarity"], rel=1e-4)
    assert "edges kept" in (found.out / "summary.md").read_text()
    save(pair / "translated_image.nii.gz", values[1:], fixed.affine)
    with pytest.raises(PredictionError, match="translated_image.nii.gz` must have shape"):
        evaluate(run, affine=False, pictures=0)


def test_error_stands_in_all_tables_where_there_is_a_truth(run):
    found = evaluate(run, affine=False, pictures=0)
    text = (found.out / "summary.md").read_text()
    assert "TRE mm before | TRE mm mine |" in text.splitlines()[0]
    image = text.split("\n\n")[1].splitlines()
    assert "TRE mm" in image[0] and "| 6.00 |" in image[3]
    mean = found.summary[found.summary["structure"] == "mean of structures"].set_index("stage")
    assert mean.at["network", "tre_mm_mean"] == pytest.approx(6.0, rel=1e-4)
    assert "p_tre_mm_vs_before" in found.summary


def test_unlabelled_pairs_are_measured_over_all_voxels(data, tmp_path):
    run = write_run(data, tmp_path / "run", labelled=False)
    found = evaluate(run, affine=False, pictures=0)
    assert cell(found.cases, "network", "", "tre_mm") == pytest.approx(6.0, rel=1e-4)
    assert "TRE mm" in (found.out / "summary.md").read_text()


def test_without_a_truth_there_is_no_error_and_no_column_of_it(prediction):
    found = evaluate(prediction, affine=False, pictures=0)
    assert found.cases[["tre_mm", "tre_image_mm", "rmse_percent"]].isna().all(axis=None)
    assert "TRE" not in (found.out / "summary.md").read_text()


def test_files_of_two_data_sets_have_no_common_truth(data, tmp_path):
    moving, fixed = (data / "images" / f"{state}_000.nii.gz" for state in ("ed", "es"))
    assert true_field_file(str(moving), str(fixed)).name == "ed_000__es_000.nii.gz"
    elsewhere = tmp_path / "ed_000.nii.gz"
    elsewhere.write_bytes(moving.read_bytes())
    assert true_field_file(str(elsewhere), str(fixed)) is None
    assert true_field_file(str(moving.with_name("ed_001.nii.gz")), str(fixed)) is None
    assert true_field_file("", str(fixed)) is None


def test_a_truth_on_another_grid_is_left_out_with_a_note(run, monkeypatch, tmp_path):
    other = tmp_path / "other.nii.gz"
    save(other, np.zeros((4, 4, 4, 3)), np.eye(4))
    monkeypatch.setattr("mmzoo.evaluation.prediction.true_field_file", lambda moving, fixed: other)
    found = evaluate(run, affine=False, pictures=0)
    assert found.cases["tre_mm"].isna().all()
    assert "other.nii.gz is on another grid" in found.notes[0]


def test_a_truth_that_cannot_be_read_is_named(run, monkeypatch, tmp_path):
    broken = tmp_path / "broken.nii.gz"
    broken.write_bytes(b"no")
    monkeypatch.setattr("mmzoo.evaluation.prediction.true_field_file", lambda moving, fixed: broken)
    with pytest.raises(PredictionError, match="broken.nii.gz` must be a NIfTI file"):
        evaluate(run, affine=False, pictures=0)


def test_whole_hausdorff_distance_is_the_largest(run):
    cases = evaluate(run, affine=False, pictures=0).cases
    assert (cases["hd_mm"] >= cases["hd99_mm"]).all() and (
        cases["hd99_mm"] >= cases["hd95_mm"]
    ).all()
    assert not math.isnan(cases["hd_mm"].max())
    assert open_prediction(run).pairs[0].true_field.name == "ed_000__es_000.nii.gz"


# === Rigid motions ===

BONE_PAIR = "ct_000__mr_000"
BONES = PhantomSettings("spine", (32, 48, 48), (112.0, 160.0, 160.0), None, 3)


@pytest.fixture(scope="module")
def spine(tmp_path_factory):
    out = tmp_path_factory.mktemp("bones") / "data"
    make_data_set(BONES, out, cases=2, folds=2, valid=0)
    return out


def test_a_true_field_moves_bones_as_they_truly_move_and_a_shift_is_found(spine, tmp_path):
    run = write_run(spine, tmp_path / "run", pair=BONE_PAIR, off=OFF)
    cases = evaluate(run, affine=False, pictures=0, union="L543").cases
    network = cases[cases["stage"] == "network"].set_index("structure")
    # half a voxel of 3.5 mm; the label's voxels at the rim are of the bone for the most part alone
    assert network["motion_mm"][["L3", "L4", "L5"]].tolist() == pytest.approx([1.75] * 3, abs=0.02)
    assert (network["motion_degrees"][["L3", "L4", "L5"]] < 0.1).all()
    assert math.isnan(network["motion_mm"]["L543"])


def test_before_registration_the_error_is_the_motion_itself(spine, tmp_path):
    run = write_run(spine, tmp_path / "run", pair=BONE_PAIR, off=0.0)
    cases = evaluate(run, affine=False, pictures=0).cases
    motions = json.loads((spine / "fields" / "ct_000__mr_000.json").read_text())
    for name in ("L3", "L4", "L5"):
        turn = np.array(motions[name])[:3, :3]
        degrees = np.degrees(np.arccos((np.trace(turn) - 1) / 2))
        assert cell(cases, "before", name, "motion_degrees") == pytest.approx(degrees, abs=1e-3)
        assert cell(cases, "network", name, "motion_mm") < 0.02


@pytest.mark.parametrize("text", ["no json", "[1, 2]", '{"L3": [[1, 2], [3, 4]]}'])
def test_motions_that_cannot_be_read_are_named(spine, tmp_path, monkeypatch, text):
    broken = tmp_path / "broken.json"
    broken.write_text(text)
    run = write_run(spine, tmp_path / "run", pair=BONE_PAIR, off=0.0)
    monkeypatch.setattr(
        "mmzoo.evaluation.prediction.true_motions_file", lambda moving, fixed: broken
    )
    with pytest.raises(PredictionError, match="broken.json` must"):
        evaluate(run, affine=False, pictures=0)
