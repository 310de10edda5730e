"""`nmi` and `mi` against float64 loops written from the equations, and what they claim."""

import numpy as np
import pytest
import tensorflow as tf

from mmzoo.losses import MI, NMI, mi, nmi

WIDE = {"num_bins": 6, "sigma": 0.1}  # a sigma at which every voxel counts well
NARROW = [(nmi, {"num_bins": 9, "sigma": 0.03}), (mi, {"num_bins": 8, "sigma_ratio": 0.2})]
LOSSES = [(nmi, WIDE), (mi, {"num_bins": 6, "sigma_ratio": 0.5}), *NARROW]


def histogram_loop(a, b, mask, num_bins, sigma, share):
    """p(k, l) = sum_x m(x) W_k(a(x)) W_l(b(x)) / sum_x m(x), voxel by voxel."""
    centres = [k / (num_bins - 1) for k in range(num_bins)]

    def window(value):
        value = min(max(value, 0.0), 1.0)
        weights = [np.exp(-((value - c) ** 2) / (2 * sigma**2)) for c in centres]
        return np.array(weights) / (sum(weights) if share else 1.0)

    joint, total = np.zeros((num_bins, num_bins)), 0.0
    for x in np.ndindex(*a.shape):
        joint += mask[x] * np.outer(window(a[x]), window(b[x]))
        total += mask[x]
    return joint / total


def entropy_loop(p):
    return -sum(value * np.log(value) for value in p.ravel() if value > 0)


def loss_loop(loss, settings, a, b, mask):
    share = loss is mi
    bins = settings["num_bins"]
    sigma = settings["sigma_ratio"] / (bins - 1) if share else settings["sigma"]
    joint = histogram_loop(a, b, mask, bins, sigma, share)
    joint /= joint.sum()
    marginals = entropy_loop(joint.sum(1)) + entropy_loop(joint.sum(0))
    information = marginals - entropy_loop(joint)
    return -information if share else -information / marginals


def volumes(shape=(2, 5, 3, 7), seed=0):
    rng = np.random.default_rng(seed)
    first = rng.uniform(0.02, 0.98, shape)
    return first, np.clip(1 - first**2 + rng.normal(0, 0.1, shape), 0.02, 0.98)


def value_of(loss, settings, *tensors):
    return loss(*(tf.constant(tensor) for tensor in tensors), **settings).numpy()


@pytest.mark.parametrize(("loss", "settings"), LOSSES)
@pytest.mark.parametrize("shape", [(1, 4, 4, 4), (3, 5, 3, 7), (2, 9, 4, 2, 1)])
def test_value_agrees_with_loops(loss, settings, shape):
    a, b = volumes(shape)
    expected = [
        loss_loop(loss, settings, *pair, np.ones_like(pair[0])) for pair in zip(a, b, strict=True)
    ]
    np.testing.assert_allclose(value_of(loss, settings, a, b), expected, rtol=1e-9)


def test_the_printed_setting_agrees_with_loops():
    a, b = volumes((1, 8, 9, 7))
    settings = {"num_bins": 64, "sigma": 0.003}
    expected = loss_loop(nmi, settings, a[0], b[0], np.ones_like(a[0]))
    np.testing.assert_allclose(nmi(tf.constant(a), tf.constant(b)), [expected], rtol=1e-8)


@pytest.mark.parametrize(("loss", "settings"), LOSSES)
def test_more_voxels_than_are_taken_at_once_agree_with_loops(loss, settings, monkeypatch):
    monkeypatch.setattr("mmzoo.ops.histogram.VOXELS_AT_ONCE", 16)
    a, b = volumes((2, 5, 3, 7))
    settings = {**settings, "num_bins": 7}  # compiled anew
    expected = [
        loss_loop(loss, settings, *pair, np.ones_like(pair[0])) for pair in zip(a, b, strict=True)
    ]
    np.testing.assert_allclose(value_of(loss, settings, a, b), expected, rtol=1e-9)


def test_as_many_voxels_as_a_gpu_takes_at_once_give_the_same(monkeypatch):
    a, b = map(tf.constant, volumes((2, 9, 8, 7)))
    expected = value_of(nmi, {"num_bins": 9, "sigma": 0.1}, a, b)
    monkeypatch.setattr("mmzoo.ops.histogram.on_gpu", lambda: True)
    found = value_of(nmi, {"num_bins": 9, "sigma": 0.1}, a, b)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize(("loss", "settings"), LOSSES)
def test_a_mask_drops_and_weighs_voxels(loss, settings):
    a, b = volumes((1, 6, 5, 4))
    mask = np.zeros_like(a)
    mask[:, :4] = 1.0
    cut = value_of(loss, settings, a[:, :4], b[:, :4])
    np.testing.assert_allclose(value_of(loss, settings, a, b, mask), cut, rtol=1e-9)
    weight = np.random.default_rng(1).uniform(size=a.shape)
    expected = loss_loop(loss, settings, a[0], b[0], weight[0])
    np.testing.assert_allclose(value_of(loss, settings, a, b, weight), [expected], rtol=1e-9)


