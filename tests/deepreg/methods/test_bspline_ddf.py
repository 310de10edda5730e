"""The B-spline model: its field, its loss term by term, its errors."""

import copy

import numpy as np
import pytest
import tensorflow as tf
from helpers_methods import build_method, random_pair

from mmzoo.losses import bending_energy, nmi
from mmzoo.ops.bspline import bspline_field
from mmzoo.ops.warp import warp

SIZE = (16, 24, 9)
CONFIG = {
    "backbone": {
        "name": "dirnet",
        "grid_spacing": [8, 8, 1],
        "num_channels": 4,
        "out_kernel_initializer": "glorot_uniform",
    },
    "loss": {
        "image": {"name": "nmi", "weight": 2.0, "num_bins": 8, "sigma": 0.02},
        "regularization": {"name": "bending-energy", "weight": 0.05},
    },
}


def build(labeled=False, config=CONFIG, **sizes):
    return build_method("bspline-ddf", config, SIZE, labeled=labeled, batch_size=2, **sizes)


def random_inputs(labeled=False):
    return random_pair(SIZE, labeled=labeled)


def test_the_field_is_the_b_spline_of_the_network_s_coefficients_and_warps_all():
    model, inputs = build(labeled=True), random_inputs(labeled=True)
    out = model(inputs, training=False)
    network = next(layer for layer in model._model.layers if layer.name == "DIRNet")
    pair = tf.stack([inputs["moving_image"], inputs["fixed_image"]], axis=-1)
    field = bspline_field(network(pair), SIZE, (8, 8, 1))
    assert np.abs(field).max() > 1e-3
    np.testing.assert_allclose(out["ddf"], field, atol=1e-5)
    for kind in ("image", "label"):
        expected = warp(inputs[f"moving_{kind}"], out["ddf"])
        np.testing.assert_allclose(out[f"pred_fixed_{kind}"], expected, atol=1e-5)


def test_the_loss_is_the_similarity_and_the_bending_of_the_dense_field():
    model, inputs = build(), random_inputs()
    model.compile(optimizer=tf.keras.optimizers.SGD(0.0))
    logged = model.evaluate(inputs, batch_size=2, verbose=0, return_dict=True)
    out = model(inputs, training=False)
    alike = np.mean(nmi(inputs["fixed_image"], out["pred_fixed_image"], num_bins=8, sigma=0.02))
    bent = np.mean(bending_energy(out["ddf"]))
    np.testing.assert_allclose(logged["loss/image_NMI"], alike, rtol=1e-3)
    np.testing.assert_allclose(logged["loss/regularization_BendingEnergy"], bent, rtol=1e-4)
    np.testing.assert_allclose(logged["loss"], 2 * alike + 0.05 * bent, rtol=1e-4)


def test_labels_supervise_where_a_section_asks_for_it():
    config = copy.deepcopy(CONFIG)
    config["loss"]["label"] = {"name": "dice", "weight": 1.0}
    logged = [metric.name for metric in build(labeled=True, config=config).metrics]
    assert any(name.startswith("loss/label") for name in logged)
    assert not any(name.startswith("loss/label") for name in (m.name for m in build(True).metrics))


def test_a_step_of_training_moves_the_control_points():
    model, inputs = build(), random_inputs()
    model.compile(optimizer=tf.keras.optimizers.Adam(1e-3))
    before = [w.numpy() for w in model.trainable_weights]
    model.fit(tf.data.Dataset.from_tensors(inputs), epochs=1, verbose=0)
    for old, new in zip(before, model.trainable_weights, strict=True):
        assert np.abs(new - old).max() > 0


def test_a_backbone_without_control_points_and_unequal_sizes_are_named():
    config = {**CONFIG, "backbone": {"name": "voxelmorph"}}
    sizes = {"moving_image_size": (16, 16, 16), "fixed_image_size": (16, 16, 16)}
    with pytest.raises(ValueError, match="'voxelmorph'; use dirnet, or method direct-ddf"):
        build(config=config, **sizes)
    with pytest.raises(ValueError, match="images of one size"):
        build(moving_image_size=(16, 16, 16))
