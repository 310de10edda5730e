"""The U-Net of Deform-GAN against plain Keras layers of the same weights."""

import numpy as np
import pytest
import tensorflow as tf

from mmzoo.framework import keras
from mmzoo.layers.unet import UNet

SHAPE = (4, 8, 12)


def features(channels=2, batch=2, shape=SHAPE):
    return tf.random.stateless_normal((batch, *shape, channels), (1, 2))


def plain(network, inputs):
    """The authors' graph, one operation after the other, with the network's weights."""

    def convolve(x, kernel, bias):
        return tf.nn.relu(tf.nn.conv3d(x, kernel, (1,) * 5, "SAME") + bias)

    def twice(x, block):
        for conv in block.convs:
            x = convolve(x, conv.kernel, conv.bias)
        return x

    skips = []
    x = inputs
    for block in network.down:
        if skips:
            x = tf.nn.max_pool3d(x, 2, 2, "VALID")
        x = twice(x, block)
        skips.append(x)
    x = skips.pop()
    for up in network.up:
        x = keras.layers.UpSampling3D(2)(x)
        x = convolve(x, up.double.kernel, up.double.bias)
        x = tf.concat([skips.pop(), x], axis=-1)
        x = convolve(x, up.first.kernel, up.first.bias)
        x = convolve(x, up.second.kernel, up.second.bias)
    return x


def test_computes_the_authors_graph():
    network = UNet(num_channel_initial=3, depth=2)
    network(features())
    network.set_weights([w + 0.01 * (w.ndim == 1) for w in network.get_weights()])
    ours = network(features())
    assert ours.shape == (2, *SHAPE, 3) and np.abs(ours).max() > 0.05
    np.testing.assert_allclose(ours, plain(network, features()), atol=1e-5)


def test_every_parameter_gets_a_gradient():
    network = UNet(num_channel_initial=3, depth=2)
    with tf.GradientTape() as tape:
        value = tf.reduce_mean(network(features()) ** 2)
    gradients = tape.gradient(value, network.trainable_variables)
    for variable, gradient in zip(network.trainable_variables, gradients, strict=True):
        assert gradient is not None and np.abs(gradient).max() > 0, variable.name


def test_the_penalty_is_the_sum_of_squares_of_every_kernel_and_of_no_bias():
    network = UNet(num_channel_initial=2, depth=1, weight_decay=0.5)
    network(features())
    network.set_weights([w + (w.ndim == 1) for w in network.get_weights()])
    kernels = [w for w in network.get_weights() if w.ndim == 5]
    assert len(kernels) == 7
    total = sum(float(loss) for loss in network.losses)
    assert total == pytest.approx(0.5 * sum((w**2).sum() for w in kernels), rel=1e-5)
    assert UNet(weight_decay=0).losses == []


def test_comes_back_from_its_config():
    network = UNet(num_channel_initial=2, depth=1, weight_decay=0.5)
    assert UNet.from_config(network.get_config()).get_config() == network.get_config()
