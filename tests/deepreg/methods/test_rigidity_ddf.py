"""The rigidity model: its field, its loss term by term, labels that are several or missing."""

import copy

import numpy as np
import pytest
import tensorflow as tf
from helpers_methods import build_method, check_field_and_warps

from mmzoo.losses import bone_mask, mi, rigidity
from mmzoo.ops.warp import warp

SIZE = (16, 9, 12)
LABELS = 3
CONFIG = {
    "backbone": {
        "name": "additive-unet",
        "num_channel_initial": 2,
        "out_kernel_initializer": "glorot_uniform",
    },
    "loss": {
        "image": {"name": "mi", "weight": 0.5, "num_bins": 8},
        "label": {"name": "dice", "weight": 0.25},
        "regularization": {"name": "gradient", "weight": 2.0},
        "rigidity": {"name": "rigidity", "weight": 0.4, "linearity": 3.0, "spacing": [1, 2, 1]},
    },
}


def build(labeled=True, batch=2, config=CONFIG, moving=SIZE):
    given = {"labeled": labeled, "batch_size": batch, "moving_image_size": moving}
    return build_method("rigidity-ddf", config, SIZE, **given)


def without(*sections):
    config = copy.deepcopy(CONFIG)
    for section in sections:
        del config["loss"][section]
    return config


def random_inputs(batch=2, labels=LABELS):
    shapes = {"moving_image": SIZE, "fixed_image": SIZE}
    if labels:
        shapes |= {"moving_label": (*SIZE, labels), "fixed_label": (*SIZE, labels)}
    inputs = {
        name: tf.random.stateless_uniform((batch, *shape), (seed, 7))
        for seed, (name, shape) in enumerate(shapes.items())
    }
    for name in [name for name in inputs if name.endswith("label")]:
        inputs[name] = tf.cast(inputs[name] > 0.7, tf.float32)
    return {**inputs, "indices": tf.zeros((batch, 2))}


def empty(inputs, name, item, label):
    labels = inputs[name].numpy()
    labels[item, ..., label] = 0
    return {**inputs, name: tf.constant(labels)}


def losses_of(model, inputs, batch=2):
    model.compile(optimizer=tf.keras.optimizers.SGD(0.0))
    return model.evaluate(inputs, batch_size=batch, verbose=0, return_dict=True)


def soft_dice(fixed, warped):
    return 2 * np.sum(fixed * warped) / (np.sum(fixed) + np.sum(warped))


def test_the_field_is_the_network_s_and_warps_the_image_and_each_label():
    check_field_and_warps(build(), random_inputs(), "AdditiveUNet")


@pytest.mark.parametrize("batch", [1, 2])
def test_loss_is_equation_4_10_term_by_term(batch):
    model, inputs = build(batch=batch), random_inputs(batch)
    logged = losses_of(model, inputs, batch)
    out = model(inputs, training=False)
    ddf, moving_label = out["ddf"].numpy(), inputs["moving_label"]
    central = [np.gradient(ddf, axis=axis)[:, 1:-1, 1:-1, 1:-1] for axis in (1, 2, 3)]
    fixed, warped = inputs["fixed_label"].numpy(), out["pred_fixed_label"].numpy()
    overlaps = [
        soft_dice(fixed[b, ..., k], warped[b, ..., k]) for b in range(batch) for k in range(3)
    ]
    bones = bone_mask(tf.reduce_max(moving_label, -1), out["ddf"])
    held = rigidity(out["ddf"], bones, linearity=3.0, spacing=[1, 2, 1])
    expected = {
        "image_MI": (0.5, np.mean(mi(inputs["fixed_image"], out["pred_fixed_image"], num_bins=8))),
        "label_DiceScoreLoss": (0.25, -np.mean(overlaps)),
        "regularization_GradientNorm": (2.0, np.mean(np.sum(np.square(central), 0))),
        "rigidity_Rigidity": (0.4, np.mean(held)),
    }
    assert len(logged) == 2 * len(expected) + 1
    for name, (weight, value) in expected.items():
        assert logged[f"loss/{name}"] == pytest.approx(value, rel=1e-3, abs=1e-6), name
        assert logged[f"loss/{name}_weighted"] == pytest.approx(weight * value, rel=1e-3, abs=1e-6)
    total = sum(weight * value for weight, value in expected.values())
    assert logged["loss"] == pytest.approx(total, rel=1e-3)


