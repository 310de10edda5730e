"""Generator and discriminator on their own."""

import numpy as np
import pytest
import tensorflow as tf

from mmzoo.framework import keras
from mmzoo.networks.translation import (
    DISCRIMINATORS,
    GENERATORS,
    StridedDiscriminator,
    UNetGenerator,
)
from mmzoo.networks.translation.table import build_network

SMALL = {"num_channel_initial": 2, "depth": 2}


def image(shape=(4, 8, 12), channels=1, batch=2):
    return tf.random.stateless_uniform((batch, *shape, channels), (1, 2), -1, 1)


def test_networks_have_the_authors_parameters():
    generator, discriminator = UNetGenerator(), StridedDiscriminator()
    generator(keras.Input((32, 48, 16, 1)))
    discriminator(keras.Input((32, 48, 16, 1)))
    assert generator.count_params() == pytest.approx(5.65e6, rel=0.005)
    assert discriminator.count_params() == pytest.approx(2.93e6, rel=0.005)


def test_the_generator_gives_an_image_of_the_same_size_in_its_range():
    translated = UNetGenerator(**SMALL)(100 * image())
    assert translated.shape == (2, 4, 8, 12, 1)
    assert 0.5 < np.abs(translated).max() <= 1


@pytest.mark.parametrize("shape", [(4, 8, 12), (33, 16, 7)])
@pytest.mark.parametrize("channels", [1, 2])
def test_the_discriminator_gives_one_logit_an_image_of_any_size(shape, channels):
    network = StridedDiscriminator(channels=(2, 3, 4))
    logits = network(image(shape, channels))
    assert logits.shape == (2, 1) and np.isfinite(logits).all()
    np.testing.assert_allclose(network(image(shape, channels)[1:]), logits[1:], atol=1e-5)


def test_in_training_the_discriminator_is_normalised_by_its_batch():
    network = StridedDiscriminator(channels=(4, 4, 4))
    images = image((16, 16, 16))
    np.testing.assert_allclose(network(images), network(images), atol=1e-6)
    before = [norm.moving_mean.numpy() for norm in network.norms]
    assert np.abs(network(images, training=True) - network(images)).max() > 1e-3
    for norm, old in zip(network.norms, before, strict=True):
        assert np.abs(norm.moving_mean - old).max() > 0


@pytest.mark.parametrize(
    "network", [UNetGenerator(**SMALL), StridedDiscriminator(channels=(2, 3))], ids=lambda n: n.name
)
def test_networks_come_back_from_a_file(network, tmp_path):
    expected = network(image())
    network.save(tmp_path / "network.keras")
    again = keras.models.load_model(tmp_path / "network.keras")
    assert again.get_config() == network.get_config()
    np.testing.assert_allclose(again(image()), expected, atol=1e-6)


def test_networks_are_built_by_name_and_wrong_settings_are_named():
    generator = build_network(GENERATORS, "generator", {"name": "unet", **SMALL})
    assert isinstance(generator, UNetGenerator) and generator.unet.depth == 2
    with pytest.raises(ValueError, match="`discriminator.name` is 'stridet': did you mean"):
        build_network(DISCRIMINATORS, "discriminator", {"name": "stridet"})
    with pytest.raises(ValueError, match="`generator` has a setting that unet does not take"):
        build_network(GENERATORS, "generator", {"name": "unet", "deph": 3})


def test_another_generator_is_one_row(monkeypatch):
    monkeypatch.setitem(GENERATORS, "mine", keras.layers.Conv3D)
    assert build_network(GENERATORS, "generator", {"name": "mine", "filters": 1, "kernel_size": 1})
