import logging
import os
import shutil
import subprocess
import sys

import h5py
import nibabel as nib
import numpy as np
import pytest
import yaml

from mmzoo.deepreg.preflight import configuration, data
from mmzoo.errors import PreflightError


@pytest.fixture
def own_data(config, paired_data, tmp_path):
    """A copy of the data that a test may spoil; the configuration points to it."""
    root = shutil.copytree(paired_data, tmp_path / "data")
    config["dataset"]["dir"] = {split: str(root / split) for split in config["dataset"]["dir"]}
    return root


def spoil(path, change) -> None:
    image = nib.load(path)
    array = np.asarray(image.dataobj).copy()
    nib.save(nib.Nifti1Image(change(array), image.affine), path)


def refuse(run_train, path, message: str):
    with pytest.raises(PreflightError, match=message) as caught:
        run_train(path)
    return caught


@pytest.mark.parametrize(
    ("entry", "value", "message"),
    [
        ("train__method", "ddff", "`train.method` is 'ddff': did you mean 'ddf'?"),
        ("train__backbone", {"name": "unett"}, "`train.backbone.name` is 'unett': did you mean"),
        ("train__loss__image", {"name": "sgei"}, "image.name` is 'sgei': did you mean 'segi'"),
        ("train__optimizer", {"name": "Adan"}, "name` is 'Adan': did you mean 'Adam'"),
        ("dataset__type", "pared", "`dataset.type` is 'pared': did you mean 'paired'"),
        ("dataset__format", "nifty", "`dataset.format` is 'nifty': did you mean 'nifti'"),
        ("dataset__dir", {"train": "."}, "`dataset.dir` lacks valid, test; write null"),
        ("train__seed", -1, "`train.seed` must be an integer from 0 to 4294967295, got -1"),
        ("train__seed", "one", "`train.seed` must be an integer .* got 'one'"),
    ],
)
def test_a_wrong_entry_is_named_before_anything_is_written(
    config, write_config, run_train, tmp_path, entry, value, message
):
    with pytest.raises(ValueError, match=message):
        run_train(write_config(config, **{entry: value}))
    assert not (tmp_path / "logs").exists()


@pytest.mark.parametrize(("name", "wanted"), [("bending", 5), ("gradient", 3)])
def test_a_field_too_small_for_its_regulariser_is_refused(
    config, write_config, run_train, name, wanted
):
    config["dataset"]["fixed_image_shape"] = [16, wanted - 1, 16]
    config["train"]["loss"]["regularization"] = {"name": name, "weight": 1.0}
    refuse(run_train, write_config(config), f"{name} needs fields of at least {wanted} voxels")
    config["train"]["loss"]["regularization"]["weight"] = 0
    configuration.check_field_size(config)


def test_a_wrong_augmentation_is_named(config, write_config, run_train):
    config["train"]["preprocess"]["data_augmentation"] = [{"name": "affin"}]
    with pytest.raises(ValueError, match="augmentation.name` is 'affin': did you mean 'affine'"):
        run_train(write_config(config))


def test_missing_sections_are_all_named(config, write_config, run_train):
    del config["train"]["method"], config["dataset"]["labeled"]
    refuse(run_train, write_config(config), "lacks dataset.labeled, train.method. Give all files")


def test_missing_labels_tell_both_ways_out(config, write_config, run_train, own_data, tmp_path):
    shutil.rmtree(own_data / "valid" / "moving_labels")
    message = "valid has no moving_labels, .* add it, or set `dataset.labeled: false`"
    refuse(run_train, write_config(config), message)
    assert not (tmp_path / "logs").exists()


def test_missing_images_tell_what_is_there(config, write_config, run_train, own_data):
    shutil.rmtree(own_data / "train" / "fixed_images")
    message = "no fixed_images, which .* it has fixed_labels, moving_images, moving_labels"
    refuse(run_train, write_config(config), message)


def test_a_missing_split_is_named(config, write_config, run_train, own_data):
    shutil.rmtree(own_data / "train")
    refuse(run_train, write_config(config), "train is not a directory .* Set dataset.dir.train")


def test_an_empty_train_split_is_refused(config, write_config, run_train):
    config["dataset"]["dir"]["train"] = None
    refuse(run_train, write_config(config), "`dataset.dir.train` is empty")


def test_an_empty_test_split_is_refused_in_prediction(config, write_config, trained, run_predict):
    config["dataset"]["dir"]["test"] = None
    with pytest.raises(PreflightError, match="`dataset.dir.test` is empty: .* another --mode"):
        run_predict(trained / "save/ckpt-2", write_config(config))