def test_a_label_that_is_missing_in_one_image_does_not_count_in_the_mean():
    model, inputs = build(), random_inputs()
    inputs = empty(empty(inputs, "fixed_label", 0, 1), "moving_label", 1, 2)
    warped = model(inputs, training=False)["pred_fixed_label"].numpy()
    fixed = inputs["fixed_label"].numpy()
    in_both = [(0, 0), (0, 2), (1, 0), (1, 1)]
    expected = -np.mean([soft_dice(fixed[b, ..., k], warped[b, ..., k]) for b, k in in_both])
    assert losses_of(model, inputs)["loss/label_DiceScoreLoss"] == pytest.approx(expected, rel=1e-3)


def gradients_of(model, inputs):
    with tf.GradientTape() as tape:
        model(inputs, training=True)
        loss = tf.add_n(model.losses)
    return tape.gradient(loss, model.trainable_weights)


def test_a_pair_without_a_bone_is_trained_on_by_the_other_terms():
    model, inputs = build(), random_inputs()
    none = {name: 0 * v if name.endswith("label") else v for name, v in inputs.items()}
    logged = losses_of(model, none)
    assert logged["loss/label_DiceScoreLoss"] == logged["loss/rigidity_Rigidity"] == 0
    for gradient in gradients_of(model, none):
        assert np.isfinite(gradient).all() and np.abs(gradient).max() > 0


def test_the_unsupervised_penalty_uses_labels_and_no_label_loss():
    logged = losses_of(build(config=without("label")), random_inputs())
    assert "loss/rigidity_Rigidity" in logged
    assert not any(name.startswith("loss/label") for name in logged)


def test_the_penalty_reaches_the_network_s_weights():
    model = build(config=without("label", "image", "regularization"))
    gradients = gradients_of(model, random_inputs())
    for weight, gradient in zip(model.trainable_weights, gradients, strict=True):
        if not weight.name.endswith("flow/bias:0"):  # a shift is rigid
            assert np.abs(gradient).max() > 0, weight.name


def test_without_labels_it_predicts_the_same_field():
    inputs, bare = random_inputs(), random_inputs(labels=0)
    labelled, unlabelled = build(), build(labeled=False)
    unlabelled.set_weights(labelled.get_weights()[: len(unlabelled.get_weights())])
    out = unlabelled(bare, training=False)
    assert set(out) == {"ddf", "pred_fixed_image"}
    np.testing.assert_allclose(out["ddf"], labelled(inputs, training=False)["ddf"], atol=1e-6)
    logged = losses_of(unlabelled, bare)
    assert not any("label" in name or "rigidity" in name for name in logged)


def test_one_label_without_a_channel_is_one_channel_and_is_saved_without():
    model, inputs = build(), random_inputs(labels=1)
    names = ("moving_label", "fixed_label")
    plain = {name: v[..., 0] if name in names else v for name, v in inputs.items()}
    out = model(plain, training=False)
    np.testing.assert_allclose(out["ddf"], model(inputs, training=False)["ddf"])
    _, processed = model.postprocess(plain, {name: value.numpy() for name, value in out.items()})
    label, _, on_label = processed["pred_fixed_label"]
    assert label.shape == (2, *SIZE) and on_label
    np.testing.assert_allclose(label, warp(plain["moving_label"], out["ddf"]), atol=1e-6)


def test_a_backbone_of_another_output_and_unequal_sizes_are_named():
    config = {**CONFIG, "backbone": {"name": "dirnet"}}
    with pytest.raises(
        ValueError, match=r"field \(16, 9, 12, 3\), got \(2, 2, 2, 3\) from 'dirnet'"
    ):
        build(config=config)
    with pytest.raises(ValueError, match="rigidity-ddf needs moving and fixed images of one size"):
        build(moving=(16, 16, 16))
