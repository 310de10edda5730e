"""`train.initial_weights`: a training that begins with a preset's weights."""

import copy

import numpy as np
import pytest
from helpers_runs import configuration, write_run

from mmzoo.deepreg import presets, training
from mmzoo.errors import PreflightError
from mmzoo.inference import packing


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    """The name of a preset, in a folder of added ones."""
    folder = tmp_path_factory.mktemp("presets")
    run = write_run(folder / "labels", "labels-ddf")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(presets.VARIABLE, str(folder))
        packing.pack(run, folder / "boxes.npz", title="Boxes", licence="Apache-2.0")
        yield "boxes"


@pytest.fixture
def train():
    return copy.deepcopy(configuration("labels-ddf")["train"])


def build(train):
    size = {f"{side}_image_size": (16, 16, 16) for side in ("moving", "fixed")}
    more = {"index_size": 2, "labeled": False, "batch_size": 1, "num_devices": 1}
    return training.build_model({"name": train["method"], "config": train, **size, **more})


def test_the_network_begins_with_them(preset, train):
    wanted = presets.read_weights(presets.paths()[preset])
    drawn = training.network_of(build(train)).get_weights()
    assert any(np.abs(a - b).max() > 0.01 for a, b in zip(drawn, wanted, strict=True))
    train["initial_weights"] = preset
    training.check_options(train)
    network = training.network_of(build(train))
    for mine, theirs in zip(presets.in_order(network), wanted, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"initial_weights": "bones"}, "no preset 'bones' .* names .*boxes"),
        ({"initial_weights": ["boxes"]}, r"no preset \['boxes'\]"),
        ({"backbone": {"name": "voxelmorph"}}, "'voxelmorph'.*must be the same"),
        (
            {"backbone": {"name": "synthmorph", "encoder": [2, 4], "decoder": [2, 2, 2]}},
            r"\[2, 4\].*must be the same",
        ),
    ],
)
def test_others_are_refused_before_work_starts(changes, message, preset, train):
    with pytest.raises(PreflightError, match=message):
        training.check_options({**train, "initial_weights": preset, **changes})
