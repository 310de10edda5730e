"""`ncc` against NumPy's correlation coefficient, and what its docstring claims."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from mmzoo.losses import NCC, ncc


def volumes(shape=(2, 5, 3, 7), seed=0):
    rng = np.random.default_rng(seed)
    first = rng.uniform(size=shape)
    return first, first + rng.normal(0, 0.3, shape)


def ncc_loop(a, b, mask, eps=1e-8):
    """-cov / sqrt((var + eps) (var + eps)), voxel by voxel."""
    total = sum(mask[x] for x in np.ndindex(*a.shape))

    def mean(value):
        return sum(mask[x] * value(x) for x in np.ndindex(*a.shape)) / total

    mean_a, mean_b = mean(lambda x: a[x]), mean(lambda x: b[x])
    cov = mean(lambda x: (a[x] - mean_a) * (b[x] - mean_b))
    var_a, var_b = mean(lambda x: (a[x] - mean_a) ** 2), mean(lambda x: (b[x] - mean_b) ** 2)
    return -cov / np.sqrt((var_a + eps) * (var_b + eps))


@pytest.mark.parametrize("shape", [(1, 4, 4, 4), (3, 5, 3, 7), (2, 9, 4, 2, 1)])
def test_value_agrees_with_loops_and_numpy(shape):
    a, b = volumes(shape)
    expected = [ncc_loop(x, y, np.ones_like(x)) for x, y in zip(a, b, strict=True)]
    value = ncc(tf.constant(a), tf.constant(b))
    np.testing.assert_allclose(value, expected, rtol=1e-10)
    numpy = [-np.corrcoef(x.ravel(), y.ravel())[0, 1] for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(value, numpy, rtol=1e-5)


def test_a_mask_drops_and_weighs_voxels():
    a, b = volumes((1, 6, 5, 4))
    weight = np.random.default_rng(1).uniform(size=a.shape)
    value = ncc(tf.constant(a), tf.constant(b), tf.constant(weight))
    np.testing.assert_allclose(value, [ncc_loop(a[0], b[0], weight[0])], rtol=1e-10)
    weight[:, 4:] = 0
    cut = ncc(*(tf.constant(v[:, :4]) for v in (a, b, weight)))
    np.testing.assert_allclose(ncc(*map(tf.constant, (a, b, weight))), cut, rtol=1e-10)


def test_gradient_agrees_with_finite_differences():
    given = [tf.Variable(volume) for volume in volumes((2, 3, 4, 2))]
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(ncc(*given) * tf.constant([1.0, 2.0], tf.float64))
    for which, gradient in enumerate(tape.gradient(total, given)):
        for x in [(0, 0, 0, 0), (0, 2, 3, 1), (1, 1, 2, 0)]:
            sides = []
            for step in (1e-6, -1e-6):
                moved = [volume.numpy() for volume in given]
                moved[which][x] += step
                sides.append(ncc(*map(tf.constant, moved)).numpy() @ [1.0, 2.0])
            difference = (sides[0] - sides[1]) / 2e-6
            np.testing.assert_allclose(gradient.numpy()[x], difference, rtol=1e-5, atol=1e-9)


def test_is_signed_symmetric_and_blind_to_scale_and_shift():
    a, b = (tf.constant(volume) for volume in volumes())
    np.testing.assert_allclose(ncc(a, -b), -ncc(a, b), rtol=1e-10)
    np.testing.assert_allclose(ncc(b, a), ncc(a, b), rtol=1e-10)
    np.testing.assert_allclose(ncc(a, 3 * b + 7), ncc(a, b), rtol=1e-5)
    np.testing.assert_allclose(ncc(a, a), -1, rtol=1e-5)


def test_each_volume_of_a_batch_stands_alone():
    a, b = (tf.constant(volume) for volume in volumes())
    np.testing.assert_allclose(ncc(a, b)[1:], ncc(a[1:], b[1:]), rtol=1e-10)


@pytest.mark.parametrize("mask", [None, 0.0])
def test_constant_volumes_and_an_empty_mask_give_zero_and_a_finite_gradient(mask):
    constant = tf.Variable(tf.fill((1, 4, 5, 3), 0.3))
    other = tf.Variable(tf.random.uniform((1, 4, 5, 3)))
    mask = mask if mask is None else tf.fill((1, 4, 5, 3), mask)
    with tf.GradientTape(persistent=True) as tape:
        value = ncc(constant, other, mask)
    np.testing.assert_allclose(value, [0], atol=1e-4)
    for volume in (constant, other):
        assert np.isfinite(tape.gradient(value, volume)).all()


def test_nan_is_not_hidden():
    a, b = volumes()
    a[1, 2, 2, 2] = np.nan
    value = ncc(tf.constant(a), tf.constant(b)).numpy()
    assert np.isfinite(value[0]) and np.isnan(value[1])


def test_the_class_gives_the_function_s_value_and_can_be_made_anew():
    a, b = (tf.constant(volume) for volume in volumes())
    made = keras.losses.deserialize(keras.losses.serialize(NCC(eps=1e-3)))
    np.testing.assert_allclose(made.call(a, b), ncc(a, b, eps=1e-3))


def test_wrong_input_is_named():
    with pytest.raises(ValueError, match="`eps` must be a number above 0"):
        NCC(eps=0)
    with pytest.raises(ValueError, match="warped"):
        ncc(tf.zeros((1, 4, 4, 4)), tf.zeros((1, 4, 4, 5)))
