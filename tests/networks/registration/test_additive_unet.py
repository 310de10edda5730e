"""The additive U-Net layer by layer: parameters, shapes, options."""

import numpy as np
import pytest
import tensorflow as tf

from mmzoo.networks.registration import AdditiveUNet

VISIBLE = {"out_kernel_initializer": "glorot_uniform"}


def pair(shape=(16, 8, 24), batch=2):
    return tf.random.stateless_uniform((batch, *shape, 2), (1, 2))


def parameters(network):
    return sum(int(np.prod(v.shape)) for v in network.trainable_variables)


def test_parameters_are_the_sum_over_the_thesis_s_layer_table():
    network = AdditiveUNet((8, 8, 8))
    network(pair((8, 8, 8)))

    def block(kernel, inputs, filters):  # convolution, then scale and shift
        return kernel * inputs * filters + 2 * filters

    down = [block(27, a, b) for a, b in [(2, 4), (4, 8), (8, 16), (16, 32)]]
    double = [block(8, 2 * n, n) for n in (4, 8, 16)]
    second = [block(27, n, n) for n in (4, 8, 16, 32)]
    up = [2 * block(27, n, n) for n in (4, 8, 16)]
    flow = 27 * 4 * 3 + 3
    assert parameters(network) == sum(down + double + second + up) + flow == 79_335


def plain(network, features, training):
    """Section 3.5 by TensorFlow's own functions."""

    def normalise(block, x):
        gamma, beta, mean, variance = block.norm.weights
        if training:
            mean, variance = tf.nn.moments(x, (0, 1, 2, 3))
        return tf.nn.relu((x - mean) / tf.sqrt(variance + block.norm.epsilon) * gamma + beta)

    def convolve(x, block):
        return normalise(block, tf.nn.conv3d(x, block.conv.kernel, [1] * 5, "SAME"))

    def twice(x, level):
        return convolve(convolve(x, level.first), level.second)

    skips = []
    for down in network.down:
        skips.append(twice(features, down))
        features = tf.nn.max_pool3d(skips[-1], 2, 2, "VALID")
    features = twice(features, network.bottom)
    for double, up, skip in list(zip(network.double, network.up, skips, strict=True))[::-1]:
        shape = tf.shape(skip)
        features = tf.nn.conv3d_transpose(features, double.conv.kernel, shape, 2)
        features = twice(normalise(double, features) + skip, up)
    return tf.nn.conv3d(features, network.flow.kernel, [1] * 5, "SAME") + network.flow.bias


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("batch", [1, 2])
def test_computes_what_the_thesis_describes(training, batch):
    network, inputs = AdditiveUNet((16, 8, 24), **VISIBLE), pair(batch=batch)
    network(inputs)
    expected = plain(network, inputs, training)
    assert np.abs(expected).max() > 1e-2
    np.testing.assert_allclose(network(inputs, training=training), expected, atol=1e-4)


@pytest.mark.parametrize("shape", [(9, 16, 5), (1, 7, 23)])
def test_other_sizes_are_continued_at_the_border_and_cut_back(shape):
    network, inputs = AdditiveUNet(shape, **VISIBLE), pair(shape)
    missing = [(0, 0), *[(0, -n % 8) for n in shape], (0, 0)]
    whole = network(tf.constant(np.pad(inputs, missing, mode="edge")))
    np.testing.assert_allclose(
        network(inputs), whole[:, : shape[0], : shape[1], : shape[2]], atol=1e-6
    )


def test_starts_at_the_identity():
    assert not np.any(AdditiveUNet((16, 8, 24))(pair()))


def test_a_plane_is_named():
    with pytest.raises(ValueError, match=r"three numbers of voxels, got \(16, 16\)"):
        AdditiveUNet((16, 16))
