import json
import math

import numpy as np
import pytest
from helpers_prediction import SHAPE, SHIFT, SPACING, save, write_pair, write_prediction

from mmzoo.evaluation import PredictionError, open_prediction
from mmzoo.evaluation.truth import case_name
from mmzoo.evaluation.volumes import read_pair


def test_log_folder_its_test_folder_and_its_name_all_lead_to_the_pairs(prediction, monkeypatch):
    expected = prediction / "test"
    assert open_prediction(prediction).folder == expected
    assert open_prediction(expected).folder == expected
    monkeypatch.chdir(prediction.parents[1])
    assert open_prediction("run").folder.resolve() == expected
    assert open_prediction("run", log_root="logs").pairs[0].name == "pair_0"


def test_names_come_from_pairs_json_and_mmzoo_json(prediction):
    found = open_prediction(prediction)
    assert found.method == "bidirectional-ddf"
    assert found.structures == ("cavity", "shell")
    assert (found.pairs[2].moving_name, found.pairs[2].fixed_name) == ("mr_002", "ct_000")
    assert found.notes == ()


def test_pairs_and_labels_are_in_the_order_of_their_numbers(tmp_path):
    for index in (10, 9, 1):
        write_pair(tmp_path / f"pair_{index}")
    found = open_prediction(tmp_path)
    assert [pair.name for pair in found.pairs] == ["pair_1", "pair_9", "pair_10"]
    assert [folder.name for folder in found.pairs[0].label_folders] == ["label_0", "label_1"]


def test_without_any_json_structures_are_numbered(tmp_path):
    write_pair(tmp_path / "pair_0")
    found = open_prediction(tmp_path)
    assert found.structures == ("label 0", "label 1")
    assert (found.method, found.pairs[0].moving_name) == ("network", "")


def test_structure_names_that_do_not_fit_are_replaced_with_a_note(tmp_path):
    found = open_prediction(write_prediction(tmp_path, names=("only one",)))
    assert found.structures == ("label 0", "label 1")
    assert "names 1 structures, but the prediction has 2" in found.notes[0]


def test_volumes_are_read_with_the_spacing_of_their_axes(prediction):
    data = read_pair(open_prediction(prediction).pairs[0])
    assert data.spacing_mm == pytest.approx(SPACING)
    assert data.ddf.shape == (*SHAPE, 3)
    assert tuple(data.ddf[0, 0, 0]) == SHIFT
    assert data.fixed_labels[0].sum() < data.fixed_labels[1].sum()
    assert data.backward_ddf is None


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("ddf.nii.gz", "ddf.nii.gz` must be there, but is not; only methods that predict a disp"),
        ("fixed_image.nii.gz", "fixed_image.nii.gz` must be there.*predict again"),
        ("label_1/moving_label.nii.gz", "label_1/moving_label.nii.gz` must be there"),
    ],
)
def test_a_missing_file_is_named_before_work_starts(prediction, file, message):
    (prediction / "test" / "pair_1" / file).unlink()
    with pytest.raises(PredictionError, match=f"pair_1/{message}"):
        open_prediction(prediction)


def test_no_such_folder_names_the_places_tried(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PredictionError, match="no folder `nowhere`, `logs/nowhere`"):
        open_prediction("nowhere")


def test_a_training_run_is_told_to_predict_first(tmp_path):
    (tmp_path / "save").mkdir()
    with pytest.raises(PredictionError, match="must hold the pair_.* got save.*deepreg_predict -k"):
        open_prediction(tmp_path)


def test_a_pair_with_fewer_labels_is_an_interrupted_prediction(prediction):
    folder = prediction / "test" / "pair_2" / "label_1"
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    with pytest.raises(PredictionError, match="pair_2` must hold 2 label folders.*got 1"):
        open_prediction(prediction)


def test_a_broken_pairs_json_is_named(prediction):
    (prediction / "test" / "pairs.json").write_text("{")
    with pytest.raises(PredictionError, match="pairs.json` must be JSON"):
        open_prediction(prediction)


