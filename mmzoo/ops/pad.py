"""Sizes that a network can halve: whether a volume has one, padding it to one, and back."""

from collections.abc import Sequence

import tensorflow as tf

from mmzoo.checks import check_halvings
from mmzoo.ops.grid import are_known, dims_of


def check_can_be_halved(network: str, volume: tf.Tensor, times: int, remedy: str = "") -> tf.Tensor:
    """Return a volume each axis of which can be halved so many times; refuse others.

    Args:
        network: its name, for the message.
        volume: (batch, dim1, dim2, dim3, channels).
        times: how often the network halves it.
        remedy: what else can be done, for the end of the message.

    Raises:
        ValueError: it cannot; `tf.errors.InvalidArgumentError` where a graph was built for volumes
            of any size.
    """
    dims = dims_of(volume)
    if are_known(*dims):
        check_halvings(network, dims, times, remedy)
        return volume
    message = f"{network} halves the volume {times} times: each axis must be a multiple of"
    rest = tf.shape(volume)[1:4] % 2**times
    with tf.control_dependencies([tf.debugging.assert_equal(rest, 0, f"{message} {2**times}")]):
        return tf.identity(volume)  # before an operation fails with an obscure message


def pad_to_multiple(volume: tf.Tensor, steps: Sequence[int]) -> tf.Tensor:
    """Pad each axis at its far end to a multiple of its step with edge values.

    As in the zoo's warp: zeros would be an edge that no image has. A volume that fits is returned
    as it is.

    Args:
        volume: (batch, dim1, dim2, dim3, channels).
        steps: three whole numbers above 0.

    Returns:
        (batch, ceil(dim / step) * step for each axis, channels).
    """
    for axis, step in enumerate(steps, start=1):
        dim = volume.shape[axis]
        if dim is None or dim % step:
            dim = tf.shape(volume)[axis] if dim is None else dim
            whole = -(-dim // step) * step
            volume = tf.gather(volume, tf.minimum(tf.range(whole), dim - 1), axis=axis)
    return volume


def border_goes_on(volume: tf.Tensor, margin: Sequence[int]) -> tf.Tensor:
    """Return a volume with so many planes more on each side of its axes, copies of the outermost.

    Args:
        volume: (batch, dim1, dim2, dim3, ...).
        margin: three whole numbers of at least 0.

    Returns:
        (batch, dim1 + 2 margin, dim2 + 2 margin, dim3 + 2 margin, ...).
    """
    for axis, (n, planes) in enumerate(zip(dims_of(volume), margin, strict=True), start=1):
        first, last = (tf.gather(volume, [at], axis=axis) for at in (0, n - 1))
        volume = tf.concat([*[first] * planes, volume, *[last] * planes], axis=axis)
    return volume


def border_of_features(features: tf.Tensor, margin: int) -> tf.Tensor:
    """Return the same of features (batch, channels, dim1, dim2, dim3), as far along each axis."""
    channels, dims = features.shape[1], dims_of(features, first=2)
    wide = border_goes_on(tf.reshape(features, [-1, *dims]), (margin,) * 3)
    return tf.reshape(wide, [-1, channels, *(n + 2 * margin for n in dims)])


def cut_back(volume: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
    """Cut from the far ends of a volume what `pad_to_multiple` has added.

    Args:
        volume: (batch, at least dim1, at least dim2, at least dim3, channels).
        like: (batch, dim1, dim2, dim3, any), the volume before.

    Returns:
        (batch, dim1, dim2, dim3, channels).
    """
    dims = dims_of(like)
    return volume[:, : dims[0], : dims[1], : dims[2]]
