"""`ncc` against NumPy's correlation coefficient, and what its docstring claims."""

import numpy as np
import pytest
import tensorflow as tf

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


def test_is_signed_symmetric_and_blind_to_scale_and_shift():
    a, b = (tf.constant(volume) for volume in volumes())
    np.testing.assert_allclose(ncc(a, -b), -ncc(a, b), rtol=1e-10)
    np.testing.assert_allclose(ncc(b, a), ncc(a, b), rtol=1e-10)
    np.testing.assert_allclose(ncc(a, 3 * b + 7), ncc(a, b), rtol=1e-5)
    np.testing.assert_allclose(ncc(a, a), -1, rtol=1e-5)


def test_wrong_input_is_named():
    with pytest.raises(ValueError, match="`eps` must be a number above 0"):
        NCC(eps=0)
    with pytest.raises(ValueError, match="warped"):
        ncc(tf.zeros((1, 4, 4, 4)), tf.zeros((1, 4, 4, 5)))
