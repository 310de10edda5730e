"""The method `deform-gan`: its loss term by term, which weights a step changes, its errors."""

import copy

import numpy as np
import pytest
import tensorflow as tf
from helpers_methods import build_method, random_pair

from mmzoo.deepreg.preflight.configuration import method_of
from mmzoo.framework import keras
from mmzoo.losses import diffusion_energy, local_correlation, local_gradient
from mmzoo.ops.warp import warp

SIZE = (8, 12, 16)
SMALL = {"num_channel_initial": 2, "depth": 1}
CONFIG = {
    "backbone": {"name": "deform-gan-unet", "out_kernel_initializer": "glorot_uniform", **SMALL},
    "loss": {
        "image": {"name": "local-gradient", "weight": 2.0, "window": 3},
        "translated": {"name": "local-correlation", "weight": 1.0, "window": 3},
        "regularization": {"name": "diffusion", "weight": 0.5},
    },
    "translator": {
        "generator": {"name": "unet", **SMALL},
        "discriminator": {"name": "strided", "channels": [2, 3]},
        "constraint": {"name": "local-gradient", "weight": 5.0, "window": 3},
    },
}


def build(labeled=False, config=CONFIG, batch_size=2, **sizes):
    keras.utils.set_random_seed(0)
    given = {"labeled": labeled, "batch_size": batch_size, **sizes}
    return build_method("deform-gan", config, SIZE, **given)


def compiled(optimizer=None, run_eagerly=True, **kwargs):
    model = build(**kwargs)
    model.compile(optimizer or keras.optimizers.SGD(1e-2), run_eagerly=run_eagerly)
    return model


def changed(section, **settings):
    config = copy.deepcopy(CONFIG)
    target = config
    *path, last = section.split(".")
    for part in path:
        target = target[part]
    target[last] = {**target.get(last, {}), **settings}
    return config


def random_inputs(labeled=False, batch=2):
    return random_pair(SIZE, labeled=labeled, batch=batch)


def networks(model):
    return {
        "T": model._model,
        "G": model.translator.generator,
        "D": model.translator.discriminator,
    }


def snapshot(model):
    return {
        name: [w.numpy() for w in network.trainable_weights]
        for name, network in networks(model).items()
    }


def moved(model, before):
    """Say of each network whether all, some or none of its weights have changed."""
    after = snapshot(model)
    words = {}
    for name, old in before.items():
        different = [bool((a != b).any()) for a, b in zip(after[name], old, strict=True)]
        words[name] = "all" if all(different) else "some" if any(different) else "none"
    return words


def test_the_loss_of_t_is_equations_4_and_5_on_images_in_minus_one_to_one():
    model, inputs = compiled(), random_inputs()
    logs = model.evaluate(inputs, batch_size=2, verbose=0, return_dict=True)
    out = model(inputs)
    fixed, warped = 2 * inputs["fixed_image"] - 1, 2 * out["pred_fixed_image"] - 1
    translated = model.translator.generator(warped[..., None])[..., 0]
    expected = {
        "image_LocalGradient": (2.0, local_gradient(fixed, warped, window=3)),
        "translated_LocalCorrelation": (1.0, local_correlation(fixed, translated, window=3)),
        "regularization_DiffusionEnergy": (0.5, diffusion_energy(out["ddf"])),
    }
    total = sum(float(loss) for loss in model._model.losses)
    assert total > 0
    for name, (weight, value) in expected.items():
        assert logs[f"loss/{name}"] == pytest.approx(np.mean(value), rel=1e-4), name
        weighted = weight * np.mean(value)
        assert logs[f"loss/{name}_weighted"] == pytest.approx(weighted, rel=1e-4)
        total += weighted
    assert logs["loss"] == pytest.approx(total, rel=1e-4)
    for name in ("generator_loss", "discriminator_loss", "loss/generator-constraint_LocalGradient"):
        assert np.isfinite(logs[name])


def test_the_field_is_that_of_the_pair_in_minus_one_to_one_and_warps_image_and_label():
    model, inputs = build(labeled=True), random_inputs(labeled=True)
    out = model(inputs)
    network = next(layer for layer in model._model.layers if layer.name == "DeformGANUNet")
    pair = tf.stack([2 * inputs[f"{side}_image"] - 1 for side in ("moving", "fixed")], axis=-1)
    np.testing.assert_allclose(out["ddf"], network(pair), atol=1e-5)
    assert np.abs(out["ddf"]).max() > 1e-3
    for kind in ("image", "label"):
        expected = warp(inputs[f"moving_{kind}"], out["ddf"])
        np.testing.assert_allclose(out[f"pred_fixed_{kind}"], expected, atol=1e-5)


