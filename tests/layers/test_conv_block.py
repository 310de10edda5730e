"""The block of convolution, batch normalisation and ReLU."""

import numpy as np
import pytest
import tensorflow as tf

from mmzoo.layers import ConvBlock


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("transposed", [False, True])
def test_channels_are_normalised_over_batch_and_voxels_and_cut_at_zero(transposed, relu):
    inputs = tf.random.stateless_normal((2, 5, 4, 6, 3), (1, 2))
    block = ConvBlock(4, 3, transposed=transposed, relu=relu)
    features = block(inputs, training=True)
    assert features.shape == ((2, 10, 8, 12, 4) if transposed else (2, 5, 4, 6, 4))
    raw = block.conv(inputs).numpy()
    expected = (raw - raw.mean((0, 1, 2, 3))) / np.sqrt(raw.var((0, 1, 2, 3)) + 1e-3)
    expected = np.maximum(expected, 0) if relu else expected
    np.testing.assert_allclose(features, expected, atol=1e-4)


def test_momentum_says_how_fast_the_averages_follow():
    inputs = 5 + tf.random.stateless_normal((2, 4, 4, 4, 1), (1, 2))
    block = ConvBlock(2, 1, momentum=0.75)
    raw = block.conv(inputs).numpy()
    block(inputs, training=True)
    np.testing.assert_allclose(block.norm.moving_mean, 0.25 * raw.mean((0, 1, 2, 3)), rtol=1e-4)


def test_comes_back_from_its_config():
    block = ConvBlock(4, 3, transposed=True, relu=False, momentum=0.9, name="up")
    assert ConvBlock.from_config(block.get_config()).get_config() == block.get_config()
