import json

import nibabel as nib
import numpy as np
import pytest
import tensorflow as tf
from deepreg.model.layer_util import resize3d
from deepreg.warp import warp

from mmzoo.deepreg.samples import Source, grid_affine, resized_affine

# As in conftest.py: what the inputs were written with.
MOVING_AFFINE = np.array([[-1.5, 0, 0, 10], [0, 2, 0.3, -5], [0, 0, 3, 7], [0, 0, 0, 1.0]])
FIXED_AFFINE = np.array([[0, 1.0, 0, 3], [2, 0, 0, -9], [0, 0, -1.25, 4], [0, 0, 0, 1.0]])
MOVING_RESIZED = resized_affine(MOVING_AFFINE, (16, 14, 16), (16, 16, 16))
FIXED_RESIZED = resized_affine(FIXED_AFFINE, (8, 18, 12), (16, 16, 16))


def affine_of(path) -> np.ndarray:
    return nib.load(path).affine


def test_resized_affine_keeps_the_place_of_every_value():
    # A volume whose value is its own position in mm along one axis keeps being so after DeepReg's
    # resizing, away from the border where positions are clipped.
    affine = np.array([[0, 2.0, 0, 5], [1.5, 0, 0, -3], [0, 0, -4, 8], [0, 0, 0, 1]])
    old, new = (12, 9, 10), (8, 18, 10)
    positions = np.stack(np.meshgrid(*map(np.arange, old), indexing="ij"), -1) @ affine[:3, :3].T
    positions += affine[:3, 3]
    place = resized_affine(affine, old, new)
    grid = np.stack(np.meshgrid(*map(np.arange, new), indexing="ij"), axis=-1)
    expected = grid @ place[:3, :3].T + place[:3, 3]
    inner = (slice(1, -1), slice(1, -1), slice(1, -1))
    for axis in range(3):
        resized = resize3d(tf.constant(positions[..., axis], tf.float32), new).numpy()
        np.testing.assert_allclose(resized[inner], expected[..., axis][inner], atol=1e-4)


def test_resizing_keeps_the_corner_of_the_field_of_view():
    corner = np.array([-0.5, -0.5, -0.5, 1])
    np.testing.assert_allclose(MOVING_RESIZED @ corner, MOVING_AFFINE @ corner)
    end = np.array([15.5, 15.5, 15.5, 1])
    np.testing.assert_allclose(FIXED_RESIZED @ end, FIXED_AFFINE @ np.array([7.5, 17.5, 11.5, 1]))


def test_outputs_carry_the_affine_of_the_grid_they_live_on(predicted):
    for pair in ("pair_0", "pair_1"):
        for name in ("fixed_image", "pred_fixed_image", "ddf"):
            np.testing.assert_allclose(
                affine_of(predicted / pair / f"{name}.nii.gz"), FIXED_RESIZED
            )
        np.testing.assert_allclose(
            affine_of(predicted / pair / "moving_image.nii.gz"), MOVING_RESIZED
        )
        for label in ("label_0", "label_1"):
            folder = predicted / pair / label
            np.testing.assert_allclose(affine_of(folder / "fixed_label.nii.gz"), FIXED_RESIZED)
            np.testing.assert_allclose(affine_of(folder / "pred_fixed_label.nii.gz"), FIXED_RESIZED)
            np.testing.assert_allclose(affine_of(folder / "moving_label.nii.gz"), MOVING_RESIZED)


def test_pairs_json_names_the_files_of_each_pair(predicted, trained, paired_data):
    written = json.loads((predicted / "pairs.json").read_text())
    assert (written["method"], written["mode"]) == ("ddf", "test")
    assert written["checkpoint"] == str(trained / "save/ckpt-2")
    assert written["dataset"]["type"] == "paired"
    test = paired_data / "test"
    for number in range(2):
        name = f"case{number}.nii.gz"
        files = written["pairs"][f"pair_{number}"]
        assert 0 < files.pop("seconds") < 60
        assert files == {
            "moving": str(test / "moving_images" / name),
            "fixed": str(test / "fixed_images" / name),
        }
        data = nib.load(files["fixed"]).get_fdata()
        data = (data - data.min()) / (data.max() - data.min())
        saved = nib.load(predicted / f"pair_{number}" / "fixed_image.nii.gz").get_fdata()
        np.testing.assert_allclose(
            saved, resize3d(tf.constant(data, tf.float32), (16,) * 3), atol=1e-5
        )


def unpaired_config(config, unpaired_data, kind: dict) -> dict:
    config["dataset"] = {
        "dir": {split: str(unpaired_data / split) for split in ("train", "valid", "test")},
        "format": "nifti",
        "labeled": False,
        "image_shape": [16, 16, 16],
        **kind,
    }
    del config["train"]["loss"]["label"]
    config["train"]["epochs"] = 1
    return config