def read_after(prediction, file, array):
    save(prediction / "test" / "pair_0" / file, array, np.eye(4))
    return read_pair(open_prediction(prediction).pairs[0])


def test_nan_in_the_field_names_the_file(prediction):
    ddf = np.zeros((*SHAPE, 3))
    ddf[3, 3, 3, 1] = np.nan
    with pytest.raises(PredictionError, match=r"pair_0/ddf.nii.gz` must be finite, got 1 values"):
        read_after(prediction, "ddf.nii.gz", ddf)


def test_a_field_on_another_grid_names_both_shapes(prediction):
    with pytest.raises(PredictionError, match=r"shape \(32, 28, 20, 3\).*got \(16, 28, 20, 3\)"):
        read_after(prediction, "ddf.nii.gz", np.zeros((16, 28, 20, 3)))


def test_a_label_on_another_grid_is_named(prediction):
    with pytest.raises(PredictionError, match=r"label_0/fixed_label.nii.gz` must have shape"):
        read_after(prediction, "label_0/fixed_label.nii.gz", np.zeros((8, 8, 8)))


@pytest.mark.parametrize("content", [b"not a volume", b""])
def test_a_corrupt_volume_is_named(prediction, content):
    (prediction / "test" / "pair_0" / "fixed_image.nii.gz").write_bytes(content)
    with pytest.raises(PredictionError, match="fixed_image.nii.gz` must be a NIfTI file"):
        read_pair(open_prediction(prediction).pairs[0])


def test_a_volume_cut_short_is_named(prediction):
    path = prediction / "test" / "pair_0" / "ddf.nii.gz"
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(PredictionError, match="ddf.nii.gz` must be a NIfTI file"):
        read_pair(open_prediction(prediction).pairs[0])


def test_seconds_are_known_where_pairs_json_says_them(prediction):
    path = prediction / "test" / "pairs.json"
    description = json.loads(path.read_text())
    for name, seconds in (("pair_0", 1.25), ("pair_1", None), ("pair_2", math.inf)):
        description["pairs"][name]["seconds"] = seconds
    path.write_text(json.dumps(description))
    first, *others = open_prediction(prediction).pairs
    assert first.seconds == 1.25
    assert all(math.isnan(pair.seconds) for pair in others)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("a/moving_images/mr_1__ct_2.nii.gz", "mr_1"),
        ("a/fixed_images/mr_1__ct_2.nii", "ct_2"),
        ("a/images/mr_1__ct_2.nii.gz", "mr_1__ct_2"),
        ("", ""),
    ],
)
def test_the_case_of_a_file_is_the_part_of_its_side(file, name):
    assert case_name(file) == name


def test_pairs_json_says_how_images_were_sampled(tmp_path):
    run = write_prediction(tmp_path, pairs=1)
    assert open_prediction(run).pairs[0].interpolation == "linear"
    path = run / "test" / "pairs.json"
    for name in ("cubic-bspline", "cubic"):
        path.write_text(json.dumps({**json.loads(path.read_text()), "interpolation": name}))
        if name == "cubic-bspline":
            assert open_prediction(run).pairs[0].interpolation == name
    with pytest.raises(PredictionError, match="pairs.json` is 'cubic': did you mean 'cubic-bspl"):
        open_prediction(run)


def test_pairs_of_h5_files_have_the_names_of_their_keys(prediction):
    path = prediction / "test" / "pairs.json"
    description = json.loads(path.read_text())
    for role in ("moving", "fixed"):
        entry = {role: f"/data/fold0/test/{role}_images.h5", f"{role}_key": "mr_1__ct_2"}
        description["pairs"]["pair_0"] |= entry
    path.write_text(json.dumps(description))
    first = open_prediction(prediction).pairs[0]
    assert (first.moving_name, first.fixed_name) == ("mr_1", "ct_2")
