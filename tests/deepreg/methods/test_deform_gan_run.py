"""Deform-GAN through DeepReg's own commands: checkpoints, an interrupted run, a prediction."""

import logging
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import tensorflow as tf
import yaml
from scipy.ndimage import gaussian_filter

SIZE = (8, 8, 16)
SMALL = {"num_channel_initial": 2, "depth": 1}
STEPS = 3  # an epoch


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """One pair a split, so that the order of the data is no matter, and a configuration."""
    root, draws = tmp_path_factory.mktemp("gan"), np.random.default_rng(0)
    for split in ("train", "valid", "test"):
        for role, sign in (("moving", 1), ("fixed", -1)):
            image = sign * gaussian_filter(draws.random(SIZE), 1).astype("float32")
            path = root / split / f"{role}_images" / "case.nii.gz"
            path.parent.mkdir(parents=True)
            nib.save(nib.Nifti1Image(image, np.diag([1.0, 2, 3, 1])), path)
    config = {
        "dataset": {
            "dir": {split: str(root / split) for split in ("train", "valid", "test")},
            "format": "nifti",
            "type": "paired",
            "labeled": False,
            "moving_image_shape": list(SIZE),
            "fixed_image_shape": list(SIZE),
        },
        "train": {
            "method": "deform-gan",
            "backbone": {"name": "deform-gan-unet", **SMALL},
            "loss": {
                "image": {"name": "local-gradient", "weight": 2.0, "window": 3},
                "translated": {"name": "local-correlation", "weight": 1.0, "window": 3},
                "regularization": {"name": "diffusion", "weight": 1.0},
            },
            "translator": {
                "generator": {"name": "unet", **SMALL},
                "discriminator": {"name": "strided", "channels": [2, 3]},
                "constraint": {"name": "local-gradient", "weight": 5.0, "window": 3},
            },
            "preprocess": {
                "batch_size": 1,
                "shuffle_buffer_num_batch": 1,
                "data_augmentation": {"name": "random-affine", "scale": 0.0},  # or DeepReg's own
            },
            "optimizer": {"name": "Adam", "learning_rate": 1.0e-3},
            "seed": 0,
            "steps_per_epoch": STEPS,
            "epochs": 2,
            "save_period": 1,
        },
    }
    (root / "config.yaml").write_text(yaml.safe_dump(config))
    return root


def train(folder, name, max_epochs=-1):
    from deepreg.train import train

    config = [str(folder / "config.yaml")]
    train("", config, False, "", name, str(folder / "logs"), max_epochs)
    return folder / "logs" / name


def predict(folder, run, name, *configs):
    from deepreg.predict import predict

    files = [str(run / "config.yaml"), *configs] if configs else ""
    checkpoint, root = str(run / "save/ckpt-2"), str(folder / "logs")
    predict("", False, checkpoint, "test", 1, name, "all", files, log_root=root)
    return folder / "logs" / name / "test" / "pair_0"


@pytest.fixture(scope="module")
def whole(folder) -> Path:
    """The log folder of a run of two epochs; to be changed by nobody."""
    return train(folder, "whole")


def stored(path) -> dict[str, np.ndarray]:
    reader = tf.train.load_checkpoint(str(path))
    names = [name for name in reader.get_variable_to_shape_map() if "trackers" not in name]
    arrays = {name: reader.get_tensor(name) for name in names}
    return {name: array for name, array in arrays.items() if isinstance(array, np.ndarray)}


def iterations(path) -> dict[str, int]:
    reader = tf.train.load_checkpoint(str(path))
    counts = [n for n in reader.get_variable_to_shape_map() if "_iterations" in n]
    return {name: int(reader.get_tensor(name)) for name in counts}


def test_a_checkpoint_holds_three_networks_and_three_optimizers_with_their_moments(whole):
    names = stored(whole / "save/ckpt-2")
    parts = ["_model/", "translator/generator/", "translator/discriminator/"]
    for part in parts:
        assert any(name.startswith(f"model/{part}") for name in names), part
    counts = iterations(whole / "save/ckpt-2")
    assert len(counts) == 3 and set(counts.values()) == {2 * STEPS}
    for owner in ("optimizer", "translator/optimizer", "translator/discriminator_optimizer"):
        own = [a for n, a in names.items() if n.startswith((f"model/{owner}", owner)) and a.ndim]
        assert own and max(np.abs(a).max() for a in own) > 0, owner


