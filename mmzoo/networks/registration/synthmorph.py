"""SynthMorph's network: a U-Net that predicts a velocity, whose flow is a field without folds.

Source: Hoffmann et al. 2022, "SynthMorph: learning contrast-invariant registration without acquired
images": a stationary velocity field at half the resolution, integrated by scaling and squaring
(Arsigny et al. 2006), enlarged to the image. Theirs has 256 channels at every level and 16 million
parameters; this one is made for a laptop, with the layers of VoxelMorph's code of 2019.
"""

from collections.abc import Sequence

import tensorflow as tf

from mmzoo.checks import check_positive, check_rank, check_three_axes
from mmzoo.framework import keras
from mmzoo.layers.flow import NEARLY_ZERO, flow_layer
from mmzoo.networks.registration.voxelmorph import Finer, check_decoder, strided_conv
from mmzoo.ops.filters import resize
from mmzoo.ops.grid import dims_of
from mmzoo.ops.pad import cut_back, pad_to_multiple
from mmzoo.ops.warp import warp

ENCODER = (16, 32, 48, 64)
DECODER = (64, 48, 32, 16, 16)


@keras.saving.register_keras_serializable(package="mmzoo")
class SynthMorph(keras.Model):
    """A registration network whose fields do not fold.

    Input: (batch, dim1, dim2, dim3, channels): moving and fixed image as channels.
    Output: (batch, dim1, dim2, dim3, 3): a ddf in voxels, the flow of a velocity.

    Convolutions of 3^3, each but the last with a leaky ReLU:

        1/2, 1/4, 1/8, 1/16   strided by 2: 16, 32, 48, 64 channels, from the input
        1/16                  64
        1/8, 1/4, 1/2         doubled (nearest), beside the encoder's: 48, 32, 16
        1/2                   16, then the velocity; integrated, and enlarged trilinearly

    An axis that the strides do not divide is padded at its far end with border values, and the
    field is cropped back. The weights do not depend on the image size. With two input images it
    has 493,251 parameters.
    """

    def __init__(
        self,
        image_size: Sequence[int] | None = None,
        encoder: Sequence[int] = ENCODER,
        decoder: Sequence[int] = DECODER,
        squarings: int = 5,
        out_channels: int = 3,
        out_kernel_initializer: str | dict = NEARLY_ZERO,
        out_activation: str | None = None,
        name: str = "SynthMorph",
        **kwargs,
    ):
        """Build the layers.

        Args:
            image_size: (dim1, dim2, dim3), any; None if it changes.
            encoder: channels of each level.
            decoder: channels of its convolutions from coarse to fine: one a level, and at least one
                more at the finest of these.
            squarings: the velocity is integrated in 2^squarings steps.
            out_channels: 3.
            out_kernel_initializer: of the velocity's layer. DeepReg asks for "zeros" where
                `train.backbone` has no `out_kernel_initializer`.
            out_activation: of the velocity's layer.
            name: of the model.
            **kwargs: for `keras.Model`.

        Raises:
            ValueError: not three axes, or channels that do not fit the levels.
        """
        super().__init__(name=name, **kwargs)
        check_decoder(encoder, decoder, 1)
        levels = len(encoder)
        if out_channels != 3:
            raise ValueError(f"`out_channels` must be 3, of one velocity, got {out_channels!r}.")
        check_positive("squarings", squarings)
        check_three_axes("image_size", image_size)
        self.image_size = None if image_size is None else tuple(image_size)
        self.encoder = tuple(encoder)
        self.decoder = tuple(decoder)
        self.squarings = squarings
        self.out_activation = out_activation

        # === Layers ===
        two = (2, 2, 2)
        self.down = [strided_conv(n, two) for n in encoder]
        self.bottom = strided_conv(decoder[0])
        self.up = [Finer(n, two) for n in decoder[1:levels]]
        self.last = [strided_conv(n) for n in decoder[levels:]]
        self.flow = flow_layer(3, out_kernel_initializer, out_activation)

    # === Forward ===
    def call(self, inputs: tf.Tensor, training=None, mask=None) -> tf.Tensor:
        """Return the field of a pair: (batch, dim1, dim2, dim3, 3)."""
        check_rank("inputs", inputs, (5,))
        padded = pad_to_multiple(inputs, (2 ** len(self.encoder),) * 3)
        ddf = integrate(self.velocity(padded), self.squarings)
        return cut_back(2 * resize(ddf, dims_of(padded)), inputs)

    def velocity(self, padded: tf.Tensor) -> tf.Tensor:
        """Return the U-Net's output at half the resolution, for a size that the strides divide."""
        skips = [padded]
        for down in self.down:
            skips.append(down(skips[-1]))
        features = self.bottom(skips.pop())
        for up in self.up:
            features = up([features, skips.pop()])
        for last in self.last:
            features = last(features)
        return self.flow(features)

    # === Config ===
    def get_config(self) -> dict:
        """Return the settings, for recreating this network."""
        names = ("image_size", "encoder", "decoder", "squarings", "out_activation", "name")
        initializer = keras.initializers.serialize(self.flow.kernel_initializer)
        settings = {name: getattr(self, name) for name in names}
        return {**settings, "out_kernel_initializer": initializer}


def integrate(velocity: tf.Tensor, squarings: int) -> tf.Tensor:
    """Return the field of points that flow along a stationary velocity for one unit of time.

        u_0 = v / 2^n,   u_(k+1)(x) = u_k(x) + u_k(x + u_k(x))

    Source: Arsigny et al. 2006. Beyond the border the velocity of the border goes on.

    Args:
        velocity: (batch, dim1, dim2, dim3, 3), voxels in the unit of time.
        squarings: n.

    Returns:
        (batch, dim1, dim2, dim3, 3), voxels.
    """
    ddf = velocity / 2**squarings
    for _ in range(squarings):
        ddf = ddf + warp(ddf, ddf)
    return ddf