def test_an_unknown_mode_is_refused(trained, run_predict):
    with pytest.raises(ValueError, match="`mode` is 'tset': did you mean 'test'"):
        run_predict(trained / "save/ckpt-2", mode="tset")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_image_that_is_not_finite_is_named(config, write_config, run_train, own_data, value):
    def change(array):
        array[3, 4, 5] = value
        return array

    spoil(own_data / "train" / "moving_images" / "case2.nii.gz", change)
    message = "case2.nii.gz must hold finite numbers, got 1 voxels of NaN or infinity, of 3584"
    refuse(run_train, write_config(config), message)


@pytest.mark.parametrize("percentiles", [None, [1, 99]])
def test_a_constant_image_is_named(config, write_config, run_train, own_data, percentiles):
    config["train"]["preprocess"]["percentiles"] = percentiles
    spoil(own_data / "valid" / "fixed_images" / "case0.nii.gz", lambda array: array * 0 + 3)
    refuse(run_train, write_config(config), "case0.nii.gz is constant, 3 in every voxel")


def test_an_image_with_frames_is_named(config, write_config, run_train, own_data):
    spoil(own_data / "train" / "fixed_images" / "case1.nii.gz", lambda a: np.stack([a, a], -1))
    refuse(run_train, write_config(config), r"must have 3 dimensions, got shape \(8, 18, 12, 2\)")


def test_a_label_of_numbers_is_named(config, write_config, run_train, own_data):
    spoil(own_data / "train" / "fixed_labels" / "case0.nii.gz", lambda array: array * 5)
    refuse(run_train, write_config(config), r"case0.nii.gz must lie in \[0, 1\], got .* 0 to 5")


def test_an_empty_structure_is_warned_of(own_data, caplog):
    from mmzoo.deepreg.preflight.data import check_label

    caplog.set_level(logging.WARNING)
    label = np.zeros((2, 2, 2, 3))
    label[0, 0, 0, [0, 2]] = 1
    check_label(label, None)
    assert "is empty in channels [1]" in caplog.text


def test_the_reading_of_images_can_be_skipped(own_data, config, monkeypatch):
    from deepreg import train

    spoil(own_data / "valid" / "fixed_images" / "case0.nii.gz", lambda array: array * 0)
    arguments = (config["dataset"], config["train"]["preprocess"], "valid", False, True)
    with pytest.raises(PreflightError, match="constant"):
        train.build_dataset(*arguments)
    monkeypatch.setenv("MMZOO_CHECK_DATA", "0")
    assert train.build_dataset(*arguments)[0].num_samples == 1


def test_a_file_that_many_pairs_link_to_is_read_once(own_data, config, monkeypatch):
    from deepreg.dataset.load import get_data_loader

    folder = own_data / "train" / "moving_images"
    for number in (1, 2, 3):
        (folder / f"case{number}.nii.gz").unlink()
        os.symlink(folder / "case0.nii.gz", folder / f"case{number}.nii.gz")
    read = []
    monkeypatch.setattr(data, "check_image", lambda image, source: read.append(source.path))
    data.check_images(get_data_loader(config["dataset"], "train"))
    assert [os.path.basename(path) for path in read if "moving" in path] == ["case0.nii.gz"]
    assert len([path for path in read if "fixed" in path]) == 4


def test_h5_data_are_checked_by_key(config, write_config, run_train, tmp_path):
    draws = np.random.default_rng(0)
    for split in ("train", "valid", "test"):
        (tmp_path / "h5" / split).mkdir(parents=True)
        for name in ("moving_images", "fixed_images"):
            with h5py.File(tmp_path / "h5" / split / f"{name}.h5", "w") as file:
                file["good"] = draws.random((16, 16, 16))
                file["bad"] = np.ones((16, 16, 16))
    config["dataset"].update(format="h5", labeled=False)
    config["dataset"]["dir"] = {s: str(tmp_path / "h5" / s) for s in ("train", "valid", "test")}
    refuse(run_train, write_config(config), r"moving_images.h5 \(bad\) is constant")


def write_entries(path, **entries):
    with h5py.File(path, "w") as file:
        for key, content in entries.items():
            file[key] = content


