"""The direct model: the network's own field, its loss term by term, its errors."""

import copy

import numpy as np
import pytest
import tensorflow as tf
from helpers_methods import build_method, check_field_and_warps, random_pair

from mmzoo.losses import bending_energy, ncc

SIZE = (16, 9, 5)
CONFIG = {
    "backbone": {
        "name": "voxelmorph",
        "strides": [2, 2, 1],
        "out_kernel_initializer": "glorot_uniform",
    },
    "loss": {
        "image": {"name": "ncc", "weight": 2.0},
        "regularization": {"name": "bending-energy", "weight": 0.05},
    },
}


def build(config=CONFIG, batch=3, moving=SIZE, labeled=True):
    given = {"labeled": labeled, "batch_size": batch, "moving_image_size": moving}
    return build_method("direct-ddf", config, SIZE, **given)


def random_inputs(batch=3):
    return random_pair(SIZE, labeled=True, batch=batch)


def test_the_field_is_the_network_s_and_warps_all_with_border_values_going_on():
    check_field_and_warps(build(), random_inputs(), "VoxelMorph")


def test_a_network_that_starts_at_zero_gives_the_moving_image_its_first_planes_too():
    config = copy.deepcopy(CONFIG)
    config["backbone"]["out_kernel_initializer"] = "zeros"
    inputs = random_inputs()
    out = build(config)(inputs, training=False)
    np.testing.assert_array_equal(out["pred_fixed_image"], inputs["moving_image"])


@pytest.mark.parametrize("batch", [1, 3])
def test_the_weight_of_the_bending_energy_knows_no_batch_size(batch):
    model, inputs = build(batch=batch, labeled=False), random_inputs(batch)
    inputs = {name: inputs[name] for name in ("moving_image", "fixed_image", "indices")}
    model.compile(optimizer=tf.keras.optimizers.SGD(0.0))
    logged = model.evaluate(inputs, batch_size=batch, verbose=0, return_dict=True)
    out = model(inputs, training=False)
    alike = np.mean(ncc(inputs["fixed_image"], out["pred_fixed_image"]))
    bent = np.mean(bending_energy(out["ddf"]))
    np.testing.assert_allclose(logged["loss"], 2 * alike + 0.05 * bent, rtol=1e-4)


def test_a_network_of_another_output_and_unequal_sizes_are_named():
    config = {**CONFIG, "backbone": {"name": "dirnet"}}
    with pytest.raises(
        ValueError, match=r"field \(16, 9, 5, 3\), got \(2, 2, 1, 3\) from 'dirnet'"
    ):
        build(config)
    with pytest.raises(ValueError, match="direct-ddf needs moving and fixed images of one size"):
        build(moving=(16, 16, 16))
