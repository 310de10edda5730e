"""The transformation network of Deform-GAN: its size, its start, its configuration."""

import numpy as np
import pytest
import tensorflow as tf

from mmzoo.framework import keras
from mmzoo.networks.registration import DeformGANUNet

SMALL = {"num_channel_initial": 2, "depth": 2}


def pair(shape=(4, 8, 12)):
    return tf.random.stateless_uniform((2, *shape, 2), (1, 2))


def test_has_the_authors_parameters():
    network = DeformGANUNet((112, 128, 96))
    network(keras.Input((112, 128, 96, 2)))
    assert network.count_params() == pytest.approx(5.65e6, rel=0.005)


def test_starts_next_to_the_identity():
    fields = DeformGANUNet((4, 8, 12), **SMALL)(pair())
    assert fields.shape == (2, 4, 8, 12, 3) and 0 < np.abs(fields).max() < 1e-3


def test_comes_back_from_its_config():
    network = DeformGANUNet((4, 8, 12), weight_decay=0.1, out_kernel_initializer="zeros", **SMALL)
    again = DeformGANUNet.from_config(network.get_config())
    assert again.get_config() == network.get_config()
    np.testing.assert_array_equal(again(pair()), np.zeros((2, 4, 8, 12, 3)))


def test_sizes_that_cannot_be_halved_are_refused_with_the_nearest():
    with pytest.raises(ValueError, match=r"deform-gan-unet halves .* use \(112, 128, 96\)"):
        DeformGANUNet((112, 128, 100))
