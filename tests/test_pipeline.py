"""MMRegNet from phantom to table through the unmodified commands, with the zoo's configurations."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

BIN = Path(sys.executable).parent
CONFIGS = ["mmregnet/mmregnet.yaml", "data/fold0.yaml", "scale/smoke.yaml"]
TRAIN = ["deepreg_train", "-g", "", "-c", *CONFIGS]


def start(folder, *command):
    log = open(folder / "log.txt", "a")  # noqa: SIM115
    own = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    command = [BIN / command[0], *command[1:]]
    return subprocess.Popen(command, cwd=folder, env=own, stdout=log, stderr=log)


def run(folder, *command):
    assert start(folder, *command).wait() == 0, (folder / "log.txt").read_text()[-3000:]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with data, far from the checkout."""
    path = tmp_path_factory.mktemp("pipeline")
    size = ("--size", "16", "16", "16", "--cases", "4", "--folds", "2", "--valid", "1")
    run(path, "mmzoo", "phantom", "heart", "--out", "data", *size)
    return path


def predict(folder, name, epoch):
    checkpoint = f"logs/{name}/save/ckpt-{epoch}"
    run(folder, "deepreg_predict", "-g", "", "-k", checkpoint, "-m", "test", "-l", f"{name}_test")
    run(folder, "mmzoo", "evaluate", f"{name}_test", "--no-affine", "--jobs", "1")
    return folder / "logs" / f"{name}_test"


@pytest.fixture(scope="module")
def finished(folder):
    """A run that was trained, predicted and evaluated."""
    run(folder, *TRAIN, "-l", "one")
    return predict(folder, "one", 1)


def test_the_commands_print_nothing_of_tensorflow_and_name_the_next_ones(folder, finished):
    lines = (folder / "log.txt").read_text().splitlines()
    noise = re.compile(
        r"[IWEF]\d{4} |\d{4}-\d\d-|WARNING: All log|To enable|.*(cuda|oneDNN|absl|tf\.)"
    )
    assert not [line for line in lines if noise.match(line)]
    lines = [line for line in lines if not line.startswith("predicting: ")]
    at = lines.index("checkpoint: logs/one/save/ckpt-1")
    assert lines[at + 1 : at + 5] == [
        'next: deepreg_predict -g "" -k logs/one/save/ckpt-1 -m test -l one_test',
        "      mmzoo evaluate one_test",
        "prediction: logs/one_test",
        "next: mmzoo evaluate one_test",
    ]


def test_the_same_seed_gives_the_same_table_twice(folder, finished):
    run(folder, *TRAIN, "-l", "two")
    again = predict(folder, "two", 1)
    tables = [pd.read_csv(run / "evaluation" / "cases.csv") for run in (finished, again)]
    pd.testing.assert_frame_equal(*(t.drop(columns="seconds") for t in tables), check_exact=True)


def test_another_seed_gives_another_table(folder, finished):
    (folder / "seed.yaml").write_text("train: {seed: 1}\n")
    run(folder, *TRAIN, "seed.yaml", "-l", "three")
    other = predict(folder, "three", 1)
    fields = [nib.load(run / "test/pair_0/ddf.nii.gz").get_fdata() for run in (finished, other)]
    assert np.abs(fields[0] - fields[1]).max() > 1e-4


def test_prediction_holds_both_fields_and_both_warped_images_where_they_belong(folder, finished):
    pair = finished / "test" / "pair_0"
    fixed = nib.load(pair / "fixed_image.nii.gz").affine
    moving = nib.load(pair / "moving_image.nii.gz").affine
    assert np.abs(fixed - moving).max() > 0.1
    for name in ("ddf", "pred_fixed_image"):
        np.testing.assert_array_equal(nib.load(pair / f"{name}.nii.gz").affine, fixed)
    for name in ("backward_ddf", "pred_moving_image"):
        np.testing.assert_array_equal(nib.load(pair / f"{name}.nii.gz").affine, moving)
    assert np.abs(nib.load(pair / "ddf.nii.gz").get_fdata()).max() > 1e-3
    labels = sorted(path.name for path in (pair / "label_0").iterdir())
    assert [name.split(".")[0] for name in labels] == [
        "fixed_label", "moving_label", "pred_fixed_label", "pred_moving_label",
    ]  # fmt: skip


def test_evaluation_leaves_tables_and_a_picture(finished):
    names = {path.name for path in (finished / "evaluation").iterdir()}
    assert {"cases.csv", "summary.csv", "summary.md", "settings.json"} <= names
    assert any(name.endswith(".png") for name in names)
    summary = (finished / "evaluation" / "summary.md").read_text()
    assert "left ventricle cavity" in summary and "bidirectional-ddf" in summary


def test_a_killed_training_goes_on_from_its_last_checkpoint_with_the_same_command(folder):
    (folder / "long.yaml").write_text("train: {epochs: 4, steps_per_epoch: 40}\n")
    command = [*TRAIN, "long.yaml", "-l", "killed"]
    process = start(folder, *command)
    first = folder / "logs" / "killed" / "save" / "ckpt-1.index"
    deadline = time.time() + 240
    while not first.exists() and process.poll() is None and time.time() < deadline:
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert first.exists() and not first.with_name("ckpt-4.index").exists()
    run(folder, *command)
    log = (folder / "log.txt").read_text().rpartition("Log directory")[2]
    assert "epoch 4/4" in log and "epoch 1/4" not in log
    assert first.with_name("ckpt-4.index").exists()


def test_a_users_script_trains_the_zoos_losses_in_deepregs_own_methods(folder):
    (folder / "plain.yaml").write_text(
        "train: {method: ddf, backbone: {name: unet, depth: 2, num_channel_initial: 2}, "
        "loss: {image: {name: segi, weight: 1.0}, regularization: {name: bending, weight: 1.0}}, "
        "preprocess: {batch_size: 1, shuffle_buffer_num_batch: 1, "
        "data_augmentation: {name: affine}}, optimizer: {name: Adam, learning_rate: 1.0e-3}, "
        "steps_per_epoch: 2, epochs: 1, save_period: 1}\n"
    )
    script = folder / "script.py"
    script.write_text(
        "import deepreg.train\n"
        "deepreg.train.train(gpu='', config_path=['data/fold0.yaml', 'plain.yaml'],\n"
        "    gpu_allow_growth=True, ckpt_path='', log_dir='script')\n"
    )
    run(folder, "python", "script.py")
    assert (folder / "logs" / "script" / "save" / "ckpt-1.index").exists()
