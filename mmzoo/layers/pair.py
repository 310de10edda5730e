"""Input of a registration network: moving and fixed image as channels."""

import tensorflow as tf

from mmzoo.framework import keras


@keras.saving.register_keras_serializable(package="mmzoo")
class Pair(keras.layers.Layer):
    """Stack images (batch, dim1, dim2, dim3) as channels: (batch, dim1, dim2, dim3, images)."""

    def __init__(self, signed: bool = False, **kwargs):
        """Keep the setting.

        Args:
            signed: bring images of [0, 1] to [-1, 1].
            **kwargs: for `keras.layers.Layer`.
        """
        super().__init__(**kwargs)
        self.signed = signed

    def call(self, inputs) -> tf.Tensor:
        """Return the pair of `inputs` = [moving, fixed], or one image with a channel axis."""
        # Keras saves a list of one as its one tensor.
        pair = tf.stack(inputs if isinstance(inputs, (list, tuple)) else [inputs], axis=-1)
        return 2 * pair - 1 if self.signed else pair

    def get_config(self) -> dict:
        """Return the settings, for recreating this layer."""
        return {**super().get_config(), "signed": self.signed}
