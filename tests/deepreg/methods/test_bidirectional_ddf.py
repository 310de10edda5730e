"""The two-way model: its outputs, its loss term by term, its errors."""

import copy

import numpy as np
import pytest
import tensorflow as tf
from helpers_methods import build_method, random_pair

from mmzoo.losses import bending_energy, cycle_consistency, segi
from mmzoo.ops.warp import warp

SIZE = (16, 16, 32)
CONFIG = {
    "backbone": {
        "name": "mmregnet",
        "num_channel_initial": 2,
        "out_kernel_initializer": "glorot_uniform",
    },
    "loss": {
        "image": {"name": "segi", "weight": 2.0},
        "cycle": {"weight": 0.1},
        "regularization": {"name": "bending-energy", "weight": 10.0},
    },
}


def build(labeled=False, batch_size=2, config=CONFIG, **sizes):
    given = {"labeled": labeled, "batch_size": batch_size, **sizes}
    return build_method("bidirectional-ddf", config, SIZE, **given)


def changed(section, **settings):
    config = copy.deepcopy(CONFIG)
    config["loss"].setdefault(section, {}).update(settings)
    return config


def random_inputs(labeled=False, batch=2):
    return random_pair(SIZE, labeled=labeled, batch=batch)


def losses_of(model, inputs):
    model.compile(optimizer=tf.keras.optimizers.SGD(0.0))
    return model.evaluate(inputs, batch_size=2, verbose=0, return_dict=True)


def test_fields_are_two_and_images_and_labels_are_warped_by_the_right_one():
    model, inputs = build(labeled=True), random_inputs(labeled=True)
    out = model(inputs, training=False)
    assert np.abs(out["ddf"] - out["backward_ddf"]).max() > 1e-3
    for kind in ("image", "label"):
        forward = warp(inputs[f"moving_{kind}"], out["ddf"])
        backward = warp(inputs[f"fixed_{kind}"], out["backward_ddf"])
        np.testing.assert_allclose(out[f"pred_fixed_{kind}"], forward, atol=1e-5)
        np.testing.assert_allclose(out[f"pred_moving_{kind}"], backward, atol=1e-5)


def test_loss_is_equation_10_term_by_term_and_each_term_is_logged():
    model, inputs = build(), random_inputs()
    logged = losses_of(model, inputs)
    out = model(inputs, training=False)
    moving, fixed = inputs["moving_image"], inputs["fixed_image"]
    there_and_back = warp(out["pred_fixed_image"], out["backward_ddf"])
    back_and_there = warp(out["pred_moving_image"], out["ddf"])
    expected = {
        "image_SEGI": (2.0, segi(fixed, out["pred_fixed_image"])),
        "image_backward_SEGI": (2.0, segi(moving, out["pred_moving_image"])),
        "cycle_CycleConsistency": (0.1, cycle_consistency(moving, there_and_back)),
        "cycle_backward_CycleConsistency": (0.1, cycle_consistency(fixed, back_and_there)),
        "regularization_BendingEnergy": (10.0, bending_energy(out["ddf"])),
        "regularization_backward_BendingEnergy": (10.0, bending_energy(out["backward_ddf"])),
    }
    total = 0.0
    for name, (weight, values) in expected.items():
        value = np.mean(values)
        assert logged[f"loss/{name}"] == pytest.approx(value, rel=1e-3, abs=1e-6)
        assert logged[f"loss/{name}_weighted"] == pytest.approx(weight * value, rel=1e-3, abs=1e-6)
        total += weight * value
    assert len(logged) == 2 * len(expected) + 1
    assert logged["loss"] == pytest.approx(total, rel=1e-3)


def test_forward_only_is_the_printed_equation():
    config = changed("image", directions="forward")
    config["loss"]["cycle"]["directions"] = "forward"
    logged = losses_of(build(config=config), random_inputs())
    assert "loss/image_SEGI" in logged and "loss/cycle_CycleConsistency" in logged
    assert not any("image_backward" in name or "cycle_backward" in name for name in logged)
    assert "loss/regularization_backward_BendingEnergy" in logged  # Psi(U) + Psi(V)


def test_weight_zero_or_no_section_leaves_a_term_out_and_keeps_the_others():
    config = changed("regularization", weight=0)
    del config["loss"]["cycle"]
    logged = losses_of(build(config=config), random_inputs())
    assert {name for name in logged if "weighted" not in name} == {
        "loss", "loss/image_SEGI", "loss/image_backward_SEGI",
    }  # fmt: skip


def test_labels_supervise_when_asked_and_only_then():
    config = changed("label", name="dice", weight=1.0)
    logged = losses_of(build(labeled=True, config=config), random_inputs(labeled=True))
    assert {"loss/label_DiceScoreLoss", "loss/label_backward_DiceScoreLoss"} <= set(logged)
    assert not any("label" in name for name in losses_of(build(config=config), random_inputs()))


def test_loss_does_not_depend_on_how_many_pairs_a_batch_holds():
    inputs = random_inputs()
    one = losses_of(build(), inputs)
    model = build(batch_size=4)
    tf.keras.utils.set_random_seed(0)
    twice = {name: tf.concat([value, value], 0) for name, value in inputs.items()}
    two = build()
    model.set_weights(two.get_weights())
    model.compile(optimizer=tf.keras.optimizers.SGD(0.0))
    doubled = model.evaluate(twice, batch_size=4, verbose=0, return_dict=True)
    for name, value in losses_of(two, inputs).items():
        assert doubled[name] == pytest.approx(value, rel=1e-4, abs=1e-6), name
    assert set(one) == set(doubled)


def test_training_lowers_the_loss():
    model, inputs = build(), random_inputs()
    model.compile(optimizer=tf.keras.optimizers.Adam(1e-3))
    dataset = tf.data.Dataset.from_tensors(inputs).repeat(12)
    history = model.fit(dataset, epochs=3, verbose=0).history["loss"]
    assert history[-1] < history[0] - 0.05


def test_prediction_saves_both_fields_and_both_warped_images():
    model, inputs = build(labeled=True), random_inputs(labeled=True)
    indices, processed = model.postprocess(inputs, model(inputs))
    assert indices is inputs["indices"]
    on_label = {name for name, (_, _, label) in processed.items() if label}
    assert on_label == {"moving_label", "fixed_label", "pred_fixed_label", "pred_moving_label"}
    assert set(processed) - on_label == {
        "moving_image", "fixed_image", "ddf", "backward_ddf",
        "pred_fixed_image", "pred_moving_image",
    }  # fmt: skip


def test_wrong_settings_are_named():
    with pytest.raises(ValueError, match=r"images of one size, got \(16, 16, 16\)"):
        build(moving_image_size=(16, 16, 16))
    with pytest.raises(ValueError, match="did you mean 'forward'"):
        build(config=changed("image", directions="foward"))
    unet = {**CONFIG, "backbone": {"name": "unet", "num_channel_initial": 2, "depth": 2}}
    with pytest.raises(ValueError, match="needs a backbone of 6 output channels, got 3"):
        build(config=unet)
