"""`mind_ssc` against a NumPy loop, ConvexAdam's own values, and what its docstring claims."""

import numpy as np
import pytest
import tensorflow as tf

from mmzoo.losses import MINDSSC, mind_ssc
from mmzoo.losses.mind_ssc import in_voxels, mind_ssc_distance, mind_ssc_features
from mmzoo.ops.self_similarity import descriptors as of_networks


def descriptors(image, mean=None, steps=(2, 2, 2), reach=(1, 1, 1)):
    """The 12 descriptors of a volume (d1, d2, d3), voxel by voxel, and the mean variance."""
    beyond = np.add(steps, reach)
    wide = np.pad(image, [(n, n) for n in beyond], mode="edge")
    sides = [sign * np.diag(steps)[axis] for axis in range(3) for sign in (-1, 1)]
    pairs = [(p, q) for i, p in enumerate(sides) for q in sides[:i] if not (p == -q).all()]

    def patch(middle):
        low, high = middle + beyond - reach, middle + beyond + reach + 1
        return wide[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]

    distances = np.zeros((len(pairs), *image.shape))
    for x in np.ndindex(*image.shape):
        for k, (p, q) in enumerate(pairs):
            distances[(k, *x)] = ((patch(x + p) - patch(x + q)) ** 2).mean()
    above = distances - distances.min(axis=0)
    variance = above.mean(axis=0)
    mean = variance.mean() if mean is None else mean
    return np.exp(-above / np.clip(variance, 1e-3 * mean, 1e3 * mean)), mean


def loop(a, b, means=(None, None), **settings):
    first, second = (descriptors(*v, **settings)[0] for v in zip((a, b), means, strict=True))
    return ((first - second) ** 2).sum(axis=0).mean()


def volumes(shape=(2, 7, 6, 8), seed=0):
    rng = np.random.default_rng(seed)
    first = rng.uniform(0, 1, shape)
    return first, np.cos(4 * first) + rng.normal(0, 0.2, shape)


@pytest.mark.parametrize(
    ("settings", "steps", "reach"),
    [
        ({}, (2, 2, 2), (1, 1, 1)),
        ({"dilation": 1, "radius": 0}, (1, 1, 1), (0, 0, 0)),
        ({"dilation": 3, "radius": 1.5, "spacing": (1, 1.5, 3)}, (3, 2, 1), (2, 1, 0)),
    ],
)
def test_value_agrees_with_the_loop(settings, steps, reach):
    a, b = volumes()
    assert in_voxels(**{"dilation": 2, "radius": 1, "spacing": 1, **settings}) == (steps, reach)
    expected = [loop(x, y, steps=steps, reach=reach) for x, y in zip(a, b, strict=True)]
    ours = mind_ssc(tf.constant(a), tf.constant(b), **settings)
    np.testing.assert_allclose(ours, expected, rtol=1e-6)


def test_descriptors_for_networks_are_those_that_the_loss_compares():
    pair = volumes()
    for item in range(2):
        expected = np.moveaxis(descriptors(pair[0][item])[0], 0, -1)
        found = np.moveaxis(of_networks(tf.constant(pair[0]))[item], 0, -1)
        order = np.lexsort(found.reshape(-1, 12)), np.lexsort(expected.reshape(-1, 12))
        np.testing.assert_allclose(found[..., order[0]], expected[..., order[1]], rtol=1e-5)
    a, b = (of_networks(tf.constant(volume)) for volume in pair)
    distance = tf.reduce_mean(tf.reduce_sum((a - b) ** 2, axis=1), axis=(1, 2, 3))
    np.testing.assert_allclose(distance, mind_ssc(*map(tf.constant, pair)), rtol=1e-6)


SHAPE = (2, 4, 5, 6)  # of gradients; with its border also that of a slab below: compiled once


def test_gradient_agrees_with_finite_differences_of_the_loop():
    pair = volumes(SHAPE)
    pair[1][:, :2] *= 0.02  # where the variance is clipped
    tensors = [tf.constant(v) for v in pair]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = mind_ssc(*tensors, dilation=1)
    gradients = tape.gradient(value, tensors)
    rng = np.random.default_rng(1)
    settings = {"steps": (1, 1, 1)}
    for which, item in np.ndindex(2, 2):
        given = [v[item] for v in pair]
        means = [descriptors(v, **settings)[1] for v in given]  # the gradient takes them as given
        for _ in range(3):
            index = tuple(rng.integers(n) for n in SHAPE[1:])
            difference = 0.0
            for sign in (1, -1):
                moved = [v.copy() for v in given]
                moved[which][index] += sign * 1e-6
                difference += sign * loop(*moved, means, **settings)
            assert gradients[which][item][index].numpy() == pytest.approx(
                difference / 2e-6, rel=1e-3, abs=1e-5
            )


SIDES = ((-1, 1, 1), (1, -1, 1), (1, 1, -1))