def test_an_interrupted_run_goes_on_as_if_it_had_not_stopped(folder, whole, caplog):
    train(folder, "stopped", max_epochs=1)
    assert not (folder / "logs/stopped/save/ckpt-2.index").exists()
    stopped = train(folder, "stopped")
    assert "ckpt-1, which has 1 epochs behind it" in caplog.text
    first, one, other = (
        stored(path)
        for path in (whole / "save/ckpt-1", whole / "save/ckpt-2", stopped / "save/ckpt-2")
    )
    assert one.keys() == other.keys()
    for name, array in one.items():
        np.testing.assert_array_equal(array, other[name], err_msg=name)
    assert any(np.abs(first[name] - one[name]).max() > 1e-4 for name in one)


def test_losses_of_all_three_are_on_the_progress_line_and_a_collapse_is_said(
    folder, capsys, caplog, monkeypatch
):
    monkeypatch.setattr("mmzoo.deepreg.methods.collapse.FLAT", 100.0)
    caplog.set_level(logging.WARNING)
    train(folder, "shown", max_epochs=1)
    assert "epoch 1: the generator is nearly constant" in caplog.text
    line = next(s for s in capsys.readouterr().out.splitlines() if s.startswith("epoch 1/1"))
    for name in (
        "loss", "image", "translated", "regularization", "generator_loss", "discriminator_loss",
        "discriminator_accuracy", "generator-adversarial", "generator-l1", "generator-constraint",
        "val_loss", "val_generator_loss",
    ):  # fmt: skip
        assert f" {name} " in line, name


def test_a_prediction_gives_the_field_and_the_translated_image_when_asked(folder, whole):
    plain = predict(folder, whole, "plain")
    names = {path.name.split(".")[0] for path in plain.iterdir()}
    assert names == {"moving_image", "fixed_image", "ddf", "pred_fixed_image"}
    more = folder / "translated.yaml"
    more.write_text("train: {translator: {save_translated: true}}\n")
    pair = predict(folder, whole, "translated", str(more))
    translated = nib.load(pair / "translated_image.nii.gz")
    np.testing.assert_array_equal(translated.affine, nib.load(pair / "fixed_image.nii.gz").affine)
    image = translated.get_fdata()
    assert image.shape == SIZE and 0 <= image.min() < image.max() <= 1
    ddfs = [nib.load(path / "ddf.nii.gz").get_fdata() for path in (plain, pair)]
    np.testing.assert_array_equal(*ddfs)
    assert np.abs(ddfs[0]).max() > 1e-4


def test_a_checkpoint_of_another_generator_is_refused(folder, whole):
    wider = folder / "wider.yaml"
    wider.write_text("train: {translator: {generator: {num_channel_initial: 3}}}\n")
    with pytest.raises(ValueError, match="is of another model"):
        predict(folder, whole, "wider", str(wider))


def test_a_slip_in_the_translator_s_settings_is_named_before_a_finished_run_is_touched(
    folder, whole
):
    written = (whole / "config.yaml").read_text()
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["train"]["translator"]["discriminator"]["name"] = "stride"
    slip = folder / "slip.yaml"
    slip.write_text(yaml.safe_dump(config))
    from deepreg.train import train

    with pytest.raises(ValueError, match="`train.translator.discriminator.name` is 'stride'"):
        train("", [str(slip)], False, "", "whole", str(folder / "logs"))
    config["train"]["translator"]["discriminator"] = {"name": "strided", "channels": [3, 3]}
    slip.write_text(yaml.safe_dump(config))
    with pytest.raises(ValueError, match="a run with train.translator.discriminator {'channels'"):
        train("", [str(slip)], False, "", "whole", str(folder / "logs"))
    assert (whole / "config.yaml").read_text() == written
