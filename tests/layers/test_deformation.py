"""The random deformation: its size, that it never folds, what it deforms, its draws."""

import numpy as np
import pytest
import tensorflow as tf

from mmzoo.layers.deformation import RandomDeformation, random_deformation
from mmzoo.metrics.field import jacobian_determinant
from mmzoo.ops.warp import warp

SIZE = (20, 28, 16)
NONE = {"shift": 0.0, "rotation": 0.0, "scaling": 0.0, "elastic": 0.0}
WILD = {"size": 12.0, "shift": 9.0, "rotation": 30.0, "scaling": 0.49, "elastic": 20.0}


def draw(batch=8, shape=SIZE, **settings):
    settings = {"size": 10.0, "spacing": 8.0, **NONE, **settings}
    return random_deformation(batch, shape, **settings).numpy()


def batch(labeled=True):
    names = ["moving_image", "fixed_image"] + ["moving_label", "fixed_label"] * labeled
    images = {n: tf.random.stateless_uniform((2, *SIZE), (i, 1)) for i, n in enumerate(names)}
    return {**images, "indices": tf.constant([[0.0, 1.0], [1.0, 0.0]])}


@pytest.mark.parametrize("spacing", [4.0, 7.5])
def test_never_folds_however_wild_the_settings(spacing):
    tf.random.set_seed(0)
    for ddf in draw(24, **WILD, spacing=spacing):
        assert jacobian_determinant(ddf).min() > 0


def test_no_component_exceeds_the_size_and_large_settings_come_next_to_it():
    tf.random.set_seed(1)
    largest = np.abs(draw(40, **WILD)).max(axis=(1, 2, 3, 4))
    assert largest.max() <= WILD["size"] + 1e-4 and np.median(largest) > 0.9 * WILD["size"]


def test_a_shift_beyond_the_size_is_shrunk_to_it():
    tf.random.set_seed(7)
    largest = np.abs(draw(100, (4, 5, 3), shift=60.0)).max(axis=(1, 2, 3, 4))
    assert np.allclose(largest[largest > 9], 10, atol=1e-4) and (largest > 9).mean() > 0.9


def test_a_shift_is_a_translation_and_uniform_along_each_axis():
    tf.random.set_seed(2)
    ddf = draw(400, (4, 5, 3), shift=6.0)
    np.testing.assert_allclose(ddf, np.broadcast_to(ddf[:, :1, :1, :1], ddf.shape), atol=1e-5)
    shifts = ddf[:, 0, 0, 0]
    assert np.abs(shifts).max() <= 6 and (shifts.std(axis=0) > 3.1).all()  # uniform: 3.46
    assert np.abs(np.corrcoef(shifts.T) - np.eye(3)).max() < 0.2


def test_a_rotation_keeps_lengths_about_the_centre():
    tf.random.set_seed(3)
    x = np.stack(np.meshgrid(*[np.arange(n) for n in SIZE], indexing="ij"), -1)
    centred = x - (np.array(SIZE) - 1) / 2
    for ddf in draw(4, rotation=20.0, size=100.0):
        lengths = np.linalg.norm(centred + ddf, axis=-1)
        np.testing.assert_allclose(lengths, np.linalg.norm(centred, axis=-1), atol=1e-3)
        assert jacobian_determinant(ddf).min() > 0.99 and np.abs(ddf).max() > 0.5


def test_a_scaling_stretches_each_axis_about_the_centre_and_mixes_none():
    tf.random.set_seed(4)
    centre = (np.array(SIZE) - 1) / 2
    for ddf in draw(4, scaling=0.3, size=100.0):
        for axis in range(3):
            along = np.moveaxis(ddf[..., axis], axis, 0)
            slopes = np.diff(along, axis=0)
            np.testing.assert_allclose(slopes, slopes.flat[0], atol=1e-4)
            assert abs(slopes.flat[0]) <= 0.3
            np.testing.assert_allclose(along[0], -centre[axis] * slopes.flat[0], atol=1e-3)


def test_an_elastic_deformation_differs_from_place_to_place_within_the_bound_of_one_to_one():
    tf.random.set_seed(5)
    ddf = draw(6, elastic=2.0)
    assert (ddf.std(axis=(1, 2, 3)) > 0.3).all()
    assert np.abs(draw(6, elastic=1e3)).max() <= 8.0 / 2.479472


def test_moving_images_go_with_their_labels_and_fixed_ones_stay():
    inputs = batch()
    inputs["moving_label"] = inputs["moving_image"]
    outputs = RandomDeformation(SIZE, SIZE, 2, size=6.0, shift=3.0, elastic=2.0, spacing=8.0)(
        inputs
    )
    np.testing.assert_array_equal(outputs["moving_image"], outputs["moving_label"])
    assert np.abs(outputs["moving_image"] - inputs["moving_image"]).max() > 0.1
    for name in ("fixed_image", "fixed_label", "indices"):
        np.testing.assert_array_equal(outputs[name], inputs[name])
    assert outputs.keys() == inputs.keys()


def test_the_image_is_warped_by_the_field_that_the_same_seed_gives():
    inputs = batch(labeled=False)
    layer = RandomDeformation(SIZE, (8, 8, 8), 2, size=6.0, shift=3.0, elastic=2.0, spacing=8.0)
    tf.random.set_seed(6)
    ddf = random_deformation(2, SIZE, **layer.settings)
    tf.random.set_seed(6)
    deformed = layer(inputs)["moving_image"]
    np.testing.assert_allclose(deformed, warp(inputs["moving_image"], ddf), atol=1e-5)


def test_the_image_as_it_came_is_kept_when_asked_and_only_then():
    inputs = batch()
    layer = RandomDeformation(SIZE, SIZE, 2, size=6.0, shift=3.0, keep_undeformed=True)
    outputs = layer(inputs)
    np.testing.assert_array_equal(outputs.pop("undeformed_image"), inputs["moving_image"])
    assert outputs.keys() == inputs.keys() and layer.get_config()["keep_undeformed"]


def test_settings_of_zero_change_nothing():
    inputs = batch()
    outputs = RandomDeformation(SIZE, SIZE, 2, **NONE)(inputs)
    np.testing.assert_allclose(outputs["moving_image"], inputs["moving_image"], atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 0}, "`size` must be a number above 0"),
        ({"shift": -1}, "`shift` must be a number at least 0"),
        ({"rotation": 50}, "`rotation` must be at most 30.0 degrees, got 50"),
        ({"scaling": 1.1}, "`scaling` must be below 0.5, got 1.1"),
        ({"elastic": "strong"}, "`elastic` must be a number"),
        ({"spacing": 0}, "`spacing` must be a number above 0"),
    ],
)
def test_wrong_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        RandomDeformation(SIZE, SIZE, 2, **settings)
