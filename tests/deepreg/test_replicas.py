"""Several GPUs, shown with two logical devices: the training is the one on a single device."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers_runs import LABELS, METHODS

TESTS = Path(__file__).parents[1]
pytestmark = pytest.mark.slow


def run(*arguments: str) -> str:
    places = os.pathsep.join((str(TESTS), str(TESTS.parent)))
    environment = {**os.environ, "PYTHONPATH": places, "TF_NUM_INTEROP_THREADS": "2"}
    command = [sys.executable, str(TESTS / "helpers_replicas.py"), *arguments]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr[-4000:]
    return ended.stdout + ended.stderr


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> dict:
    lines = run(str(tmp_path_factory.mktemp("replicas"))).splitlines()
    return {k: v for line in lines if line.startswith("{") for k, v in json.loads(line).items()}


@pytest.mark.parametrize("method", METHODS | LABELS)
def test_losses_and_weights_are_those_of_one_device_for_the_same_batch(trained, method):
    one, two = trained[method]["one"], trained[method]["two"]
    assert set(one) == set(two) and "loss" in one
    for name in one:
        np.testing.assert_allclose(two[name], one[name], rtol=1e-3, atol=1e-5, err_msg=name)
    assert trained[method]["apart"] < 0.01
    assert np.ptp(one["loss"]) > 0


@pytest.mark.parametrize("method", METHODS | LABELS)
def test_a_training_on_two_devices_goes_on_from_its_checkpoint(trained, method):
    two, resumed = trained[method]["two"], trained[method]["resumed"]
    for name in two:
        assert len(resumed[name]) == 1
        np.testing.assert_allclose(resumed[name], two[name][-1:], rtol=1e-4, err_msg=name)


def test_deepreg_train_runs_on_two_devices_and_goes_on(config, write_config, tmp_path):
    settings = METHODS["direct-ddf"]
    path = write_config(config, train={**config["train"], "method": "direct-ddf", **settings})
    printed = run(str(tmp_path / "logs"), path)
    assert "which has 1 epochs behind it" in printed
    names = {file.stem for file in (tmp_path / "logs/run/save").glob("*.index")}
    assert names == {"ckpt-1", "ckpt-2"}
