"""The network that starts from what the images say: its parts put together, its field, weights."""

import numpy as np
import pytest
import tensorflow as tf

from mmzoo.metrics import jacobian_determinant
from mmzoo.networks.registration import CostVolumeNet
from mmzoo.networks.registration.synthmorph import integrate
from mmzoo.ops.bspline import bspline_field
from mmzoo.ops.compiled import traced, uncompiled
from mmzoo.ops.cost_volume import search
from mmzoo.ops.filters import resize
from mmzoo.ops.gauss_newton import gauss_newton_step
from mmzoo.ops.self_similarity import descriptors
from mmzoo.ops.warp import warp

VISIBLE = {"out_kernel_initializer": "glorot_uniform"}  # the start is nearly zero
FEW = {"searches": [[2, 1, 2]], "steps": 1, "smoothing": 1}  # what is compiled takes seconds each
SMALL = {"encoder": [4, 4], "decoder": [4, 4, 4]}


def random_pair(shape=(16, 16, 32), batch=2):
    return tf.random.stateless_uniform((batch, *shape, 2), (1, 2))


def test_has_the_parameters_that_it_says():
    network = CostVolumeNet((16, 16, 16), searches=[], steps=0)
    network(random_pair((16, 16, 16)))
    assert network.count_params() == 560_243
    assert "560,243" in CostVolumeNet.__doc__


def test_computes_what_it_says():
    searches = {"searches": [[2, 1, 3], [1, 1, 1]], "squarings": 3}
    network = CostVolumeNet(**SMALL, **searches, steps=2, window=1, smoothing=2, **VISIBLE)
    pair = random_pair()
    moving, fixed = pair[..., 0], pair[..., 1]
    halves = [
        tf.reduce_mean(tf.reshape(descriptors(image), [2, 12, 8, 2, 8, 2, 16, 2]), axis=(3, 5, 7))
        for image in (fixed, moving)
    ]
    first = integrate(search(*halves, 1, 400.0, (0.0, 0.025, 0.05)), 3)
    first = 2 * resize(first, (16, 16, 32))
    warped = warp(moving, first)
    second = integrate(search(descriptors(fixed), descriptors(warped), 1, 400.0, (0.0,)), 3)
    start = second + warp(first, second)
    for _ in range(2):
        both = descriptors(fixed), descriptors(warp(moving, start))
        start = gauss_newton_step(*both, start, 0.003, 1, 2)
    warped = warp(moving, start)
    alike = [np.moveaxis(descriptors(image), 1, -1) for image in (fixed, warped)]
    seen = [fixed[..., None], warped[..., None], *alike, start]
    found = network(pair)
    rest = 2 * resize(integrate(network.velocity(tf.concat(seen, -1)), 3), (16, 16, 32))
    assert np.abs(rest).max() > 0.05 and np.abs(start).max() > 0.5
    np.testing.assert_allclose(found, rest + warp(start, rest), atol=1e-4)


def test_finds_a_deformation_without_having_learnt_anything():
    image = tf.random.stateless_uniform((1, 16, 16, 16), (3, 4))
    image = resize(image[..., None], (32, 32, 32))[..., 0]
    ddf = 2 * bspline_field(
        tf.random.stateless_normal((1, 4, 4, 4, 3), (5, 6)), (32,) * 3, (10,) * 3
    )
    moving = 1 - warp(image, ddf)  # another contrast
    found = CostVolumeNet((32, 32, 32), out_kernel_initializer="zeros")(
        tf.stack([moving, image], -1)
    )
    error = np.abs(warp(moving, found) - (1 - image))[:, 4:-4, 4:-4, 4:-4].mean()
    assert error < 0.6 * np.abs(moving - (1 - image))[:, 4:-4, 4:-4, 4:-4].mean()
    assert jacobian_determinant(found[0].numpy()).min() > 0


def test_any_size_is_padded_and_cut_back():
    network = CostVolumeNet(None, **SMALL, **FEW, **VISIBLE)
    pair = random_pair((13, 18, 7))
    padded = np.pad(pair, [(0, 0), (0, 3), (0, 2), (0, 1), (0, 0)], mode="edge")
    np.testing.assert_allclose(network(pair), network(padded)[:, :13, :18, :7], atol=1e-5)


def test_other_channels_than_one_of_each_image_are_refused():
    with pytest.raises(ValueError, match="two channels, .* got 3"):
        CostVolumeNet(**SMALL, **FEW)(tf.zeros((1, 8, 8, 8, 3)))


def test_the_images_get_no_gradient():
    network, pair = CostVolumeNet((16, 16, 32), **FEW, **VISIBLE), random_pair(batch=1)
    with tf.GradientTape() as tape:
        tape.watch(pair)
        value = tf.reduce_mean(network(pair, training=True) ** 2)
    assert tape.gradient(value, pair) is None


def test_comes_back_from_its_config():
    own = {"steps": 3, "damping": 0.1, "window": 0, "smoothing": 5}
    one = CostVolumeNet(**SMALL, searches=[[4, 1, 2]], sharpness=20.0, hold=0.1, **own)
    again = CostVolumeNet.from_config(one.get_config())
    assert again.get_config() == one.get_config() and again.searches == ((4, 1, 2),)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"searches": [[2, 2]]}, "three whole numbers"),
        ({"searches": [[2, 0, 1]]}, "above 0"),
        ({"searches": [[3, 1, 1]]}, "divides 16"),
        ({"sharpness": 0.0}, "sharpness"),
        ({"hold": -1.0}, "hold"),
        ({"steps": 1.5}, "`steps` must be a whole number"),
        ({"damping": 0.0}, "damping"),
        ({"smoothing": -1}, "`smoothing` must"),
        ({"encoder": []}, "at least 1"),
    ],
)
def test_settings_that_fit_no_network_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        CostVolumeNet(**settings)


def test_as_plain_operations_it_gives_the_same_and_more_steps_are_no_more_of_them():
    pair = random_pair(batch=1)
    counts = []
    for steps in (1, 3):
        network = CostVolumeNet(**SMALL, **{**FEW, "steps": steps}, **VISIBLE)
        expected = network(pair)
        with uncompiled():
            plain = traced(network).get_concrete_function(pair)
        np.testing.assert_allclose(plain(pair), expected, atol=1e-4)
        counts.append(len(plain.graph.get_operations()))
    assert counts[0] == counts[1]
