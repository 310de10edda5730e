import numpy as np
import pytest
import tensorflow as tf

from mmzoo.framework import keras
from mmzoo.layers.convolution import Conv3D


@pytest.mark.parametrize(
    "settings",
    [
        {"padding": "same"},
        {"padding": "valid"},
        {"padding": "same", "strides": 2},
        {"padding": "same", "dilation_rate": 2},
    ],
)
def test_has_the_weights_and_values_of_keras_layer(settings):
    volume = tf.constant(np.random.default_rng(0).random((2, 6, 5, 8, 4)), tf.float32)
    ours, theirs = (kind(4, 3, **settings) for kind in (Conv3D, keras.layers.Conv3D))
    theirs.build(volume.shape)
    ours.build(volume.shape)
    ours.set_weights(theirs.get_weights())
    assert [w.name for w in ours.weights] == [w.name for w in theirs.weights]
    np.testing.assert_allclose(ours(volume), theirs(volume), atol=1e-5)