def blob(shape, contrast):
    """A smooth pattern that ends well within the volume: its borders show nothing."""
    x, y, z = (np.linspace(-1, 1, n).reshape(s) for n, s in zip(shape, SIDES, strict=True))
    inside = np.maximum(0, 1 - 1.7 * (x**2 + y**2 + z**2)) ** 2
    pattern = np.sin(9 * x + 3 * y) + np.cos(7 * y - 5 * z) + x * z
    return inside * np.tanh(contrast * pattern)


# By convexAdam 0.2.0 on PyTorch 2.13 in double precision, of the two volumes of the test:
#   from convexAdam.convex_adam_utils import MINDSSC
#   a, b = (MINDSSC(torch.from_numpy(v)[None, None], radius, dilation, device="cpu") for v in pair)
#   12 * ((a - b) ** 2).mean()
CONVEX_ADAM = {  # (radius, dilation): value
    (1, 2): 0.012102946791600185,
    (1, 1): 0.010444339242085189,
    (2, 2): 0.009518176863363044,
    (1, 3): 0.011531477055945054,
    (0, 2): 0.026152242224278824,
}


@pytest.mark.parametrize(("radius", "dilation"), CONVEX_ADAM)
def test_value_is_that_of_convex_adam(radius, dilation):
    shape = (30, 28, 32)
    pair = tf.constant(blob(shape, 1.0)[None]), tf.constant(blob(shape, -0.4)[None] + 0.5)
    ours = mind_ssc(*pair, radius=radius, dilation=dilation)
    np.testing.assert_allclose(ours, [CONVEX_ADAM[radius, dilation]], rtol=1e-6)


def test_slab_by_slab_it_is_the_same(monkeypatch):
    import mmzoo.ops.slabs as slabs

    a, b = (tf.constant(v) for v in volumes((2, 27, *SHAPE[2:])))
    mask = tf.constant(np.random.default_rng(2).uniform(size=(1, 27, *SHAPE[2:])))

    def with_gradients():
        with tf.GradientTape() as tape:
            tape.watch([a, b])
            value = mind_ssc(a, b, mask, dilation=1)
        return value, *tape.gradient(value, [a, b])

    whole = with_gradients()
    monkeypatch.setattr(slabs, "VOXELS_AT_ONCE", 1)
    for ours, expected in zip(with_gradients(), whole, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-12)


def test_features_of_one_volume_give_the_loss():
    a, b = (tf.constant(v) for v in volumes(SHAPE))
    mask = tf.constant(np.random.default_rng(2).uniform(size=SHAPE))
    steps, reach = in_voxels(1, 1, 1)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(b)
        ours = mind_ssc_distance(
            mind_ssc_features(a, steps, reach), mind_ssc_features(b, steps, reach), mask, steps
        )
        loss = mind_ssc(a, b, mask, dilation=1)
    np.testing.assert_allclose(ours, loss, rtol=1e-12)
    np.testing.assert_allclose(
        tape.gradient(ours, b), tape.gradient(loss, b), rtol=1e-9, atol=1e-12
    )


def test_is_blind_to_scale_sign_and_shift():
    a, b = (tf.constant(v) for v in volumes())
    value = mind_ssc(a, b)
    for other in (-b, 300 * b + 7, 1 - 0.01 * b):
        np.testing.assert_allclose(mind_ssc(a, other), value, rtol=1e-6)
    np.testing.assert_allclose(mind_ssc(a, 5 - 3 * a), 0, atol=1e-12)


def test_moving_the_answer_away_makes_it_worse():
    shape = (24, 26, 22)
    a = tf.constant(blob(shape, 1.0)[None])
    other = tf.constant(np.exp(-blob(shape, 0.4))[None])  # another contrast
    losses = [float(mind_ssc(a, tf.roll(other, shift, axis=3))[0]) for shift in (0, 1, 3)]
    assert losses[0] < 0.2 * losses[1] < 0.2 * losses[2]


def test_a_constant_volume_has_a_value_between_the_bounds_and_none_beside_itself():
    a = tf.constant(volumes()[0])
    constant = tf.fill(a.shape, tf.constant(-0.3, a.dtype))
    value = mind_ssc(a, constant).numpy()
    assert (value > 0).all() and (value < 12).all()
    np.testing.assert_array_equal(mind_ssc(constant, constant), [0, 0])


def test_single_precision_suffices():
    a, b = volumes()
    single = mind_ssc(tf.constant(a, tf.float32), tf.constant(b, tf.float32))
    np.testing.assert_allclose(single, mind_ssc(tf.constant(a), tf.constant(b)), rtol=1e-4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dilation": 0}, "`dilation` must be a number above 0, got 0"),
        ({"radius": -1}, "`radius` must be a number at least 0, got -1"),
        ({"spacing": (1, 2)}, r"`spacing` must be a number or three, got \(1, 2\)"),
    ],
)
def test_wrong_settings_are_named_when_the_loss_is_made(settings, message):
    with pytest.raises(ValueError, match=message):
        MINDSSC(**settings)