def test_one_step_moves_all_three_networks():
    model = compiled()
    before = snapshot(model)
    model.train_on_batch(random_inputs())
    assert moved(model, before) == {"T": "all", "G": "all", "D": "all"}


@pytest.mark.parametrize("network", ["T", "G", "D"])
def test_each_optimizer_moves_its_own_network_alone(network):
    model = compiled()
    optimizers = {
        "T": model.optimizer,
        "G": model.translator.optimizer,
        "D": model.translator.discriminator_optimizer,
    }
    for name, optimizer in optimizers.items():
        optimizer.learning_rate = 1e-2 * (name == network)
    before = snapshot(model)
    model.train_on_batch(random_inputs())
    assert moved(model, before) == {name: "all" if name == network else "none" for name in before}


def test_t_steps_down_its_own_loss_through_the_new_generator():
    model, inputs = compiled(), random_inputs()
    model.translator.discriminator_optimizer.learning_rate = 0.0
    before = [w.numpy() for w in model._model.trainable_weights]
    model.train_on_batch(inputs)
    stepped = [w.numpy() for w in model._model.trainable_weights]
    for weight, old in zip(model._model.trainable_weights, before, strict=True):
        weight.assign(old)
    with tf.GradientTape() as tape:  # the generator has taken its step
        out = model._model(inputs)
        fixed, warped = 2 * inputs["fixed_image"] - 1, 2 * out["pred_fixed_image"] - 1
        translated = model.translator.generator(warped[..., None])[..., 0]
        loss = 2 * tf.reduce_mean(local_gradient(fixed, warped, window=3))
        loss += tf.reduce_mean(local_correlation(fixed, translated, window=3))
        loss += 0.5 * tf.reduce_mean(diffusion_energy(out["ddf"])) + tf.add_n(model._model.losses)
    gradients = tape.gradient(loss, model._model.trainable_weights)
    for new, old, gradient in zip(stepped, before, gradients, strict=True):
        np.testing.assert_allclose(new, old - 1e-2 * gradient, atol=1e-5)


def test_evaluating_moves_nothing():
    model = compiled()
    before = [w.numpy() for network in networks(model).values() for w in network.weights]
    model.evaluate(random_inputs(), batch_size=2, verbose=0)
    after = [w for network in networks(model).values() for w in network.weights]
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(old, new)


def test_training_lowers_the_loss_of_t():
    model = compiled(keras.optimizers.Adam(1e-3), run_eagerly=False)
    dataset = tf.data.Dataset.from_tensors(random_inputs()).repeat(15)
    history = model.fit(dataset, epochs=2, verbose=0).history
    assert history["loss"][-1] < history["loss"][0] - 0.01
    first = list(history)[:2]
    assert first == ["loss", "loss/image_LocalGradient"]


def test_a_term_without_weight_or_section_is_left_out():
    config = changed("loss.translated", weight=0)
    del config["loss"]["regularization"]
    names = [metric.name for metric in build(config=config).metrics]
    assert "loss/image_LocalGradient" in names
    assert not any("translated" in name or "regularization" in name for name in names)


def test_labels_supervise_when_asked_and_only_then():
    config = changed("loss.label", name="dice", weight=1.0)
    inputs = random_inputs(labeled=True)
    logs = compiled(labeled=True, config=config).train_on_batch(inputs, return_dict=True)
    assert -1 < logs["loss/label_DiceScoreLoss"] < 0
    for model in (build(config=config), build(labeled=True)):
        assert not any("label" in metric.name for metric in model.metrics)


def test_the_three_optimizers_are_alike_unless_told_otherwise():
    model = compiled(keras.optimizers.Adam(3e-4, beta_1=0.5))
    for optimizer in (model.translator.optimizer, model.translator.discriminator_optimizer):
        assert isinstance(optimizer, keras.optimizers.Adam) and optimizer is not model.optimizer
        assert float(optimizer.learning_rate) == pytest.approx(3e-4) and optimizer.beta_1 == 0.5
    config = changed("translator.discriminator_optimizer", name="SGD", learning_rate=0.5)
    model = compiled(keras.optimizers.Adam(3e-4), config=config)
    assert isinstance(model.translator.discriminator_optimizer, keras.optimizers.SGD)
    assert isinstance(model.translator.optimizer, keras.optimizers.Adam)


