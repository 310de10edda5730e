"""SEGI against float64 loops written from Eq. 4-8, and what its docstring claims."""

import numpy as np
import pytest
import tensorflow as tf

from mmzoo.losses import SEGI, segi
from mmzoo.losses.segi_features import segi_features
from mmzoo.ops.finite_difference import backward_gradient

EPS = 1e-5
ORDERS = ("normalise-then-smooth", "smooth-then-normalise")


def smooth_loop(field, sigma, spacing=(1, 1, 1)):
    """Gaussian sum over p of N(p | x, sigma^2) field(p), one axis after the other."""
    for axis, length in enumerate(spacing if sigma else ()):
        tail = int(3 * sigma / length)
        taps = {t: np.exp(-0.5 * (t * length / sigma) ** 2) for t in range(-tail, tail + 1)}
        total = sum(taps.values())
        out = np.zeros_like(field)
        for x in np.ndindex(*field.shape[:3]):
            for t, weight in taps.items():
                p = list(x)
                p[axis] += t
                if 0 <= p[axis] < field.shape[axis]:
                    out[x] += weight / total * field[tuple(p)]
        field = out
    return field


def segi_loop(a, b, sigmas, order, absolute, spacing=(1, 1, 1)):
    """Eq. 4-8 for two volumes (d1, d2, d3), voxel by voxel."""

    def gradient(v):
        g = np.zeros((*(n - 1 for n in v.shape), 3))
        edge = (spacing[0] * spacing[1] * spacing[2]) ** (1 / 3)
        for x in np.ndindex(*g.shape[:3]):
            i, j, k = (n + 1 for n in x)
            here = v[i, j, k]
            steps = here - v[i - 1, j, k], here - v[i, j - 1, k], here - v[i, j, k - 1]
            g[x] = [step * edge / length for step, length in zip(steps, spacing, strict=True)]
        return g

    def unit(g):
        return g / np.sqrt((g**2).sum(-1, keepdims=True) + EPS)

    ga, gb = gradient(a), gradient(b)
    if order == ORDERS[0]:
        ga, gb = unit(ga), unit(gb)
    total = 0.0
    for sigma in sigmas:
        sa, sb = (unit(smooth_loop(g, sigma, spacing)) for g in (ga, gb))
        cosine = (sa * sb).sum(-1)
        total -= (np.abs(cosine) if absolute else cosine).mean()
    return total / len(sigmas)


def volumes(shape=(2, 7, 5, 6), seed=0):
    rng = np.random.default_rng(seed)
    return [rng.uniform(size=shape) for _ in range(2)]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("absolute", [True, False])
@pytest.mark.parametrize("sigmas", [(1.0, 1.5, 3.0), (0.7,)])
def test_value_agrees_with_the_loop(order, absolute, sigmas):
    a, b = volumes()
    expected = [segi_loop(x, y, sigmas, order, absolute) for x, y in zip(a, b, strict=True)]
    ours = segi(tf.constant(a), tf.constant(b), sigmas=sigmas, order=order, absolute=absolute)
    np.testing.assert_allclose(ours, expected, atol=1e-9)
    single = segi(*(tf.constant(v, tf.float32) for v in (a, b)), sigmas=sigmas, order=order,
                  absolute=absolute)  # fmt: skip
    np.testing.assert_allclose(single, expected, atol=1e-5)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("spacing", [(1.0, 1.5, 3.0), (4.0, 0.5, 1.0)])
def test_value_agrees_with_the_loop_at_voxels_longer_along_one_axis(order, spacing):
    a, b = volumes()
    sigmas = (1.0, 1.5)
    expected = [segi_loop(x, y, sigmas, order, True, spacing) for x, y in zip(a, b, strict=True)]
    ours = segi(tf.constant(a), tf.constant(b), sigmas=sigmas, order=order, spacing=spacing)
    np.testing.assert_allclose(ours, expected, atol=1e-9)


def test_spacing_of_cubes_divides_the_sigmas_and_nothing_else():
    a, b = (tf.constant(v, tf.float32) for v in volumes())
    halved = segi(a, b, sigmas=(0.5, 0.75, 1.5))
    np.testing.assert_array_equal(segi(a, b, sigmas=(1.0, 1.5, 3.0), spacing=2), halved)
    np.testing.assert_array_equal(segi(a, b, spacing=(1, 1, 1)), segi(a, b))


