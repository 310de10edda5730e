"""SynthMorph's network: its layers written out plainly, its integration, no folds."""

import numpy as np
import pytest
import tensorflow as tf
from helpers_models import block, convolve, parameters, random_channels
from scipy.ndimage import map_coordinates

from mmzoo.framework import keras
from mmzoo.metrics import jacobian_determinant
from mmzoo.networks.registration import SynthMorph
from mmzoo.networks.registration.synthmorph import integrate
from mmzoo.ops.bspline import bspline_field
from mmzoo.ops.filters import resize

VISIBLE = {"out_kernel_initializer": "glorot_uniform"}  # the start is nearly zero


def test_has_the_parameters_that_it_says():
    network = SynthMorph((16, 16, 32))
    network(random_channels())
    encoder = parameters([2, 16, 32, 48], [16, 32, 48, 64])
    decoder = parameters([64, 64 + 48, 48 + 32, 32 + 16, 16], [64, 48, 32, 16, 16])
    assert network.count_params() == encoder + decoder + parameters([16], [3]) == 493_251


def plain(network, pair):
    """The same graph from Keras layers, with the network's weights."""
    encoded = [pair]
    for layer in network.down:
        encoded.append(block(encoded[-1], layer, 2))
    features = block(encoded[-1], network.bottom)
    for layer, skip in zip(network.up, encoded[-2:0:-1], strict=True):
        features = keras.layers.UpSampling3D(2)(features)
        features = block(tf.concat([features, skip], -1), layer)
    for layer in network.last:
        features = block(features, layer)
    ddf = integrate(convolve(features, network.flow), network.squarings)
    return 2 * resize(ddf, pair.shape[1:4])


@pytest.mark.parametrize("shape", [(16, 16, 32), (32, 16, 16)])
def test_computes_what_it_says(shape):
    network = SynthMorph(shape, encoder=[4, 6, 8, 8], decoder=[8, 6, 4, 4, 5, 3], **VISIBLE)
    pair = random_channels(shape)
    network(pair)  # makes the weights, of which the biases are zero
    network.set_weights([w + 0.05 * (w.ndim == 1) for w in network.get_weights()])
    fields = network(pair)
    assert fields.shape == (2, *shape, 3)
    assert np.abs(fields).max() > 0.1
    np.testing.assert_allclose(fields, plain(network, pair), atol=2e-5)


def test_any_size_is_padded_and_cut_back():
    network = SynthMorph(None, encoder=[4, 4], decoder=[4, 4, 4], **VISIBLE)
    pair = random_channels((13, 18, 7))
    fields = network(pair)
    assert fields.shape == (2, 13, 18, 7, 3)
    padded = tf.pad(pair, [[0, 0], [0, 3], [0, 2], [0, 1], [0, 0]], "SYMMETRIC").numpy()
    padded[:, 13:], padded[:, :, 18:] = padded[:, 12:13], padded[:, :, 17:18]
    padded[:, :, :, 7:] = padded[:, :, :, 6:7]
    np.testing.assert_allclose(fields, network(padded)[:, :13, :18, :7], atol=1e-5)


def test_integration_against_a_loop_and_small_steps_along_the_velocity():
    shape = (18, 15, 12)
    velocity = bspline_field(tf.random.stateless_normal((2, 3, 3, 2, 3), (4, 5)), shape, (6,) * 3)
    found = integrate(velocity, 6).numpy()
    grid = np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), -1)
    for item in range(2):
        u = velocity[item].numpy().astype(float) / 2**6
        for _ in range(6):
            u = u + at(u, grid + u)
        np.testing.assert_allclose(found[item], u, atol=1e-4)
        points = grid.astype(float)
        for _ in range(500):
            points = points + at(velocity[item].numpy(), points) / 500
        moved = points - grid
        assert np.abs(moved - velocity[item]).max() > 0.2  # the velocity itself is another field
        np.testing.assert_allclose(found[item], moved, atol=0.04)


def at(field, points):
    where = np.moveaxis(points, -1, 0)
    parts = [map_coordinates(field[..., k], where, order=1, mode="nearest") for k in range(3)]
    return np.stack(parts, -1)


def test_a_large_smooth_velocity_does_not_fold_where_its_own_field_would():
    coefficients = 8 * tf.random.stateless_normal((1, 4, 4, 4, 3), (6, 7))
    velocity = bspline_field(coefficients, (32, 32, 32), (10,) * 3)
    assert jacobian_determinant(velocity[0].numpy()).min() < -1
    assert jacobian_determinant(integrate(velocity, 7)[0].numpy()).min() > 0.1


def test_starts_next_to_the_identity_unless_told_otherwise():
    fields = SynthMorph((16, 16, 32))(random_channels())
    assert 0 < np.abs(fields).max() < 1e-2
    zeros = SynthMorph((16, 16, 32), out_kernel_initializer="zeros")(random_channels())
    np.testing.assert_array_equal(zeros, tf.zeros_like(zeros))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"encoder": [4, 4], "decoder": [4, 4]}, "at least 3 convolutions"),
        ({"encoder": []}, "at least 1"),
        ({"out_channels": 6}, "out_channels"),
        ({"squarings": 0}, "squarings"),
        ({"image_size": (16, 16)}, "image_size"),
    ],
)
def test_settings_that_fit_no_network_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        SynthMorph(**settings)