def test_a_prediction_has_the_translated_image_when_asked_and_only_then():
    inputs = random_inputs(labeled=True)
    _, processed = build(labeled=True).postprocess(inputs, build(labeled=True)(inputs))
    assert set(processed) == {
        "moving_image", "fixed_image", "ddf", "pred_fixed_image",
        "moving_label", "fixed_label", "pred_fixed_label",
    }  # fmt: skip
    config = copy.deepcopy(CONFIG)
    config["translator"]["save_translated"] = True
    model = build(labeled=True, config=config)
    out = model(inputs)
    _, processed = model.postprocess(inputs, out)
    warped = 2 * out["pred_fixed_image"] - 1
    expected = (model.translator.generator(warped[..., None])[..., 0] + 1) / 2
    np.testing.assert_allclose(processed["translated_image"][0], expected, atol=1e-5)


def test_a_nan_in_an_image_stops_the_training_and_is_named():
    model, inputs = compiled(), random_inputs()
    inputs["fixed_image"] = inputs["fixed_image"] * np.nan
    with pytest.raises(ValueError, match="the training is lost: .* in epoch 1"):
        model.fit(tf.data.Dataset.from_tensors(inputs), epochs=1, verbose=0)


@pytest.mark.parametrize(
    ("section", "settings", "message"),
    [
        ("translator.generater", {}, "is 'generater': did you mean 'generator'"),
        ("translator.l1", {"wait": 1}, "translator.l1` is 'wait': did you mean 'weight'"),
        ("translator.l1", {"weight": -1}, "`l1.weight` must be a number at least 0"),
        ("translator.generator", {"name": "unett"}, "train.translator.generator.name` is 'unett'"),
        (
            "translator.adversarial",
            {"name": "hinge"},
            "train.translator.adversarial.name` is 'hinge'",
        ),
        ("translator.constraint", {"name": "local-gradent"}, "did you mean 'local-gradient'"),
    ],
)
def test_wrong_settings_are_named(section, settings, message):
    with pytest.raises(ValueError, match=message):
        build(config=changed(section, **settings))


def test_a_conditional_discriminator_gets_the_undeformed_image_beside_the_fixed_one(monkeypatch):
    model = compiled(config=changed("translator.adversarial", conditional=True))
    seen = []
    judge = model.translator.judge
    monkeypatch.setattr(model.translator, "judge", lambda *a, **k: seen.append(a) or judge(*a, **k))
    inputs = random_inputs()
    kept = tf.reverse(inputs["moving_image"], [1])
    model.train_step({**inputs, "undeformed_image": kept})
    np.testing.assert_allclose(seen[0][3][..., 0], 2 * kept - 1, atol=1e-6)
    model.test_step(inputs)
    np.testing.assert_allclose(seen[-2][3][..., 0], 2 * inputs["moving_image"] - 1, atol=1e-6)


@pytest.mark.parametrize(
    "augmentation",
    [
        None,
        {"name": "random-deformation"},
        {"name": "affine", "keep_undeformed": True},
        [{"name": "random-deformation", "keep_undeformed": True}, {"name": "affine"}],
    ],
)
def test_a_conditional_discriminator_without_aligned_pairs_is_refused(augmentation):
    train = changed("translator.adversarial", conditional=True)
    train["preprocess"] = {"data_augmentation": augmentation}
    with pytest.raises(ValueError, match="wants aligned pairs: .* `keep_undeformed: true`"):
        method_of({**train, "method": "deform-gan"}).check_config(train)
    train["preprocess"]["data_augmentation"] = {
        "name": "random-deformation",
        "keep_undeformed": True,
    }
    method_of({**train, "method": "deform-gan"}).check_config(train)


def test_a_backbone_that_predicts_no_field_is_named():
    backbone = {"name": "dirnet", "grid_spacing": [2, 2, 2]}
    with pytest.raises(ValueError, match="deform-gan needs .* from 'dirnet'; use deform-gan-unet"):
        build(config={**CONFIG, "backbone": backbone})


def test_unequal_sizes_are_named():
    with pytest.raises(
        ValueError, match=r"deform-gan needs .* images of one size, got \(8, 8, 8\)"
    ):
        build(moving_image_size=(8, 8, 8))
