"""The warp as a Keras layer."""

from mmzoo.framework import keras
from mmzoo.ops.warp import warp


@keras.saving.register_keras_serializable(package="mmzoo")
class Warp(keras.layers.Layer):
    """Warp an image by a ddf: warped(x) = image(x + ddf(x)); see `mmzoo.ops.warp.warp`."""

    def call(self, inputs):
        """Return the warped image of `inputs` = [image, ddf]."""
        image, ddf = inputs
        return warp(image, ddf)