@pytest.mark.parametrize(("loss", "settings"), LOSSES)
def test_voxels_outside_the_mask_have_no_gradient(loss, settings):
    a, b = (tf.Variable(volume) for volume in volumes((1, 6, 5, 4)))
    mask = np.zeros(a.shape)
    mask[:, :4] = 1.0
    with tf.GradientTape() as tape:
        value = loss(a, b, tf.constant(mask), **settings)
    gradient = tape.gradient(value, b).numpy()
    assert np.abs(gradient[:, :4]).max() > 0
    assert not gradient[:, 4:].any()


@pytest.mark.parametrize(("loss", "settings"), LOSSES)
def test_swapping_and_permuting_change_nothing(loss, settings):
    a, b = volumes((1, 4, 5, 6))
    value = value_of(loss, settings, a, b)
    np.testing.assert_allclose(value_of(loss, settings, b, a), value, rtol=1e-9)
    order = np.random.default_rng(2).permutation(a.size)
    shuffled = [volume.ravel()[order].reshape(a.shape) for volume in (a, b)]
    np.testing.assert_allclose(value_of(loss, settings, *shuffled), value, rtol=1e-9)


def test_intensities_on_the_bins_give_the_histogram_s_own_information():
    levels = np.array([0.0, 0.2, 0.4, 1.0])[np.random.default_rng(3).integers(0, 4, (1, 9, 8, 7))]
    renamed = 1 - levels  # one to one, and on the bins again
    narrow = {"num_bins": 6, "sigma": 0.01}
    np.testing.assert_allclose(value_of(nmi, narrow, levels, renamed), -0.5, rtol=1e-9)
    _, counts = np.unique(levels, return_counts=True)
    entropy = entropy_loop(counts / counts.sum())
    sharp = {"num_bins": 6, "sigma_ratio": 0.05}
    np.testing.assert_allclose(value_of(mi, sharp, levels, renamed), -entropy, rtol=1e-9)


@pytest.mark.parametrize(("loss", "settings"), LOSSES)
def test_independent_images_tell_nothing_and_aligned_ones_much(loss, settings):
    a, b = volumes((1, 24, 24, 24))
    other = np.random.default_rng(4).uniform(size=a.shape)
    assert value_of(loss, settings, a, other) > 0.05 * value_of(loss, settings, a, b)
    assert value_of(loss, settings, a, b) < 0


@pytest.mark.parametrize(("loss", "settings"), [*LOSSES, (nmi, {}), (mi, {})])
@pytest.mark.parametrize("constant", [0.0, 0.4921, 1.0])
def test_a_constant_image_gives_zero_and_a_finite_gradient(loss, settings, constant):
    a = tf.Variable(tf.fill((1, 4, 5, 3), constant))
    for b in (tf.Variable(volumes((1, 4, 5, 3))[0].astype(np.float32)), a):
        with tf.GradientTape(persistent=True) as tape:
            value = loss(a, b, **settings)
        np.testing.assert_allclose(value, [0.0], atol=1e-5)
        for volume in (a, b):
            assert np.isfinite(tape.gradient(value, volume)).all()


@pytest.mark.parametrize(("loss", "settings"), LOSSES)
def test_intensities_outside_the_range_are_clipped_and_have_no_gradient(loss, settings):
    a, b = volumes((1, 4, 5, 3))
    b[0, 0, 0, 0] = 1.0
    value = value_of(loss, settings, a, b)
    b[0, 0, 0, 0] = 1.7
    variable = tf.Variable(b)
    with tf.GradientTape() as tape:
        outside = loss(tf.constant(a), variable, **settings)
    np.testing.assert_allclose(outside, value, rtol=1e-12)
    assert tape.gradient(outside, variable).numpy()[0, 0, 0, 0] == 0


@pytest.mark.parametrize(("loss", "settings"), LOSSES)
def test_float32_agrees_with_float64(loss, settings):
    a, b = volumes((2, 20, 18, 16))
    single = value_of(loss, settings, a.astype(np.float32), b.astype(np.float32))
    np.testing.assert_allclose(single, value_of(loss, settings, a, b), rtol=1e-4)


@pytest.mark.parametrize(
    ("loss", "settings", "message"),
    [
        (nmi, {"num_bins": 1}, "`num_bins` must be a whole number of at least 2, got 1"),
        (mi, {"num_bins": 2.5}, "`num_bins` must be a whole number"),
        (nmi, {"sigma": 0}, "`sigma` must be a number above 0"),
        (mi, {"sigma_ratio": -1}, "`sigma_ratio` must be a number above 0"),
    ],
)
def test_settings_out_of_range_are_named(loss, settings, message):
    with pytest.raises(ValueError, match=message):
        value_of(loss, settings, *volumes())
    with pytest.raises(ValueError, match=message):
        (NMI if loss is nmi else MI)(**settings)


def test_a_mask_that_does_not_fit_is_named():
    volume = tf.zeros((1, 4, 4, 4))
    with pytest.raises(ValueError, match="mask"):
        nmi(volume, volume, tf.zeros((1, 4, 4, 5)))
