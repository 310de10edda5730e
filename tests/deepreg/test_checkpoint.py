import logging
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf
import yaml
from deepreg import callback, predict, train

from mmzoo.framework import keras

STEPS = 2  # per epoch: 4 pairs in batches of 2
OUTPUT = "_output_conv3d/_conv3d/_conv3d/kernel"
MOMENTUM = "optimizer/_variables/1/"  # of the first kernel


def stored(path, name) -> np.ndarray:
    """Return the variable of a checkpoint whose name contains the text."""
    reader = tf.train.load_checkpoint(str(path))
    names = [key for key in reader.get_variable_to_shape_map() if name in key]
    assert len(names) == 1, names
    return reader.get_tensor(names[0])


def iterations(path) -> int:
    return int(stored(path, "optimizer/_iterations"))


def checkpoints(run) -> list[str]:
    return sorted(path.stem for path in (run / "save").glob("*.index"))


@pytest.fixture
def steps_trained(monkeypatch):
    """Count the training steps that Keras does, by class method so that any model counts."""
    counts = []
    original = keras.Model.fit

    def fit(model, *args, **kwargs):
        counts.append(kwargs.get("steps_per_epoch", 1))
        return original(model, *args, **kwargs)

    monkeypatch.setattr(keras.Model, "fit", fit)
    return counts


def test_training_trains_no_step_beforehand(config, write_config, run_train, steps_trained):
    run = run_train(write_config(config))
    assert steps_trained == [STEPS]
    assert checkpoints(run) == ["ckpt-1", "ckpt-2"]
    assert iterations(run / "save/ckpt-2") == 2 * STEPS


def test_same_command_goes_on_from_the_last_checkpoint(
    config, write_config, run_train, begun, caplog
):
    assert np.abs(stored(begun / "save/ckpt-2", MOMENTUM)).max() > 0
    run = run_train(write_config(config), max_epochs=3)
    assert "ckpt-2, which has 2 epochs behind it" in caplog.text
    assert checkpoints(run) == ["ckpt-1", "ckpt-2", "ckpt-3"]
    assert iterations(run / "save/ckpt-3") == 3 * STEPS


def test_continuing_restores_weights_and_optimizer(
    config, write_config, run_train, begun, monkeypatch
):
    restored = {}

    def fit(model, **kwargs):
        restored.update(epoch=kwargs["initial_epoch"], weights=model.get_weights())
        restored.update(state=[variable.numpy() for variable in model.optimizer.variables])

    monkeypatch.setattr(keras.Model, "fit", fit)
    run_train(write_config(config), max_epochs=3)
    output, momentum = (stored(begun / "save/ckpt-2", name) for name in (OUTPUT, MOMENTUM))
    assert restored["epoch"] == 2
    assert any(np.array_equal(output, weight) for weight in restored["weights"])
    assert any(np.array_equal(momentum, value) for value in restored["state"])


def test_a_finished_run_says_that_nothing_is_left(config, write_config, run_train, begun, caplog):
    run_train(write_config(config))
    assert "Nothing to train: 2 epochs are done and train.epochs is 2" in caplog.text
    assert checkpoints(begun) == ["ckpt-1", "ckpt-2"]


def test_a_named_checkpoint_is_gone_on_from(config, write_config, run_train, trained):
    run = run_train(write_config(config), "second", ckpt_path=str(trained / "save/ckpt-1"))
    assert checkpoints(run) == ["ckpt-2"]
    assert iterations(run / "save/ckpt-2") == 2 * STEPS


def test_prediction_trains_no_step_and_has_no_optimizer_memory(
    run_predict, trained, steps_trained, monkeypatch
):
    used = {}

    def watch(*args, model, **kwargs):
        used.update(weights=model.get_weights(), state=model.optimizer.variables)

    monkeypatch.setattr(predict, "predict_on_dataset", watch)
    run_predict(trained / "save/ckpt-2")
    assert steps_trained == []
    assert all(variable.shape == () for variable in used["state"])
    output = stored(trained / "save/ckpt-2", OUTPUT)
    assert any(np.array_equal(output, weight) for weight in used["weights"])


def test_prediction_of_an_absent_checkpoint_names_those_there_are(run_predict, trained):
    with pytest.raises(ValueError, match="no checkpoint .*ckpt-7: that folder has ckpt-1, ckpt-2"):
        run_predict(trained / "save/ckpt-7")


def test_checkpoint_of_another_network_is_refused(config, write_config, run_predict, trained):
    wider = {"name": "unet", "num_channel_initial": 3, "depth": 1}
    with pytest.raises(
        ValueError, match=r"is of another model: of the \d+ .*lacks 0 and has \d+ in"
    ):
        run_predict(trained / "save/ckpt-2", write_config(config, train__backbone=wider))
    deeper = {"name": "unet", "num_channel_initial": 2, "depth": 2}
    with pytest.raises(ValueError, match=r"it lacks [1-9]\d* and .*Use the config.yaml"):
        run_predict(trained / "save/ckpt-2", write_config(config, train__backbone=deeper))


def test_checkpoint_of_another_method_is_refused_though_its_weights_fit(
    config, write_config, run_train, run_predict, trained
):
    path = write_config(config, train__method="dvf")
    with pytest.raises(ValueError, match="is of method 'ddf' .* the configuration says 'dvf'"):
        run_predict(trained / "save/ckpt-2", path)
    with pytest.raises(ValueError, match="is of method 'ddf'"):
        run_train(path, "other", ckpt_path=str(trained / "save/ckpt-2"))


def test_log_folder_of_another_model_is_refused_and_kept(config, write_config, run_train, begun):
    before = (begun / "config.yaml").read_text()
    with pytest.raises(ValueError, match="has checkpoints of a run with train.method 'ddf'"):
        run_train(write_config(config, train__method="dvf"))
    assert (begun / "config.yaml").read_text() == before


def test_a_model_without_weights_before_its_first_batch_is_trained_deepregs_way(tmp_path):
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.Adam(), loss="mse")
    data = tf.data.Dataset.from_tensors((tf.ones((2, 3)), tf.ones((2, 1))))
    _, epoch = train.build_checkpoint_callback(model, data, str(tmp_path), 1, "")
    assert epoch == 0
    assert int(model.optimizer.iterations) == 1
    assert callback.build_checkpoint_callback is not train.build_checkpoint_callback


def test_malformed_checkpoint_name_gets_deepregs_message(config, write_config, run_train):
    with pytest.raises(ValueError, match="must be of form ckpt-epoch_count, got last"):
        run_train(write_config(config), ckpt_path="last")


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_killed_training_goes_on_with_the_same_command(
    config, write_config, run_train, tmp_path, caplog
):
    caplog.set_level(logging.WARNING)
    path = write_config(config, train__epochs=100_000)
    save = tmp_path / "logs/run/save"
    command = [sys.executable, "-c", "from deepreg.train import main; main()"]
    command += ["-g", "", "-c", path, "-l", "run", "--log_root", str(tmp_path / "logs")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 90
        while not (save / "ckpt-2.index").exists() and time.monotonic() < deadline:
            assert process.poll() is None, "the training ended by itself"
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
    last = int(tf.train.latest_checkpoint(str(save)).rpartition("-")[2])
    assert last >= 1
    run = run_train(path, max_epochs=last + 1)
    assert f"which has {last} epochs behind it" in caplog.text
    assert iterations(run / f"save/ckpt-{last + 1}") == STEPS * (last + 1)
    assert yaml.safe_load((run / "config.yaml").read_text())["train"]["epochs"] == last + 1
