"""Warping for a field: the zoo's warp, and its gradient, found in one pass."""

import numpy as np
import tensorflow as tf

from mmzoo.ops.slope import warp_for_field
from mmzoo.ops.warp import warp


def volumes():
    rng = np.random.default_rng(0)
    volume = tf.constant(rng.uniform(size=(1, 9, 8, 11, 2)), tf.float32)
    ddf = tf.constant(rng.normal(0, 2, size=(1, 5, 6, 4, 3)), tf.float32)
    return volume, ddf, tf.constant([2.0, 1.0, 3.0])


def test_value_is_the_warp_s_at_an_offset():
    volume, ddf, offset = volumes()
    found = warp_for_field(volume, ddf, offset)
    np.testing.assert_allclose(found, warp(volume, ddf + offset), atol=1e-5)


def test_gradient_is_the_warp_s_of_the_first_channel():
    volume, ddf, offset = volumes()
    weight = tf.constant(np.random.default_rng(1).normal(size=(1, 5, 6, 4)), tf.float32)

    def slope(function):
        with tf.GradientTape() as tape:
            tape.watch(ddf)
            value = tf.reduce_sum(weight * function(ddf)[..., 0])
        return tape.gradient(value, ddf)

    found = slope(lambda d: warp_for_field(volume, d, offset))
    np.testing.assert_allclose(found, slope(lambda d: warp(volume, d + offset)), atol=1e-5)
    assert np.count_nonzero(found)
