"""DIRNet layer by layer: parameters, shapes, options."""

import numpy as np
import pytest
import tensorflow as tf

from mmzoo.networks.registration import DIRNet
from mmzoo.ops.bspline import control_shape

VISIBLE = {"out_kernel_initializer": "glorot_uniform"}


def pair(shape=(16, 24, 16), batch=2):
    return tf.random.stateless_uniform((batch, *shape, 2), (1, 2))


def test_parameters_are_the_sum_over_the_layer_table():
    network = DIRNet((16, 16, 16))
    network(pair((16, 16, 16)))
    first, others, narrow, last = 27 * 2 * 32 + 32, 27 * 32 * 32 + 32, 32 * 32 + 32, 32 * 3 + 3
    assert network.count_params() == first + 4 * others + 2 * narrow + last == 114_691


def plain(network, features):
    """The layers of the paper one after the other, by TensorFlow's own functions."""

    def convolve(features, layer):
        return tf.nn.conv3d(features, layer.kernel, [1] * 5, "SAME") + layer.bias

    for level, layer in enumerate(network.hidden):
        features = tf.nn.elu(convolve(features, layer))
        window = [1 + (level < np.log2(step)) for step in network.grid_spacing]
        features = tf.nn.avg_pool3d(features, window, window, "SAME")
    return convolve(features, network.coefficients)


@pytest.mark.parametrize(
    ("spacing", "shape"),
    [((8, 8, 8), (16, 24, 16)), ((8, 8, 1), (24, 16, 5)), ((4, 2, 32), (9, 7, 33))],
)
def test_gives_the_control_points_of_any_size_and_spacing(spacing, shape):
    network = DIRNet(shape, grid_spacing=spacing, **VISIBLE)
    coefficients = network(pair(shape))
    assert coefficients.shape == (2, *control_shape(shape, spacing), 3)
    assert network.control_shape == control_shape(shape, spacing)
    np.testing.assert_allclose(coefficients, plain(network, pair(shape)), atol=1e-5)


def test_starts_at_the_identity():
    assert not np.any(DIRNet((16, 24, 16))(pair()))


@pytest.mark.parametrize("spacing", [(8, 8, 3), (64, 8, 8), (8, 0, 8)])
def test_a_spacing_that_is_no_power_of_two_is_named(spacing):
    with pytest.raises(ValueError, match="`grid_spacing` must be 1, 2, 4, 8, 16 or 32 voxels"):
        DIRNet((16, 16, 16), grid_spacing=spacing)