IMAGE = np.random.default_rng(0).random((4, 4, 4))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-500]), "cannot be read as HDF5"),
        (lambda path: path.write_bytes(b""), "cannot be read as HDF5"),
        (lambda path: path.write_text("moving,fixed"), "cannot be read as HDF5"),
        (lambda path: write_entries(path), "is empty"),
        (lambda path: write_entries(path, a=b"text"), r"\(a\) must be an array of numbers"),
        (lambda path: write_entries(path, **{"a/b": IMAGE}), r"\(a\) must be an array"),
        (
            lambda path: write_entries(path, a=h5py.ExternalLink("gone.h5", "/a")),
            r"\(a\) leads to a file or an entry that is not there",
        ),
    ],
    ids=["cut", "no bytes", "text", "no entry", "no numbers", "a group", "a broken link"],
)
def test_damaged_and_foreign_h5_files_are_named_before_work_starts(tmp_path, damage, message):
    dataset = {"type": "paired", "format": "h5", "labeled": False, "dir": {"train": str(tmp_path)}}
    for name in ("moving_images", "fixed_images"):
        write_entries(tmp_path / f"{name}.h5", a=IMAGE)
    data.check_folders(dataset, "train")
    damage(tmp_path / "moving_images.h5")
    with pytest.raises(PreflightError, match=rf"moving_images\.h5.*{message}"):
        data.check_folders(dataset, "train")


def test_h5_entries_of_groups_are_named_as_deepreg_reads_them(tmp_path):
    write_entries(tmp_path / "images.h5", **{"group-1-2": IMAGE})
    data.check_h5(tmp_path / "images.h5", grouped=True)
    write_entries(tmp_path / "images.h5", one=IMAGE)
    with pytest.raises(PreflightError, match=r"\(one\) must have a name like group-1-2"):
        data.check_h5(tmp_path / "images.h5", grouped=True)


def test_a_cut_image_is_named_before_work_starts(own_data, config):
    from deepreg.dataset.load import get_data_loader

    path = own_data / "train" / "moving_images" / "case0.nii.gz"
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(PreflightError, match="case0.nii.gz cannot be read"):
        data.check_images(get_data_loader(config["dataset"], "train"))


def test_the_terminal_gets_a_short_message_and_exit_code_1(config, write_config, tmp_path):
    path = write_config(config, train__method="ddff")
    command = [sys.executable, "-c", "from deepreg.train import main; main()"]
    command += ["-g", "", "-c", path, "-l", "run", "--log_root", str(tmp_path / "logs")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "deepreg_train: `train.method` is 'ddff': did you mean 'ddf'?" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_call_of_main_from_python_gets_the_exception(config, write_config):
    from deepreg.train import main

    with pytest.raises(ValueError, match="did you mean 'ddf'"):
        main(["-g", "", "-c", write_config(config, train__method="ddff")])


def test_a_fault_within_tensorflow_keeps_its_traceback(monkeypatch):
    import tensorflow as tf
    from deepreg import train

    monkeypatch.setattr(train, "train", lambda **kwargs: tf.reshape(tf.zeros(3), "wrong"))
    monkeypatch.setattr(sys, "argv", ["deepreg_train", "-g", "", "-c", "any.yaml"])
    with pytest.raises((ValueError, TypeError, tf.errors.OpError)):
        train.main()


def test_the_files_of_a_layered_configuration_are_merged_before_the_check(
    config, write_config, run_train, tmp_path
):
    later = tmp_path / "later.yaml"
    later.write_text(yaml.safe_dump({"train": {"loss": {"image": {"name": "nsd"}}}}))
    with pytest.raises(ValueError, match="`train.loss.image.name` is 'nsd'"):
        run_train([write_config(config), str(later)])


@pytest.mark.parametrize(
    ("section", "settings", "message"),
    [
        (
            "image",
            {"name": "segi", "sigma": 2},
            "which segi does not take. Did you mean 'sigmas'",
        ),
        ("image", {"name": "lncc", "sigmas": [1]}, "which lncc does not take.* kernel_size"),
        ("regularization", {"name": "bending-energy", "l1": True}, "takes stencil, spacing, name"),
        ("image", {"name": "ssd", "directions": "both"}, "'directions', which ssd does not take"),
    ],
)
def test_a_setting_that_a_loss_does_not_take_is_named(
    section, settings, message, config, write_config, run_train
):
    config["train"]["loss"][section] = {"weight": 1.0, **settings}
    refuse(run_train, write_config(config), message)


def test_settings_of_every_registered_class_are_known():
    from deepreg.registry import REGISTRY

    from mmzoo.deepreg.preflight.configuration import parameters_of

    assert parameters_of(REGISTRY.get("loss_class", "lncc"))[:2] == ["kernel_size", "kernel_type"]
    assert "depth" in parameters_of(REGISTRY.get("backbone_class", "unet"))
    assert "scale" in parameters_of(REGISTRY.get("da_class", "affine"))
