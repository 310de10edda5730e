"""Cycle consistency against Eq. 9."""

import numpy as np
import pytest
import tensorflow as tf

from mmzoo.losses import CycleConsistency, cycle_consistency


def test_agrees_with_the_loop_in_value_and_gradient():
    rng = np.random.default_rng(0)
    original, restored = rng.uniform(size=(2, 2, 3, 5, 4))
    expected = [
        sum(abs(r[x] - o[x]) for x in np.ndindex(*o.shape)) / o.size
        for o, r in zip(original, restored, strict=True)
    ]
    tensor = tf.constant(restored)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        value = cycle_consistency(tf.constant(original), tensor)
    np.testing.assert_allclose(value, expected)
    np.testing.assert_allclose(tape.gradient(value, tensor), np.sign(restored - original) / 60)


def test_class_averages_over_the_batch_and_shapes_are_checked():
    a, b = tf.zeros((2, 3, 3, 3)), tf.concat([tf.ones((1, 3, 3, 3)), tf.zeros((1, 3, 3, 3))], 0)
    assert float(CycleConsistency()(a, b)) == 0.5
    with pytest.raises(ValueError, match="`original` and `restored` must have the same shape"):
        cycle_consistency(a, b[:, :2])