def test_spacing_makes_directions_physical():
    x = np.stack(np.meshgrid(*[np.arange(8.0)] * 3, indexing="ij"), -1)
    spacing = np.array([1.0, 2.0, 4.0])
    one, other = (tf.constant(10 * (x * spacing) @ d)[None] for d in ([1.0, 1, 0], [0, 1.0, 1]))
    cosine = -segi(one, other, sigmas=[0], spacing=spacing)  # 1/2 in lengths, 2/5 in voxels
    np.testing.assert_allclose(cosine, 0.5, atol=1e-5)


def test_sigma_zero_is_plain_normalised_gradient_information():
    a, b = (30 * v for v in volumes())  # far above eps
    expected = [segi_loop(x, y, (0,), ORDERS[1], True) for x, y in zip(a, b, strict=True)]
    a, b = tf.constant(a), tf.constant(b)
    plain = segi(a, b, sigmas=(0,), order=ORDERS[1])
    np.testing.assert_allclose(plain, expected, atol=1e-9)
    np.testing.assert_allclose(segi(a, b, sigmas=(0,), order=ORDERS[0]), plain, atol=2 * EPS)


@pytest.mark.parametrize("order", ORDERS)
def test_an_image_is_most_like_itself_also_inverted_shifted_and_scaled(order):
    a = 30 * volumes((1, 12, 12, 12))[0]  # far above eps
    a = tf.constant(a)
    same = float(segi(a, a, order=order)[0])
    assert -1 < same < -0.9
    for other in (1 - a, 0.5 * a + 0.3, -2 * a):
        assert float(segi(a, other, order=order)[0]) == pytest.approx(same, abs=0.02)
    assert float(segi(a, other[:, ::-1], order=order)[0]) > same + 0.2
    assert float(segi(a, 1 - a, order=order, absolute=False)[0]) == pytest.approx(-same)


def test_moving_the_answer_away_makes_it_worse():
    x = np.stack(np.meshgrid(*[np.linspace(-1, 1, 16)] * 3, indexing="ij"), -1)
    ball = tf.constant(1 / (1 + np.exp(20 * ((x**2).sum(-1) - 0.3))))[None]
    losses = [float(segi(ball, 1 - tf.roll(ball, shift, axis=2))[0]) for shift in (0, 1, 2, 4)]
    assert losses == sorted(losses) and losses[1] - losses[0] > 0.005


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"order": "smooth-then-normalize"}, "did you mean 'smooth-then-normalise'"),
        ({"sigmas": []}, "at least one"),
        ({"sigmas": [1, -1]}, "`sigmas` must be a number at least 0, got -1"),
        ({"eps": -1}, "`eps` must be a number above 0, got -1"),
        ({"spacing": [1, 1, 0]}, r"`spacing` must be finite and above 0, got \[1, 1, 0\]"),
        ({"spacing": float("nan")}, "`spacing` must be finite and above 0, got nan"),
        ({"spacing": [1, 2]}, r"`spacing` must be a number or three, got \[1, 2\]"),
        ({"spacing": "two"}, "`spacing` must be a number or three, got 'two'"),
    ],
)
def test_wrong_settings_are_named_when_the_loss_is_made(settings, message):
    with pytest.raises(ValueError, match=message):
        SEGI(**settings)


def test_a_plane_is_refused():
    with pytest.raises(ValueError, match="at least 2 voxels an axis"):
        segi(tf.zeros((1, 4, 1, 4)), tf.zeros((1, 4, 1, 4)))


@pytest.mark.parametrize("scale", [1.0, 0.1])
def test_a_relative_eps_makes_features_independent_of_contrast(scale):
    volume = tf.random.stateless_uniform((2, 7, 9, 6), (1, 2))
    settings = ([1.0, 2.0], "smooth-then-normalise", 0.1, (1.0, 1.0, 1.0), True)
    features, scaled = segi_features(volume, *settings), segi_features(scale * volume, *settings)
    for plain, weak in zip(features, scaled, strict=True):
        np.testing.assert_allclose(weak, plain, atol=2e-3)


def test_a_relative_eps_is_a_share_of_the_squared_mean_length():
    volume = tf.random.stateless_uniform((1, 6, 5, 7), (3, 4))
    raw = backward_gradient(volume).numpy()[0]
    lengths = np.linalg.norm(raw, axis=0)
    expected = raw / np.sqrt(lengths**2 + 0.5 * lengths.mean() ** 2)
    found = segi_features(volume, [0.0], "smooth-then-normalise", 0.5, (1.0, 1.0, 1.0), True)
    np.testing.assert_allclose(found[0][0], expected, rtol=1e-4, atol=1e-6)
