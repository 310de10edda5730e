"""`local_gradient` against float64 loops written from Eq. 1-3, and what its docstring claims."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from mmzoo.losses import LocalGradient, local_gradient


def loop(a, b, window=7, absolute=True, eps=1.0):
    """Eq. 1-3 for two volumes (d1, d2, d3), voxel by voxel."""
    reach = window // 2

    def difference(v, x, axis):
        before = list(x)
        before[axis] -= 1
        return v[x] - v[tuple(before)]

    def normal(v, x):
        total = np.zeros(3)
        for offset in itertools.product(range(-reach, reach + 1), repeat=3):
            p = tuple(i + o for i, o in zip(x, offset, strict=True))
            if all(1 <= i < n for i, n in zip(p, v.shape, strict=True)):
                total += [difference(v, p, axis) for axis in range(3)]
        return total / np.sqrt((total**2).sum() + eps)

    voxels = list(itertools.product(*(range(1, n) for n in a.shape)))
    cosines = [normal(a, x) @ normal(b, x) for x in voxels]
    return -np.mean(np.abs(cosines) if absolute else cosines)


def volumes(shape=(2, 6, 4, 5), seed=0):
    rng = np.random.default_rng(seed)
    return [rng.uniform(-1, 1, shape) for _ in range(2)]


@pytest.mark.parametrize(
    ("window", "absolute"), [(1, False), (3, True), (5, False), (7, True), (9, False)]
)
def test_value_agrees_with_the_loop(window, absolute):
    a, b = volumes((2, 6, 4, 5) if window < 7 else (1, 5, 4, 6))
    settings = {"window": window, "absolute": absolute, "eps": 0.3}
    expected = [loop(x, y, **settings) for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(
        local_gradient(tf.constant(a), tf.constant(b), **settings), expected, atol=1e-12
    )


def test_single_precision_suffices():
    a, b = volumes((2, 12, 9, 10))
    single = local_gradient(*(tf.constant(v, tf.float32) for v in (a, b)))
    double = local_gradient(tf.constant(a), tf.constant(b))
    np.testing.assert_allclose(single, double, atol=1e-6)


def test_an_image_is_most_like_itself_also_inverted_shifted_and_scaled():
    a = tf.constant(100 * volumes((1, 9, 12, 10))[0])  # far above eps
    same = float(local_gradient(a, a)[0])
    assert -1 <= same < -0.98
    for other in (-a, a + 3, 0.5 * a, -2 * a - 1):
        assert float(local_gradient(a, other)[0]) == pytest.approx(same, abs=0.01)
    assert float(local_gradient(a, a[:, ::-1])[0]) > same + 0.2
    assert float(local_gradient(a, -a, absolute=False)[0]) == pytest.approx(-same)


def test_moving_the_answer_away_makes_it_worse():
    x = np.stack(np.meshgrid(*[np.linspace(-1, 1, n) for n in (16, 20, 18)], indexing="ij"), -1)
    ball = tf.constant(2 / (1 + np.exp(20 * ((x**2).sum(-1) - 0.3))) - 1)[None]
    losses = [float(local_gradient(ball, -tf.roll(ball, shift, axis=2))[0]) for shift in range(4)]
    assert losses == sorted(losses) and losses[1] - losses[0] > 0.005


def test_noise_counts_less_the_wider_the_window():
    rng = np.random.default_rng(2)
    ramp = np.linspace(-5, 5, 16)[None, :, None, None] * np.ones((1, 16, 16, 16))
    noisy = [tf.constant(ramp + rng.normal(0, 0.5, ramp.shape)) for _ in range(2)]
    losses = [float(local_gradient(*noisy, window=n, eps=1e-3)[0]) for n in (1, 3, 5, 7)]
    assert losses == sorted(losses, reverse=True) and losses[-1] < -0.95


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"window": 4}, "`window` must be an odd whole number of voxels, got 4"),
        ({"window": -3}, "`window` must be an odd"),
        ({"window": 3.0}, r"`window` must be an odd .* got 3\.0"),
        ({"eps": 0}, "`eps` must be a number above 0, got 0"),
    ],
)
def test_wrong_settings_are_named_when_the_loss_is_made(settings, message):
    with pytest.raises(ValueError, match=message):
        LocalGradient(**settings)


def test_a_plane_is_refused():
    with pytest.raises(ValueError, match="at least 2 voxels an axis"):
        local_gradient(tf.zeros((1, 4, 1, 4)), tf.zeros((1, 4, 1, 4)))
