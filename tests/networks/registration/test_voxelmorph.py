"""VoxelMorph's U-Net of 2019, against its layers written out plainly."""

import numpy as np
import pytest
import tensorflow as tf
from helpers_models import block, convolve, parameters, random_channels

from mmzoo.framework import keras
from mmzoo.networks.registration import VoxelMorph

VISIBLE = {"out_kernel_initializer": "glorot_uniform"}  # the published start is nearly zero


def test_has_the_parameters_of_the_published_layers():
    network = VoxelMorph((16, 16, 32))
    network(random_channels())
    encoder = parameters([2, 16, 32, 32], [16, 32, 32, 32])
    decoder = parameters([32, 32 + 32, 32 + 32, 32 + 16, 32, 32 + 2, 16], [32] * 5 + [16] * 2)
    assert network.count_params() == encoder + decoder + parameters([16], [3]) == 300_547


def plain(network, pair):
    """The published graph from Keras layers, with the network's weights."""
    encoded = [pair]
    for layer, strides in zip(network.down, network.strides, strict=True):
        encoded.append(block(encoded[-1], layer, strides))
    features = block(encoded[4], network.bottom)
    for layer, level in zip(network.up, (3, 2, 1), strict=True):
        features = keras.layers.UpSampling3D(network.strides[level])(features)
        features = block(tf.concat([features, encoded[level]], -1), layer)
    features = block(features, network.last)
    features = keras.layers.UpSampling3D(network.strides[0])(features)
    features = block(tf.concat([features, encoded[0]], -1), network.top)
    return convolve(block(features, network.full[0]), network.flow)


@pytest.mark.parametrize(
    ("strides", "shape"),
    [
        (2, (16, 16, 32)),
        ([2, 2, 1], (16, 32, 5)),
        ([[2, 2, 1], [2, 2, 1], 2, [1, 3, 2]], (8, 24, 12)),
    ],
)
def test_computes_the_published_graph_at_any_strides(strides, shape):
    network = VoxelMorph(shape, strides=strides, **VISIBLE)
    pair = random_channels(shape)
    network(pair)  # makes the weights, of which the biases are zero
    network.set_weights([w + 0.01 * (w.ndim == 1) for w in network.get_weights()])
    fields = network(pair)
    assert fields.shape == (2, *shape, 3)
    assert np.abs(fields).max() > 0.1
    np.testing.assert_allclose(fields, plain(network, pair), atol=2e-5)


def test_starts_next_to_the_identity_unless_told_otherwise():
    pair = random_channels()
    fields = VoxelMorph((16, 16, 32))(pair)
    assert 0 < np.abs(fields).max() < 1e-3
    zeros = VoxelMorph((16, 16, 32), out_kernel_initializer="zeros")(pair)
    np.testing.assert_array_equal(zeros, tf.zeros_like(zeros))


def test_widths_and_levels_are_options():
    network = VoxelMorph((4, 8, 12), encoder=[4, 6], decoder=[8, 7, 5, 3])
    network(random_channels((4, 8, 12)))
    expected = parameters([2, 4, 6, 8 + 4, 7, 5 + 2, 3], [4, 6, 8, 7, 5, 3, 3])
    assert network.count_params() == expected


def test_the_output_may_have_an_activation():
    network = VoxelMorph((16, 16, 16), out_activation="sigmoid")
    np.testing.assert_allclose(network(random_channels((16, 16, 16))), 0.5, atol=1e-3)


@pytest.mark.parametrize(
    ("strides", "shape", "fitting"),
    [(2, (13, 16, 35), (16, 16, 48)), ([2, 2, 1], (17, 7, 5), (32, 16, 5))],
)
def test_a_size_that_strides_do_not_divide_is_continued_and_cut_back(strides, shape, fitting):
    network, pair = VoxelMorph(shape, strides=strides, **VISIBLE), random_channels(shape)
    missing = [(0, whole - dim) for whole, dim in zip(fitting, shape, strict=True)]
    continued = np.pad(pair, [(0, 0), *missing, (0, 0)], mode="edge")
    inside = tuple(slice(0, dim) for dim in shape)
    fields = network(pair)
    assert fields.shape == (2, *shape, 3)
    np.testing.assert_allclose(fields, network(continued)[(slice(None), *inside)], atol=1e-6)


def test_weights_of_one_size_serve_another():
    small, large = VoxelMorph((16, 16, 16), **VISIBLE), VoxelMorph((32, 16, 21))
    small(random_channels((16, 16, 16)))
    large(random_channels((32, 16, 21)))
    large.set_weights(small.get_weights())
    pair = random_channels((32, 16, 21))
    np.testing.assert_allclose(large(pair), small(pair), atol=1e-6)


@pytest.mark.parametrize("size", [(16, 16), (16, 16, 16, 2)])
def test_sizes_of_other_than_three_axes_are_refused(size):
    with pytest.raises(ValueError, match="`image_size` must be three numbers of voxels, got"):
        VoxelMorph(size)


@pytest.mark.parametrize("strides", [0, 1.5, [2, 2], [[2, 2, 1], 2], [[2, 2], 2, 2, 2]])
def test_strides_of_another_form_are_refused(strides):
    with pytest.raises(ValueError, match="`strides` must be a whole .* each of the 4 levels"):
        VoxelMorph((16, 16, 16), strides=strides)


@pytest.mark.parametrize(("encoder", "decoder"), [([8, 8], [8, 8, 8]), ([], [8, 8, 8])])
def test_too_few_channels_are_refused(encoder, decoder):
    with pytest.raises(ValueError, match="`decoder` needs the channels of at least"):
        VoxelMorph((16, 16, 16), encoder=encoder, decoder=decoder)


def test_comes_back_from_its_config():
    settings = {"encoder": (4, 6), "decoder": (8, 7, 5, 3), "strides": ((2, 2, 1), (2, 1, 1))}
    network = VoxelMorph((8, 8, 5), out_kernel_initializer="zeros", **settings)
    again = VoxelMorph.from_config(network.get_config())
    assert again.get_config() == network.get_config()
    assert {name: getattr(again, name) for name in settings} == settings
    fields = again(random_channels((8, 8, 5)))
    np.testing.assert_array_equal(fields, tf.zeros_like(fields))


@pytest.mark.deepreg
def test_learns_in_deepregs_own_method():
    from deepreg.registry import REGISTRY

    size, published = (16, 16, 32), {"class_name": "RandomNormal", "config": {"stddev": 1e-5}}
    config = {
        "backbone": {"name": "voxelmorph", "out_kernel_initializer": published},
        "loss": {
            "image": {"name": "lncc", "weight": 1.0},
            "regularization": {"name": "gradient", "weight": 1.0},
        },
    }
    sizes = {"moving_image_size": size, "fixed_image_size": size, "index_size": 2}
    model = REGISTRY.build_model(
        {"name": "ddf", "labeled": False, "batch_size": 2, "config": config, **sizes}
    )
    inputs = {
        name: tf.random.stateless_uniform((2, *size), (seed, 7))
        for seed, name in enumerate(("moving_image", "fixed_image"))
    }
    inputs["indices"] = tf.zeros((2, 2))
    model.compile(optimizer=keras.optimizers.Adam(1e-3))
    before = model(inputs, training=False)["ddf"]
    losses = [model.train_on_batch(inputs, return_dict=True)["loss"] for _ in range(8)]
    assert 0 < np.abs(before).max() < 1e-3
    assert losses[-1] < losses[0]
    assert np.abs(model(inputs, training=False)["ddf"] - before).max() > 1e-3
