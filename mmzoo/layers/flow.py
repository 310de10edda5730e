"""The output layer of the networks that predict displacement fields."""

from mmzoo.layers.convolution import Conv3D
from mmzoo.layers.precision import precision_of_weights

# An initializer of networks that start close to the identity.
NEARLY_ZERO = {"class_name": "RandomNormal", "config": {"stddev": 1e-5}}


def flow_layer(
    out_channels: int, kernel_initializer, activation: str | None, name: str = "flow"
) -> Conv3D:
    """Return the convolution of 3^3 voxels from features to a field, in the weights' precision.

    Args:
        out_channels: of the field.
        kernel_initializer: zeros, or next to zero, begin at the identity.
        activation: None for a linear one.
        name: of the layer.
    """
    return Conv3D(
        out_channels,
        3,
        padding="same",
        kernel_initializer=kernel_initializer,
        activation=activation,
        dtype=precision_of_weights(),
        name=name,
    )
