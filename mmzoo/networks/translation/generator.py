"""The generator of Deform-GAN: from an image to the same image in another modality.

Source: Deform-GAN (Zhang et al. 2020), section 2.1 ("U-Net-like"), in the layers of the authors'
code (Lauraxy/Multi_Modal_Registration); 5.65 million parameters. Differs from them: nothing.
"""

import tensorflow as tf

from mmzoo.checks import check_rank
from mmzoo.framework import keras
from mmzoo.layers.precision import precision_of_weights
from mmzoo.layers.unet import WEIGHT_DECAY, UNet
from mmzoo.ops.pad import check_can_be_halved


@keras.saving.register_keras_serializable(package="mmzoo")
class UNetGenerator(keras.Model):
    """The network G of Zhang 2020.

    Input: (batch, dim1, dim2, dim3, 1), made for [-1, 1], each axis a multiple of 2^depth.
    Output: the same shape, in [-1, 1] (tanh).
    """

    def __init__(
        self,
        num_channel_initial: int = 16,
        depth: int = 4,
        weight_decay: float = WEIGHT_DECAY,
        name: str = "UNetGenerator",
        **kwargs,
    ):
        """Build the layers.

        Args:
            num_channel_initial: channels of the first level, doubled at each further one.
            depth: how often the volume is halved.
            weight_decay: factor of the sum of squares of every kernel, a loss; 0 for none.
            name: of the model.
            **kwargs: for `keras.Model`.
        """
        super().__init__(name=name, **kwargs)
        self.unet = UNet(num_channel_initial, depth, weight_decay)
        precise = precision_of_weights()
        self.image = keras.layers.Conv3D(1, 1, activation="tanh", dtype=precise, name="image")

    def call(self, inputs: tf.Tensor, training=None, mask=None) -> tf.Tensor:
        """Return the translated image."""
        check_rank("inputs", inputs, (5,))
        inputs = check_can_be_halved("unet", inputs, self.unet.depth, ", or a smaller `depth`")
        return self.image(self.unet(inputs))

    def get_config(self) -> dict:
        """Return the settings, for recreating this network."""
        names = ("num_channel_initial", "depth", "weight_decay")
        return {"name": self.name, **{name: getattr(self.unet, name) for name in names}}
