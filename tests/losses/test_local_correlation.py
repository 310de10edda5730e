"""`local_correlation` against NumPy's correlation in each window, and what its docstring claims."""

import numpy as np
import pytest
import tensorflow as tf

from mmzoo.losses import LocalCorrelation, local_correlation


def loop(a, b, window=7, eps=1e-5):
    """Squared correlation of the windows of two volumes (d1, d2, d3), cut at the border."""
    reach, total = window // 2, 0.0
    for x in np.ndindex(*a.shape):
        here = tuple(slice(max(i - reach, 0), i + reach + 1) for i in x)
        p, q = a[here] - a[here].mean(), b[here] - b[here].mean()
        total += (p * q).sum() ** 2 / ((p**2).sum() * (q**2).sum() + eps)
    return -total / a.size


def volumes(shape=(2, 6, 9, 5), seed=0):
    rng = np.random.default_rng(seed)
    first = rng.uniform(-1, 1, shape)
    return first, first**2 + rng.normal(0, 0.3, shape)


@pytest.mark.parametrize("window", [3, 5, 7, 9])
def test_value_agrees_with_the_loop(window):
    a, b = volumes()
    expected = [loop(x, y, window) for x, y in zip(a, b, strict=True)]
    ours = local_correlation(tf.constant(a), tf.constant(b), window=window)
    np.testing.assert_allclose(ours, expected, atol=1e-12)


def test_is_blind_to_scale_sign_and_shift_and_to_a_gain_that_varies_slowly():
    a, b = (tf.constant(v) for v in volumes())
    value = local_correlation(a, b)
    for other in (-b, 3 * b + 7, 1 - 2 * b):
        np.testing.assert_allclose(local_correlation(a, other), value, rtol=1e-5)
    np.testing.assert_allclose(local_correlation(a, 5 - 3 * a), -1, atol=1e-5)
    gain = np.linspace(1, 2, 6)[None, :, None, None]
    assert (local_correlation(a, gain * a, window=3) < -0.99).numpy().all()


def test_moving_the_answer_away_makes_it_worse():
    a = tf.constant(volumes((1, 10, 12, 11))[0])
    losses = [float(local_correlation(a, 1 - tf.roll(a, shift, axis=3))[0]) for shift in (0, 1)]
    assert losses[0] < -0.999 and losses[1] > -0.2


def test_single_precision_suffices_also_far_from_zero():
    a, b = volumes()
    single = local_correlation(tf.constant(a + 100, tf.float32), tf.constant(b, tf.float32))
    double = local_correlation(tf.constant(a), tf.constant(b))
    np.testing.assert_allclose(single, double, atol=1e-3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"window": 6}, "`window` must be an odd whole number of voxels, got 6"),
        ({"window": 1}, "`window` must be at least 3"),
        ({"eps": -1.0}, "`eps` must be a number above 0"),
    ],
)
def test_wrong_settings_are_named_when_the_loss_is_made(settings, message):
    with pytest.raises(ValueError, match=message):
        LocalCorrelation(**settings)
