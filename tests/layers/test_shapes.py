"""The random shapes: what a label map holds, that both images have one, and that all is drawn."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.ndimage import label as components

from mmzoo.layers.shapes import RandomShapes

SIZE = (32, 40, 28)


def draw(seed=0, count=5, batch=2, **settings):
    tf.random.set_seed(seed)
    empty = tf.zeros((batch, *SIZE, 3))
    inputs = {"moving_label": empty, "fixed_label": empty, "moving_image": empty[..., 0]}
    return RandomShapes(SIZE, SIZE, batch, count=count, **settings)(inputs)


def test_both_images_have_the_same_labels_apart_with_air_around_a_body():
    out = draw()
    labels = out["moving_label"].numpy()
    np.testing.assert_array_equal(labels, out["fixed_label"])
    np.testing.assert_array_equal(out["moving_image"], 0)
    assert labels.shape == (2, *SIZE, 5) and set(np.unique(labels)) == {0, 1}
    assert labels.sum(axis=-1).max() == 1
    for item in labels:
        body = item.any(axis=-1)
        assert body[16, 20, 14] and not body[0, 0, 0] and not body[-1, -1, -1]
        assert 0.1 < body.mean() < 0.8
        assert (item.any(axis=(0, 1, 2))).sum() >= 4


def test_items_and_calls_differ_and_a_seed_repeats_them():
    one, other, again = draw(1), draw(2), draw(1)
    first = one["moving_label"].numpy()
    assert (first[0] != first[1]).mean() > 0.05
    assert (first != other["moving_label"]).numpy().mean() > 0.05
    np.testing.assert_array_equal(first, again["moving_label"])


def test_a_coarser_grain_has_fewer_pieces():
    pieces = []
    for coarse, fine in ((20.0, 20.0), (5.0, 5.0)):
        labels = draw(3, batch=1, coarse=coarse, fine=fine)["moving_label"][0].numpy()
        pieces.append(sum(components(labels[..., k])[1] for k in range(5)))
    assert 2 * pieces[0] < pieces[1]


def test_wrong_settings_are_refused():
    with pytest.raises(ValueError, match="count"):
        RandomShapes(SIZE, SIZE, 1, count=0)
    with pytest.raises(ValueError, match="one size"):
        RandomShapes(SIZE, (8, 8, 8), 1)
