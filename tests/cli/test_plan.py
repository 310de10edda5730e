import json
import subprocess
import sys
from pathlib import Path

import pytest
from helpers_cli import call

from mmzoo.cli.plan import plan as command
from mmzoo.config_merge import merge_files
from mmzoo.deepreg.catalogue import zoo_file
from mmzoo.errors import PreflightError
from mmzoo.planning import step_cost
from mmzoo.planning.graph_cost import Cost

ROOT = Path(__file__).parents[2]
RATES = step_cost.Rates(10e9, 5e9)
US = "rigid_bones/us.yaml"


def config_of(name):
    return merge_files([zoo_file(name)])


@pytest.fixture(scope="module")
def planned():
    return step_cost.plan(config_of(US), (32, 32, 32), 1, RATES)


def test_the_prediction_holds_against_a_measured_step(planned):
    """Within a third; seconds are another matter, on a machine with other work."""
    script = ROOT / "benchmarks/step.py"
    arguments = [zoo_file(US), "--one", "--json", "--size", "32", "--steps", "1"]
    done = subprocess.run([sys.executable, script, *arguments], check=True, capture_output=True)
    measured = json.loads(done.stdout.splitlines()[-1])["memory_mb"] * 2**20
    assert planned.memory_bytes == pytest.approx(measured, rel=0.33)


def test_the_command_prints_it():
    result = call(command, US, "--size", 32, 32, 32, "--batch", 1)
    assert result.exit_code == 0, result.output
    assert "size           32x32x32, batch 1" in result.output
    assert "peak memory" in result.output
    assert "whole training" in result.output


def test_more_voxels_and_pairs_cost_in_proportion(planned):
    double = step_cost.plan(config_of(US), (32, 32, 32), 2, RATES)
    assert double.multiply_adds == pytest.approx(2 * planned.multiply_adds, rel=0.02)
    assert double.parameters == planned.parameters
    assert double.memory_bytes > planned.memory_bytes
    assert double.seconds == pytest.approx(2 * planned.seconds, rel=0.2)


def test_the_options_of_a_training_are_followed(planned, monkeypatch):
    config, asked = config_of(US), []
    config["train"] |= {"mixed_precision": True, "jit_compile": True}
    monkeypatch.setattr(step_cost, "measure_rates", lambda *kind: asked.append(kind) or RATES)
    other = step_cost.plan(config, (32, 32, 32), 1)
    assert asked == [(True, True)]
    assert (other.parameters, other.multiply_adds) == (planned.parameters, planned.multiply_adds)
    assert other.memory_bytes < planned.memory_bytes
    assert other.seconds < planned.seconds  # fewer bytes at the same rates


def test_seconds_are_products_and_bytes_over_their_rates():
    cost = Cost(
        multiply_adds=20_000_000_000, moved_bytes=5_000_000_000, compiled_bytes=10_000_000_000
    )
    expected = 2 * step_cost.CONVOLVED + step_cost.MOVED + 2 * step_cost.COMPILED
    assert step_cost.seconds(cost, RATES) == pytest.approx(expected)


def test_a_machine_convolves_and_moves_at_some_rate():
    rates = step_cost.measure_rates()
    assert 1e8 < rates.multiply_adds < 1e14
    assert 1e8 < rates.moved_bytes < 1e13


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train": {}}, "lacks train.method, train.backbone, train.loss"),
        ({}, "There is no size of volumes: give the data's file too"),
    ],
)
def test_a_configuration_that_says_too_little(change, message):
    with pytest.raises(PreflightError, match=message):
        step_cost.plan({**config_of(US), **change}, rates=RATES)


def test_an_unknown_name_gets_the_closest():
    config = config_of(US)
    config["train"]["method"] = "rigidity-dff"
    with pytest.raises(ValueError, match="rigidity-ddf"):
        step_cost.plan(config, (32, 32, 32), rates=RATES)


def test_the_size_is_the_patches_before_the_volumes():
    dataset = {"moving_image_shape": [64, 64, 32], "fixed_image_shape": [64, 64, 32]}
    assert step_cost._size_of({"dataset": dataset}) == [64, 64, 32]
    patches = {"preprocess": {"patch_size": [32, 32, 16]}}
    assert step_cost._size_of({"dataset": dataset, "train": patches}) == [32, 32, 16]
