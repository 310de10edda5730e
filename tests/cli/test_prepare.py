import json

import nibabel as nib
import numpy as np
import pytest
from helpers_cli import call

from mmzoo.cli._box import parse_box


@pytest.fixture
def images(tmp_path):
    """Four images, a, b, c and d, on one grid."""
    rng = np.random.default_rng(0)
    for name in "abcd":
        image = nib.Nifti1Image(rng.random((20, 20, 20), dtype=np.float32), np.eye(4))
        nib.save(image, tmp_path / f"{name}.nii.gz")
    return {name: str(tmp_path / f"{name}.nii.gz") for name in "abcd"}


def run(*args):
    return call("prepare pairs", *args)


def test_list_options_take_several_values_as_a_shell_gives_them(images, tmp_path):
    result = run(
        *("--moving", images["a"], images["b"], "--size", 16, 16, 32),
        *("--fixed", images["c"], images["d"], "--out", tmp_path / "out"),
    )
    assert result.exit_code == 0, result.output
    cases = json.loads((tmp_path / "out/mmzoo.json").read_text())["cases"]
    sources = [
        cases[case]["source"][-8] for case in ("moving_000", "moving_001", "fixed_000", "fixed_001")
    ]
    assert sources == list("abcd")
    assert cases["moving_001"]["shape"] == [16, 16, 32]
    assert "2 pair(s) of 16 x 16 x 32 voxels" in result.output


def test_list_options_may_be_repeated_too(images, tmp_path):
    result = run(
        *("--moving", images["a"], "--moving", images["b"], "--fixed", images["c"]),
        *("--fixed", images["d"], "--out", tmp_path / "out", "--spacing", 2, 2, 2),
    )
    assert result.exit_code == 0, result.output
    assert "2 pair(s) of 16 x 16 x 16 voxels" in result.output


def test_one_pair_is_said_to_be_optimised_for_itself(images, tmp_path):
    result = run("--moving", images["a"], "--fixed", images["b"], "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "Training and test are the same pairs" in result.output


def test_several_pairs_train_and_test_on_all_when_asked(images, tmp_path):
    result = run(
        *("--moving", images["a"], images["b"], "--fixed", images["c"], images["d"]),
        *("--size", 16, 16, 16, "--out", tmp_path / "out", "--test-same"),
    )
    assert "Training and test are the same pairs" in result.output
    (fold,) = json.loads((tmp_path / "out/mmzoo.json").read_text())["folds"]
    assert fold["train"]["moving"] == fold["test"]["moving"] == ["moving_000", "moving_001"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--size", 16, 16, 10], "multiples of 16"),
        (["--crop", "bdy"], "did you mean 'body'"),
        (["--fixed", "nowhere.nii.gz"], "got 1 and 2"),
        (["--moving-labels", "a.nii.gz"], "got 1 moving and 0 fixed ones"),
    ],
)
def test_wrong_input_ends_with_a_message_and_no_folder(images, tmp_path, args, message):
    result = run("--moving", images["a"], "--fixed", images["b"], "--out", tmp_path / "out", *args)
    assert result.exit_code == 1
    assert message in result.output.replace("\n", " ")
    assert not (tmp_path / "out").exists()


def test_crop_is_a_name_or_lengths():
    assert parse_box("crop", "body") == "body"
    assert parse_box("crop", "90") == (90, 90, 90)
    assert parse_box("crop", "90,80,70") == (90, 80, 70)


def test_deform_writes_the_true_field_of_each_pair(images, tmp_path):
    out = tmp_path / "out"
    result = run(
        "--moving", images["a"], "--fixed", images["b"], "--size", 16, 16, 16,
        "--deform", 3, "--seed", 1, "--out", out,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert nib.load(out / "fields/moving_000__fixed_000.nii.gz").shape == (16, 16, 16, 3)
    description = json.loads((out / "mmzoo.json").read_text())
    assert (description["deform"], description["seed"]) == (3.0, 1)
