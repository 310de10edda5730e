"""The random contrasts: what is painted, that labels stay apart, what is drawn and how often."""

import numpy as np
import pytest
import tensorflow as tf

from mmzoo.layers import contrast, painting
from mmzoo.layers.contrast import RandomContrast

SIZE = (18, 13, 16)
STILL = {"shift": 0.0, "rotation": 0.0, "scaling": 0.0, "elastic": 0.0, "spacing": 8.0}
ALIKE = {"turn": 0.0, "move": 0.0, "mirror": False}


def blobs(count=4, batch=2, size=SIZE, seed=0):
    """Return labels without overlap, (batch, *size, count), and their map."""
    ids = np.random.default_rng(seed).integers(0, count + 1, (batch, 3, 3, 3))
    for axis, n in enumerate(size, start=1):
        ids = np.take(ids, np.arange(n) * 3 // n, axis=axis)
    return np.eye(count + 1, dtype=np.float32)[ids][..., 1:], ids


def batch(**given):
    labels, _ = blobs(**given)
    other, _ = blobs(seed=1, **given)
    images = {f"{side}_image": tf.zeros(labels.shape[:-1]) for side in ("moving", "fixed")}
    labels = {"moving_label": tf.constant(labels), "fixed_label": tf.constant(other)}
    return {**images, **labels, "indices": tf.constant([[0.0, 1.0], [1.0, 0.0]])}


def layer(size=SIZE, count=2, **settings):
    return RandomContrast(size, size, count, **settings)


@pytest.fixture
def nothing_blurs(monkeypatch):
    """Images whose voxels differ by their label and its spread alone."""
    still = {"NOISE": 0.0, "GAIN": 0.0, "GAMMA": 0.0, "CROPPED": 0.0, "SLICES": 0.0}
    still |= {"BLUR": (1e-3, 1e-3), "VARIATION": 0.0, "PERCENTILES": (0.0, 100.0)}
    for name, value in still.items():
        monkeypatch.setattr(painting, name, value)


# === Labels ===


def test_a_label_map_has_the_first_of_two_labels_and_0_for_none():
    labels, ids = blobs()
    np.testing.assert_array_equal(contrast.label_map(tf.constant(labels)), ids)
    both = np.array([[[[[0, 1, 1], [0, 0, 0], [0, 0, 1]]]]], np.float32)
    np.testing.assert_array_equal(contrast.label_map(tf.constant(both)), [[[[2, 0, 3]]]])


def test_the_nearest_label_against_a_loop():
    _, ids = blobs()
    draws = np.random.default_rng(1)
    points = draws.uniform(-3, np.array(SIZE) + 2, (2, *SIZE, 3)).astype(np.float32)
    expected = np.zeros((2, *SIZE), int)
    for index in np.ndindex(2, *SIZE):
        at = np.rint(points[index]).astype(int)
        if (at >= 0).all() and (at < SIZE).all():
            expected[index] = ids[(index[0], *at)]
    found = contrast.nearest(tf.constant(ids, tf.int32), tf.constant(points))
    np.testing.assert_array_equal(found, expected)
    assert 0.2 < (expected == 0).mean() < 0.9


def test_labels_come_out_binary_apart_and_the_structures_alone():
    tf.random.set_seed(0)
    out = layer(structures=3)(batch())
    for side in ("moving", "fixed"):
        labels = out[f"{side}_label"].numpy()
        assert labels.shape == (2, *SIZE, 3) and set(np.unique(labels)) == {0, 1}
        assert labels.sum(axis=-1).max() == 1
        assert out[f"{side}_image"].shape == (2, *SIZE)
    assert layer()(batch())["moving_label"].shape[-1] == 4
    np.testing.assert_array_equal(out["indices"], batch()["indices"])


def test_without_motion_labels_stay_and_images_have_their_shapes():
    inputs = batch()
    out = layer(**STILL, **ALIKE)(inputs)
    for side in ("moving", "fixed"):
        np.testing.assert_array_equal(out[f"{side}_label"], inputs[f"{side}_label"])


def test_what_both_do_together_keeps_a_pair_aligned_and_is_another_for_each_item():
    tf.random.set_seed(3)
    inputs = batch()
    for name in ("moving_label", "fixed_label"):
        inputs[name] = tf.repeat(inputs["moving_label"][:1], 2, axis=0)
    out = layer(**STILL, turn=20.0, move=3.0)(inputs)
    moving, fixed = out["moving_label"].numpy(), out["fixed_label"].numpy()
    np.testing.assert_array_equal(moving, fixed)
    assert (moving[0] != moving[1]).mean() > 0.02
    assert (moving[0] != inputs["moving_label"][0]).numpy().mean() > 0.02


def test_a_share_of_the_pairs_is_of_one_person():
    tf.random.set_seed(5)
    inputs = batch()
    seen = 0
    for _ in range(8):
        out = layer(**STILL, **ALIKE, same=0.5)(inputs)
        np.testing.assert_array_equal(out["moving_label"], inputs["moving_label"])
        for item in range(2):
            found = out["fixed_label"][item].numpy()
            of_one = np.array_equal(found, inputs["moving_label"][item])
            assert of_one or np.array_equal(found, inputs["fixed_label"][item])
            seen += of_one
    assert 3 <= seen <= 13


def test_mirroring_swaps_the_first_axis_of_both_in_half_of_the_pairs():
    tf.random.set_seed(4)
    labels = tf.constant(blobs()[0])
    inputs = {"moving_label": labels, "fixed_label": labels}
    mirrored = 0
    for _ in range(12):
        out = layer(**STILL, turn=0.0, move=0.0)(inputs)["moving_label"].numpy()
        for item in range(2):
            flipped = np.array_equal(out[item], labels[item, ::-1])
            assert flipped or np.array_equal(out[item], labels[item])
            mirrored += flipped
    assert 4 <= mirrored <= 20


# === Images ===


def test_paint_gives_each_label_what_was_drawn_and_leaks_nothing_into_its_neighbours():
    _, ids = blobs(batch=1)
    means = np.array([0.1, 0.9, 0.3, 0.02, 0.6], np.float32)
    spread = np.array([0.0, 0.1, 0.05, 0.2, 0.0], np.float32)
    texture = np.random.default_rng(2).normal(size=SIZE).astype(np.float32)
    expected = np.zeros(SIZE)
    for index in np.ndindex(*SIZE):
        label = ids[(0, *index)]
        expected[index] = max(0.0, float(means[label]) + float(spread[label]) * texture[index])
    labels = tf.constant(ids[0], tf.int32)
    painted = painting.paint(labels, means, spread, texture).numpy()
    np.testing.assert_allclose(painted, expected, atol=1e-6)
    other = means.copy()
    other[1] = 0.5
    changed = painting.paint(labels, other, spread, texture).numpy() != painted
    np.testing.assert_array_equal(changed, ids[0] == 1)


def test_an_image_of_the_layer_shows_its_own_labels(nothing_blurs):
    """Without what blurs, a label's voxels differ by its spread alone, and labels differ."""
    tf.random.set_seed(5)
    out = layer()(batch())
    for side in ("moving", "fixed"):
        for item in range(2):
            image = out[f"{side}_image"][item].numpy()
            labels = out[f"{side}_label"][item].numpy()
            values = [image[mask > 0] for mask in np.moveaxis(labels, -1, 0) if mask.any()]
            assert max(np.ptp(value) for value in values) < 1e-5
            assert np.std([value.mean() for value in values]) > 0.02


def test_images_are_finite_in_0_to_1_and_no_two_are_alike():
    tf.random.set_seed(6)
    images = []
    for _ in range(6):
        out = layer(structures=3)(batch())
        images += [
            out[f"{side}_image"][item].numpy() for side in ("moving", "fixed") for item in (0, 1)
        ]
    for image in images:
        assert np.isfinite(image).all() and image.min() >= 0 and image.max() <= 1
    for k, image in enumerate(images):
        assert all(np.abs(image - other).mean() > 1e-3 for other in images[:k])


def test_means_are_uniform_air_is_mostly_dark_and_surroundings_are_left_out_at_times():
    tf.random.set_seed(7)
    means = np.array([painting.random_means(6, 4).numpy() for _ in range(600)])
    assert means.shape == (600, 7) and means.max() <= 1
    structures = means[:, 1:5]
    assert structures.min() >= 0.02 and abs(structures.mean() - 0.51) < 0.02
    stripped = (means[:, 5:] == 0).all(axis=1)
    assert abs(stripped.mean() - painting.STRIPPED) < 0.06
    assert ((means[:, 5:] == 0).any(axis=1) == stripped).all()
    assert (means[stripped, 0] == 0).all()
    assert abs((means[~stripped, 0] == 0).mean() - painting.DARK) < 0.06
    assert np.abs(np.corrcoef(structures.T) - np.eye(4)).max() < 0.15


def test_scaled_clips_to_percentiles_and_a_constant_image_is_0():
    image = np.random.default_rng(3).gamma(2.0, size=(20, 24, 22)).astype(np.float32)
    low, high = np.percentile(image[::2, ::2, ::2], (1, 99))
    expected = np.clip((image - low) / (high - low), 0, 1)
    np.testing.assert_allclose(painting.scaled(tf.constant(image)), expected, atol=0.03)
    np.testing.assert_array_equal(painting.scaled(tf.ones((4, 5, 6))), np.zeros((4, 5, 6)))


def test_smooth_noise_has_a_standard_deviation_of_one_and_grains_of_its_spacing():
    tf.random.set_seed(8)
    draws = np.array([painting.smooth_noise((30, 25, 28), 5.0).numpy() for _ in range(30)])
    middle = draws[:, 8:-8, 8:-8, 8:-8]
    assert abs(middle.std() - 1) < 0.08 and abs(middle.mean()) < 0.1
    step = np.diff(middle, axis=1).std()
    assert 0.1 < step < 0.5  # white noise: 1.41


@pytest.mark.parametrize("length", [1.0, 1.7, 2.5])
def test_the_resolution_keeps_constants_and_blurs_as_wide_as_it_says(length, monkeypatch):
    monkeypatch.setattr(painting, "BLUR", (0.8, 0.8))
    matrix = painting._resolution(21, tf.constant(length)).numpy()
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-5)
    place = np.arange(21)
    middles = matrix @ place
    np.testing.assert_allclose(middles[6:-6], place[6:-6], atol=0.35 * length)
    spread = np.sqrt((matrix * (place[None] - middles[:, None]) ** 2).sum(axis=1))[6:-6]
    assert 0.75 * length < spread.mean() < 1.25 * length
    if length == 1:
        plain = np.exp(-0.5 * ((place[:, None] - place[None]) / 0.8) ** 2)
        np.testing.assert_allclose(matrix, plain / plain.sum(1, keepdims=True), atol=1e-5)


