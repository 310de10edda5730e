"""The random affine: its map, its borders, its draws."""

import numpy as np
import pytest
import tensorflow as tf

from mmzoo.layers.augmentation import CORNERS, RandomAffine, affine_points, random_affine

SIZE = (8, 10, 6)


def build(**settings):
    return RandomAffine(SIZE, SIZE, batch_size=2, **settings)


def batch(labeled=True):
    names = ["moving_image", "fixed_image"] + ["moving_label", "fixed_label"] * labeled
    images = {n: tf.random.stateless_uniform((2, *SIZE), (i, 1)) for i, n in enumerate(names)}
    return {**images, "indices": tf.constant([[0.0, 1.0], [1.0, 0.0]])}


def test_corners_move_inwards_by_at_most_the_scale_each_on_its_own():
    tf.random.set_seed(0)
    corners = np.array(CORNERS, np.float32)
    moved = corners @ random_affine(500, 0.2).numpy()
    share = moved / corners[:, :3]
    assert share.min() > 0.8 - 1e-5 and share.max() < 1 + 1e-5
    assert share.std(axis=0).min() > 0.05  # uniform over 0.2 has 0.058
    assert abs(np.corrcoef(share[:, 0, 0], share[:, 0, 1])[0, 1]) < 0.2


def test_points_follow_the_map_about_the_centre_on_unequal_axes():
    theta = np.zeros((1, 4, 3), np.float32)
    theta[0, 0, 1] = 0.5  # the first coordinate goes, halved, into the second
    theta[0, 3] = [0.0, 0.0, 1.0]
    points = affine_points(tf.constant(theta), SIZE).numpy()
    np.testing.assert_allclose(points[0, 7, 3, 2], [3.5, 4.5 + 0.5 * 4.5, 5.0], rtol=1e-6)


def test_scale_zero_changes_nothing_not_even_the_first_planes():
    inputs = batch()
    outputs = build(scale=0.0)(inputs)
    for name, value in inputs.items():
        np.testing.assert_allclose(outputs[name], value, atol=1e-5)


def test_labels_go_with_their_images_and_each_image_its_own_way():
    inputs = batch()
    inputs |= {"moving_label": inputs["moving_image"], "fixed_label": inputs["fixed_image"]}
    inputs["fixed_image"] = inputs["fixed_label"] = inputs["moving_image"]
    outputs = build(scale=0.3)(inputs)
    np.testing.assert_array_equal(outputs["moving_image"], outputs["moving_label"])
    assert np.abs(outputs["moving_image"] - outputs["fixed_image"]).max() > 0.05
    np.testing.assert_array_equal(outputs["indices"], inputs["indices"])


@pytest.mark.parametrize("scale", [-0.1, 1.0])
def test_wrong_scales_are_named(scale):
    with pytest.raises(ValueError, match="`scale` must be"):
        build(scale=scale)