def test_unpaired_outputs_carry_the_affine_of_their_own_case(
    config, write_config, run_train, run_predict, unpaired_data
):
    config = unpaired_config(config, unpaired_data, {"type": "unpaired"})
    run = run_train(write_config(config))
    out = run_predict(run / "save/ckpt-1")
    pairs = json.loads((out / "pairs.json").read_text())["pairs"]
    assert len(pairs) == 2
    for name, files in pairs.items():
        _, moving, fixed = name.split("_")
        assert files["moving"].endswith(f"case{moving}.nii.gz")
        assert affine_of(out / name / "moving_image.nii.gz")[0, 0] == 1 + int(moving)
        assert affine_of(out / name / "ddf.nii.gz")[0, 0] == 1 + int(fixed)


def test_grouped_outputs_carry_the_affine_of_their_own_case(
    config, write_config, run_train, run_predict, tmp_path
):
    draws = np.random.default_rng(2)
    for split, group, number in [
        (s, g, n) for s in ("train", "test") for g in "ab" for n in (0, 1)
    ]:
        folder = tmp_path / "grouped" / split / "images" / group
        folder.mkdir(parents=True, exist_ok=True)
        affine = np.diag([1.0 + number, 1 + "ab".index(group), 1, 1])
        image = nib.Nifti1Image(draws.random((16, 16, 16), dtype="float32"), affine)
        nib.save(image, folder / f"{number}.nii.gz")
    kind = {
        "type": "grouped",
        "intra_group_prob": 1,
        "intra_group_option": "backward",
        "sample_image_in_group": False,
    }
    config = unpaired_config(config, tmp_path / "grouped", kind)
    config["dataset"]["dir"]["valid"] = None
    run = run_train(write_config(config))
    out = run_predict(run / "save/ckpt-1")
    for group in (0, 1):
        name = f"pair_{group}_1_{group}_0"  # backward: moving is the later image
        assert affine_of(out / name / "moving_image.nii.gz")[[0, 1], [0, 1]].tolist() == [
            2,
            1 + group,
        ]
        assert affine_of(out / name / "ddf.nii.gz")[[0, 1], [0, 1]].tolist() == [1, 1 + group]


@pytest.fixture
def ddf_and_image(tmp_path):
    ddf = np.zeros((5, 6, 7, 3), "float32")
    ddf[..., 0] = 1
    nib.save(nib.Nifti1Image(ddf, FIXED_AFFINE), tmp_path / "ddf.nii.gz")
    image = np.random.default_rng(0).random((8, 8, 8)).astype("float32")
    nib.save(nib.Nifti1Image(image, MOVING_AFFINE), tmp_path / "image.nii.gz")
    return str(tmp_path / "ddf.nii.gz"), str(tmp_path / "image.nii.gz"), image


def test_warped_image_carries_the_affine_of_the_ddf(ddf_and_image, tmp_path):
    ddf, image, values = ddf_and_image
    warp(image, ddf, str(tmp_path / "out" / "warped.nii.gz"))
    warped = nib.load(tmp_path / "out" / "warped.nii.gz")
    np.testing.assert_allclose(warped.affine, FIXED_AFFINE)
    np.testing.assert_allclose(warped.get_fdata()[:, 1:, 1:], values[1:6, 1:6, 1:7], rtol=1e-6)


def test_warped_image_may_have_a_bare_file_name(ddf_and_image, tmp_path, monkeypatch):
    ddf, image, _ = ddf_and_image
    monkeypatch.chdir(tmp_path)
    warp(image, ddf, "warped.nii.gz")
    assert (tmp_path / "warped.nii.gz").exists()


def test_arrays_saved_outside_a_prediction_keep_the_identity(tmp_path):
    from deepreg.util import save_array

    save_array(str(tmp_path), np.zeros((2, 2, 2)), "a", normalize=False, save_png=False)
    np.testing.assert_array_equal(affine_of(tmp_path / "a.nii.gz"), np.eye(4))


def test_images_in_h5_files_have_the_affine_of_their_attribute(tmp_path):
    import h5py

    with h5py.File(tmp_path / "moving_images.h5", "w") as file:
        file.create_dataset("with", data=np.zeros((16, 14, 16))).attrs["affine"] = MOVING_AFFINE
        file.create_dataset("without", data=np.zeros((16, 14, 16)))
    path = str(tmp_path / "moving_images.h5")
    assert grid_affine(Source(path, "with"), (16, 16, 16)) == pytest.approx(MOVING_RESIZED)
    assert grid_affine(Source(path, "without"), (16, 16, 16)) is None