def test_a_cropped_field_of_view_is_0_in_planes_at_one_end_of_one_axis(monkeypatch):
    monkeypatch.setattr(painting, "CROPPED", 1.0)
    tf.random.set_seed(9)
    ends = set()
    for _ in range(40):
        shown = painting._field_of_view(SIZE).numpy()
        shown = np.broadcast_to(shown, SIZE)
        for axis in range(3):
            line = np.moveaxis(shown, axis, 0).reshape(SIZE[axis], -1)
            if line.mean() < 1 and (np.ptp(line, axis=1) == 0).all():
                assert line.mean() >= 1 - painting.CROP - 1 / SIZE[axis]
                assert (np.diff(line[:, 0]) != 0).sum() == 1
                ends.add((axis, line[0, 0]))
    assert len(ends) == 6


def test_so_many_pairs_have_one_contrast(nothing_blurs):
    tf.random.set_seed(10)
    inputs = batch()
    inputs["fixed_label"] = inputs["moving_label"]
    for alike, expected in ((0.0, 0), (1.0, 8)):
        found = 0
        for _ in range(4):
            out = layer(**STILL, **ALIKE, alike=alike)(inputs)
            gaps = np.abs(out["moving_image"] - out["fixed_image"]).max(axis=(1, 2, 3))
            found += int((gaps < 1e-4).sum())
        assert found == expected


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"turn": 31.0}, "rotation"),
        ({"scaling": 0.5}, "scaling"),
        ({"move": -1.0}, "shift"),
        ({"structures": 0}, "structures"),
        ({"alike": 1.5}, "alike"),
    ],
)
def test_settings_out_of_their_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        layer(**settings)


def test_two_sizes_or_no_labels_or_one_label_alone_are_refused():
    with pytest.raises(ValueError, match="one size"):
        RandomContrast(SIZE, (8, 8, 8), 1)
    inputs = batch()
    for bad in ({}, {"moving_label": inputs["moving_label"][..., 0]}):
        with pytest.raises(ValueError, match="labels-ddf"):
            layer()({"moving_image": inputs["moving_image"], **bad})
