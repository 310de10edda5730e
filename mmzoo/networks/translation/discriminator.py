"""The discriminator of Deform-GAN: is an image real, or made by the generator?

Source: Deform-GAN (Zhang et al. 2020), in the layers of the authors' code
(Lauraxy/Multi_Modal_Registration): five strided convolutions, one mean over the volume, one
number; 2.93 million parameters. (Their name for it is PatchGAN, but it judges no patches.)
Differs from their code: it returns the logit, whose sigmoid is their output; the batch
normalisation's averages follow within 10 steps instead of 100, because the generator learns from
the discriminator as these averages have it.
"""

from collections.abc import Sequence

import tensorflow as tf

from mmzoo.checks import check_rank
from mmzoo.framework import keras
from mmzoo.layers.conv_block import batch_normalisation
from mmzoo.layers.precision import precision_of_weights

CHANNELS = (32, 64, 128, 256, 256)
SLOPE = 0.2  # of the leaky ReLU below zero
MOMENTUM = 0.9  # of the batch normalisation's moving averages


@keras.saving.register_keras_serializable(package="mmzoo")
class StridedDiscriminator(keras.Model):
    """The network D of Zhang 2020.

    Input: (batch, dim1, dim2, dim3, channels) of any size: the image to be judged, in [-1, 1], and
    for a conditional objective the image it was made from.
    Output: logits (batch, 1), above zero for "real".
    """

    def __init__(
        self, channels: Sequence[int] = CHANNELS, name: str = "StridedDiscriminator", **kwargs
    ):
        """Build the layers.

        Args:
            channels: of each 3^3 convolution with a stride of 2; all but the first are normalised.
            name: of the model.
            **kwargs: for `keras.Model`.
        """
        super().__init__(name=name, **kwargs)
        self.channels = tuple(channels)
        self.convs = [
            keras.layers.Conv3D(n, 3, 2, padding="same", use_bias=i == 0)  # a norm has its own
            for i, n in enumerate(channels)
        ]
        self.norms = [batch_normalisation(MOMENTUM) for _ in channels[1:]]
        self.mean = keras.layers.GlobalAveragePooling3D()
        self.judgement = keras.layers.Dense(1, dtype=precision_of_weights(), name="judgement")

    def call(self, inputs: tf.Tensor, training=None, mask=None) -> tf.Tensor:
        """Return the logit of each image."""
        check_rank("inputs", inputs, (5,))
        features = tf.nn.leaky_relu(self.convs[0](inputs), SLOPE)
        for conv, norm in zip(self.convs[1:], self.norms, strict=True):
            features = tf.nn.leaky_relu(norm(conv(features), training=training), SLOPE)
        return self.judgement(self.mean(features))

    def get_config(self) -> dict:
        """Return the settings, for recreating this network."""
        return {"name": self.name, "channels": self.channels}
