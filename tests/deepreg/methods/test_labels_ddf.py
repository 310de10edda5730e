"""The method that learns from all labels: its loss term by term, in prediction images alone."""

import numpy as np
import pytest
import tensorflow as tf
from helpers_methods import build_method

from mmzoo.deepreg.methods.labels_ddf import Thinned
from mmzoo.losses.diffusion import diffusion_energy
from mmzoo.ops.warp import warp

SIZE = (16, 9, 12)
CONFIG = {
    "backbone": {
        "name": "synthmorph",
        "encoder": [2, 2],
        "decoder": [2, 2, 2],
        "out_kernel_initializer": "glorot_uniform",
    },
    "loss": {
        "label": {"name": "dice", "weight": 0.5},
        "regularization": {"name": "diffusion", "weight": 2.0},
    },
}


def random_inputs(batch=2, labels=3):
    shapes = {"moving_image": SIZE, "fixed_image": SIZE}
    shapes |= {"moving_label": (*SIZE, labels), "fixed_label": (*SIZE, labels)} if labels else {}
    inputs = {
        name: tf.random.stateless_uniform((batch, *shape), (seed, 7))
        for seed, (name, shape) in enumerate(shapes.items())
    }
    for name in [name for name in inputs if name.endswith("label")]:
        inputs[name] = tf.cast(inputs[name] > 0.7, tf.float32)
    return {**inputs, "indices": tf.zeros((batch, 2))}


@pytest.mark.parametrize("batch", [1, 2])
def test_loss_is_the_mean_overlap_and_the_field_s_diffusion(batch):
    model = build_method("labels-ddf", CONFIG, SIZE, labeled=True, batch_size=batch)
    inputs = random_inputs(batch)
    model.compile(optimizer=tf.keras.optimizers.SGD(0.0))
    logged = model.evaluate(inputs, batch_size=batch, verbose=0, return_dict=True)
    out = model(inputs, training=False)
    fixed, warped = inputs["fixed_label"].numpy(), out["pred_fixed_label"].numpy()
    overlaps = [
        2
        * np.sum(fixed[b, ..., k] * warped[b, ..., k])
        / np.sum(fixed[b, ..., k] + warped[b, ..., k])
        for b in range(batch)
        for k in range(3)
    ]
    diffusion = float(np.mean(diffusion_energy(out["ddf"])))
    assert logged["loss/label_DiceScoreLoss"] == pytest.approx(-np.mean(overlaps), rel=1e-3)
    assert logged["loss/regularization_DiffusionEnergy"] == pytest.approx(diffusion, rel=1e-3)
    assert logged["loss"] == pytest.approx(2 * diffusion - 0.5 * np.mean(overlaps), rel=1e-3)
    assert diffusion > 1e-4


def test_pairs_count_alike_whatever_labels_they_lack():
    model = build_method("labels-ddf", CONFIG, SIZE, labeled=True, batch_size=2)
    model.compile(optimizer=tf.keras.optimizers.SGD(0.0))
    inputs = random_inputs()
    there = tf.constant([[1.0, 1.0, 1.0], [0.0, 1.0, 0.0]])[:, None, None, None]
    inputs["moving_label"] = tf.stack([inputs["moving_label"][0], tf.ones((*SIZE, 3))]) * there
    logs = model.evaluate(inputs, batch_size=2, verbose=0, return_dict=True)
    fixed = inputs["fixed_label"].numpy()
    warped = model(inputs, training=False)["pred_fixed_label"].numpy()
    dice = np.array(
        [
            [2 * np.sum(f[..., k] * w[..., k]) / np.sum(f[..., k] + w[..., k]) for k in range(3)]
            for f, w in zip(fixed, warped, strict=True)
        ]
    )
    expected = -(dice[0].mean() + dice[1, 1]) / 2
    assert logs["loss/label_DiceScoreLoss"] == pytest.approx(expected, rel=1e-3)
    assert abs(expected + (dice[0].sum() + dice[1, 1]) / 4) > 1e-3  # the mean over all labels


def test_a_prediction_needs_no_labels_and_gives_the_same_field():
    labelled = build_method("labels-ddf", CONFIG, SIZE, labeled=True, batch_size=2)
    bare = build_method("labels-ddf", CONFIG, SIZE, labeled=False, batch_size=2)
    bare.set_weights(labelled.get_weights()[: len(bare.get_weights())])
    inputs = random_inputs()
    out = bare(random_inputs(labels=0), training=False)
    assert set(out) == {"ddf", "pred_fixed_image"}
    np.testing.assert_allclose(out["ddf"], labelled(inputs, training=False)["ddf"], atol=1e-6)


def test_a_few_steps_bring_labels_together():
    model = build_method("labels-ddf", CONFIG, SIZE, labeled=True, batch_size=1)
    inputs = random_inputs(1, labels=1)
    blob = np.zeros((1, *SIZE, 1), np.float32)
    blob[:, 4:10, 2:7, 3:9] = 1
    inputs["moving_label"] = tf.constant(blob)
    inputs["fixed_label"] = tf.constant(np.roll(blob, 2, axis=1))
    model.compile(optimizer=tf.keras.optimizers.Adam(1e-2))
    losses = model.fit(inputs, batch_size=1, epochs=30, verbose=0).history["loss"]
    assert losses[-1] < losses[0] - 0.1


def test_thinned_labels_are_the_voxels_of_one_place_in_each_cell():
    labels, field = random_inputs(2), tf.random.stateless_normal((2, *SIZE, 3), (5, 5))
    fixed, moving = labels["fixed_label"], labels["moving_label"]
    warped = warp(moving, field).numpy()
    tf.random.set_seed(1)
    places = set()
    for _ in range(40):
        found = [part.numpy() for part in Thinned(2)([fixed, moving, field])]
        fits = [
            place
            for place in np.ndindex(2, 2, 2)
            if np.array_equal(found[0], every_other(fixed.numpy(), place))
        ]
        (place,) = fits
        np.testing.assert_allclose(found[1], every_other(warped, place), atol=1e-5)
        places.add(place)
    assert len(places) == 8


def every_other(volume, place):
    i, j, k = (slice(start, None, 2) for start in place)
    return volume[:, i, j, k]


def test_a_loss_of_some_voxels_is_about_that_of_all_and_trains_the_network():
    sparse = {**CONFIG, "loss": {**CONFIG["loss"], "label": {"name": "dice", "every": 2}}}
    values = {}
    for name, config in (("all", CONFIG), ("some", sparse)):
        tf.keras.utils.set_random_seed(3)
        model = build_method("labels-ddf", config, SIZE, labeled=True, batch_size=1)
        inputs = random_inputs(1)
        model.compile(optimizer=tf.keras.optimizers.Adam(1e-3))
        logs = model.fit(inputs, batch_size=1, epochs=12, verbose=0).history
        values[name] = np.array(logs["loss/label_DiceScoreLoss"])
    assert abs(values["some"].mean() - values["all"].mean()) < 0.02
    assert values["some"].std() > 1e-4
