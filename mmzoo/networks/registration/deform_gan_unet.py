"""The transformation network of Deform-GAN: a direct U-Net.

Source: Deform-GAN (Zhang et al. 2020), section 2.1 ("U-Net-like"), in the layers of the authors'
code (Lauraxy/Multi_Modal_Registration). With two input images it has 5.65 million parameters.
Differs from the authors' code: channel a of the field moves axis a.
"""

from collections.abc import Sequence

import tensorflow as tf

from mmzoo.checks import check_halvings, check_rank
from mmzoo.framework import keras
from mmzoo.layers.flow import NEARLY_ZERO, flow_layer
from mmzoo.layers.unet import WEIGHT_DECAY, UNet
from mmzoo.ops.pad import check_can_be_halved

NAME, REMEDY = "deform-gan-unet", ", or a smaller `depth`"  # for messages


@keras.saving.register_keras_serializable(package="mmzoo")
class DeformGANUNet(keras.Model):
    """The network T of Zhang 2020.

    Input: (batch, dim1, dim2, dim3, channels): moving and fixed image as channels.
    Output: (batch, dim1, dim2, dim3, out_channels), linear: a ddf in voxels.
    """

    def __init__(
        self,
        image_size: Sequence[int] | None = None,
        num_channel_initial: int = 16,
        depth: int = 4,
        weight_decay: float = WEIGHT_DECAY,
        out_channels: int = 3,
        out_kernel_initializer: str | dict = NEARLY_ZERO,
        out_activation: str | None = None,
        name: str = "DeformGANUNet",
        **kwargs,
    ):
        """Build the layers.

        Args:
            image_size: (dim1, dim2, dim3), each a multiple of 2^depth; None if it changes.
            num_channel_initial: channels of the first level, doubled at each further one.
            depth: how often the volume is halved.
            weight_decay: factor of the sum of squares of every kernel, a loss; 0 for none.
            out_channels: channels of the field.
            out_kernel_initializer: of the output layer. The published one, normal of standard
                deviation 1e-5, starts close to the identity. DeepReg asks for "zeros" where
                `train.backbone` has no `out_kernel_initializer`.
            out_activation: of the output layer.
            name: of the model.
            **kwargs: for `keras.Model`.

        Raises:
            ValueError: an axis that cannot be halved that often.
        """
        super().__init__(name=name, **kwargs)
        if image_size is not None:
            check_halvings(NAME, image_size, depth, REMEDY)
        self.image_size = None if image_size is None else tuple(image_size)
        self.out_channels = out_channels
        self.out_activation = out_activation

        # === Layers ===
        self.unet = UNet(num_channel_initial, depth, weight_decay)
        self.flow = flow_layer(out_channels, out_kernel_initializer, out_activation)

    # === Forward ===
    def call(self, inputs: tf.Tensor, training=None, mask=None) -> tf.Tensor:
        """Return the field of a pair: (batch, dim1, dim2, dim3, out_channels)."""
        check_rank("inputs", inputs, (5,))
        inputs = check_can_be_halved(NAME, inputs, self.unet.depth, REMEDY)
        return self.flow(self.unet(inputs))

    # === Config ===
    def get_config(self) -> dict:
        """Return the settings, for recreating this network."""
        names = ["image_size", "out_channels", "out_activation", "name"]
        inner = ["num_channel_initial", "depth", "weight_decay"]
        initializer = keras.initializers.serialize(self.flow.kernel_initializer)
        return {
            **{name: getattr(self, name) for name in names},
            **{name: getattr(self.unet, name) for name in inner},
            "out_kernel_initializer": initializer,
        }
