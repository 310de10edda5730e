"""The papers' networks, small and with random fields."""

import tensorflow as tf

import mmzoo
from mmzoo.framework import keras

SMALL = {
    "mmregnet": {"num_channel_initial": 1},
    "voxelmorph": {"encoder": [2, 2], "decoder": [2] * 5},
    "dirnet": {"num_channels": 4, "grid_spacing": [4, 2, 8]},
    "additive_unet": {"num_channel_initial": 2},
    "deform_gan": {"num_channel_initial": 2, "depth": 1, "translated": True},
}


def small(name, image_size=None, **settings):
    settings = {**SMALL[name], "out_kernel_initializer": "glorot_uniform", **settings}
    return getattr(mmzoo.models, name)(image_size, **settings)


def random_channels(shape=(16, 16, 32), batch=2):
    """Return a pair of images as channels, the same each time."""
    return tf.random.stateless_uniform((batch, *shape, 2), (1, 2))


def parameters(channels_in, channels_out):
    """Return how many parameters convolutions of 3^3 with a bias have."""
    return sum(27 * i * o + o for i, o in zip(channels_in, channels_out, strict=True))


def convolve(features, layer, strides=1):
    """Return a convolution by Keras with the weights of a layer."""
    conv = keras.layers.Conv3D(layer.bias.shape[0], 3, strides, padding="same")
    conv.build(features.shape)
    conv.set_weights([layer.kernel, layer.bias])
    return conv(features)


def block(features, layer, strides=1):
    """Return a convolution and LeakyReLU, as VoxelMorph has them."""
    return keras.layers.LeakyReLU(0.2)(convolve(features, layer, strides))
