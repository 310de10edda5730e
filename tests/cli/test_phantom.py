import json

import pytest
from helpers_cli import call

from mmzoo.cli._box import parse_box


def test_phantom_writes_a_data_set_and_says_where(tmp_path):
    out = tmp_path / "heart"
    small = ["--size", 16, 32, 16, "--cases", 2, "--folds", 2, "--valid", 0]
    options = ["--fov", "160,170,180", "--jobs", 1, "--seed", 5]
    result = call("phantom heart", "--out", out, *small, *options)
    assert result.exit_code == 0, result.output
    assert "4 images, 2 folds" in result.output
    description = json.loads((out / "mmzoo.json").read_text())
    assert description["seed"] == 5 and description["settings"]["fov"] == [160, 170, 180]
    assert description["cases"]["mr_001"]["shape"] == [16, 32, 16]
    assert (out / "fold1.yaml").exists()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--fov", "chst"], "did you mean 'chest'"),
        (["--moving", "t1"], "`moving` is 't1': Expected one of mr"),
        (["--fov", "100,200"], "`fov` must be a name, one length or three, got '100,200'"),
        (["--size", 60, 64, 64], "multiples of 16"),
        (["--cases", 3], "cannot be split into 4 folds"),
    ],
)
def test_wrong_options_end_with_a_message_and_no_folder(tmp_path, args, message):
    result = call("phantom heart", "--out", tmp_path / "heart", *args)
    assert result.exit_code == 1
    assert message in result.output.replace("\n", " ")
    assert not (tmp_path / "heart").exists()


def test_abdomen_takes_its_own_field_of_view_and_the_moving_modality_that_is_asked_for(tmp_path):
    out = tmp_path / "abdomen"
    small = ["--size", "16", "16", "16", "--cases", "2", "--folds", "2", "--valid", "0"]
    args = ["phantom abdomen", "--moving", "t2", "--out", str(out), *small, "--jobs", "1"]
    result = call(*args)
    assert result.exit_code == 0, result.output
    description = json.loads((out / "mmzoo.json").read_text())
    assert description["moving"] == "t2" and description["settings"]["fov"] == "liver"
    assert (out / "images/t2_001.nii.gz").exists() and (out / "overview.png").exists()


def test_unknown_phantom_gets_the_closest_name(tmp_path):
    result = call("phantom haert", "--out", tmp_path / "x")
    assert result.exit_code == 1 and "did you mean 'heart'" in result.output


def test_field_of_view_is_a_name_or_lengths():
    assert parse_box("fov", "chest") == "chest"
    assert parse_box("fov", "180") == (180, 180, 180)
    assert parse_box("fov", "180,160,190.5") == (180, 160, 190.5)


def test_one_person_in_two_states_has_a_true_field_and_any_number_of_slices(tmp_path):
    out = tmp_path / "cine"
    small = ["--size", "16", "16", "7", "--cases", "2", "--folds", "2", "--valid", "0"]
    args = ["phantom cine", "--out", str(out), *small, "--jobs", "1"]
    result = call(*args)
    assert result.exit_code == 0, result.output
    assert (out / "fields/ed_001__es_001.nii.gz").exists() and (out / "overview.png").exists()
    assert json.loads((out / "mmzoo.json").read_text())["pairing"] == "same"
