"""DIRNet (PoolNet): a network of convolutions and poolings that predicts B-spline control points.

Source: de Vos et al. 2017 and 2019, in the form of de Vos 2020; the authors' later code:
BDdeVos/TorchIR. With two input images and the default settings it has 114,691 parameters.
Differs from that code: an axis that the grid's spacing does not divide gets one control point more,
where the code would cut it short.
"""

from collections.abc import Sequence

import tensorflow as tf

from mmzoo.checks import check_rank
from mmzoo.framework import keras
from mmzoo.layers.precision import precision_of_weights
from mmzoo.ops.bspline import control_shape

LEVELS = 5  # convolutions of 3^3; as many times an axis can be halved


@keras.saving.register_keras_serializable(package="mmzoo")
class DIRNet(keras.Model):
    """The registration network of de Vos 2020.

    Input: (batch, dim1, dim2, dim3, channels): moving and fixed image as channels.
    Output: (batch, n1, n2, n3, out_channels), linear: B-spline coefficients in voxels of the full
    image, n = ceil(dim / grid_spacing); see `mmzoo.layers.BSplineField`.

    Five convolutions of 3^3, the first ones each followed by an average over 2 voxels of the axes
    that are to be halved further, then two of 1^3, all with an ELU, and one of 1^3 that starts at
    zero. An odd axis is halved as if its last voxel were repeated, so any size will do. The weights
    do not depend on the image size: a network trained on patches predicts whole volumes.
    """

    def __init__(
        self,
        image_size: Sequence[int] | None = None,
        grid_spacing: Sequence[int] = (8, 8, 8),
        num_channels: int = 32,
        out_channels: int = 3,
        out_kernel_initializer: str | dict = "zeros",
        out_activation: str | None = None,
        name: str = "DIRNet",
        **kwargs,
    ):
        """Build the layers.

        Args:
            image_size: (dim1, dim2, dim3), any; None if it changes.
            grid_spacing: of the control points along each axis in voxels: 1, 2, 4, 8, 16 or 32.
            num_channels: of every hidden layer.
            out_channels: of the coefficients.
            out_kernel_initializer: of the last layer; zero starts at the identity.
            out_activation: of the last layer.
            name: of the model.
            **kwargs: for `keras.Model`.

        Raises:
            ValueError: a spacing that is no such power of two.
        """
        super().__init__(name=name, **kwargs)
        halvings = [_halvings(step) for step in grid_spacing]
        self.image_size = None if image_size is None else tuple(image_size)
        self.grid_spacing = tuple(grid_spacing)
        self.num_channels = num_channels
        self.out_channels = out_channels
        self.out_kernel_initializer = out_kernel_initializer
        self.out_activation = out_activation

        # === Layers ===
        sizes = [3] * LEVELS + [1, 1]
        self.hidden = [
            keras.layers.Conv3D(num_channels, size, padding="same", activation="elu")
            for size in sizes
        ]
        windows = [tuple(1 + (level < n) for n in halvings) for level in range(LEVELS)]
        self.pools = [keras.layers.AveragePooling3D(window, padding="same") for window in windows]
        self.coefficients = keras.layers.Conv3D(
            out_channels,
            1,
            kernel_initializer=out_kernel_initializer,
            activation=out_activation,
            dtype=precision_of_weights(),
        )

    @property
    def control_shape(self) -> tuple[int, ...] | None:
        """Number of control points along each axis; None where the size changes."""
        if self.image_size is None:
            return None
        return control_shape(self.image_size, self.grid_spacing)

    # === Forward ===
    def call(self, inputs: tf.Tensor, training=None, mask=None) -> tf.Tensor:
        """Return the coefficients of a pair: (batch, n1, n2, n3, out_channels)."""
        check_rank("inputs", inputs, (5,))
        features = inputs
        for convolution, pool in zip(self.hidden, self.pools, strict=False):
            features = pool(convolution(features))
        for convolution in self.hidden[LEVELS:]:
            features = convolution(features)
        return self.coefficients(features)

    # === Config ===
    def get_config(self) -> dict:
        """Return the settings, for recreating this network."""
        names = ["image_size", "grid_spacing", "num_channels", "out_channels"]
        names += ["out_kernel_initializer", "out_activation", "name"]
        return {name: getattr(self, name) for name in names}


def _halvings(step: int) -> int:
    """Return log2 of a spacing."""
    if step not in [2**n for n in range(LEVELS + 1)]:
        raise ValueError(
            f"`grid_spacing` must be 1, 2, 4, 8, 16 or 32 voxels along each axis, got {step!r}."
        )
    return int(step).bit_length() - 1
