"""The plain Keras model around a registration network: two images in, fields and images out."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf
import tf_keras as keras

from mmzoo.layers import BSplineField, Pair, Warp

DIRECTIONS = ("", "backward_")  # of a network's fields, prefixes of the outputs


def registration_model(
    network: keras.Model,
    image_size: Sequence[int] | None = None,
    *,
    signed: bool = False,
    generator: keras.Model | None = None,
    name: str | None = None,
) -> keras.Model:
    """Return the functional model of a network.

    Inputs, in this order or by name, (batch, dim1, dim2, dim3) in [0, 1]: `moving`, `fixed`.
    Outputs, by name:

        ddf              (batch, dim1, dim2, dim3, 3), voxels, on the fixed grid
        warped           (batch, dim1, dim2, dim3): warped(x) = moving(x + ddf(x))
        backward_ddf     of a network of two fields, on the moving grid
        backward_warped  fixed(x + backward_ddf(x))
        translated       with a generator: the warped image in the modality of the fixed one, [0, 1]

    Args:
        network: from a pair (batch, dim1, dim2, dim3, 2) to one or two fields of three channels, or
            to control points of B-splines, if it says their `grid_spacing`.
        image_size: (dim1, dim2, dim3); None for all that the network takes.
        signed: whether the network is made for [-1, 1]; the model's images are in [0, 1] anyway.
        generator: a translator from the moving to the fixed modality, made for [-1, 1].
        name: of the model; the network's by default.

    Raises:
        ValueError: a size that the network does not take, or a network of other outputs.
    """
    size = (None, None, None) if image_size is None else tuple(image_size)
    moving, fixed = keras.Input(size, name="moving"), keras.Input(size, name="fixed")
    fields = network(Pair(signed, name="pair")([moving, fixed]))
    if hasattr(network, "grid_spacing"):
        fields = BSplineField(None, network.grid_spacing, name="bspline")([fields, fixed])
    if fields.shape[-1] not in (3, 6):
        raise ValueError(
            f"A registration network has one or two fields of 3 channels, got {fields.shape[-1]} "
            f"channels from {network.name!r}."
        )
    outputs = {}
    halves = tf.split(fields, fields.shape[-1] // 3, axis=-1) if fields.shape[-1] > 3 else [fields]
    for direction, image, ddf in zip(DIRECTIONS, (moving, fixed), halves, strict=False):
        outputs[f"{direction}ddf"] = ddf
        outputs[f"{direction}warped"] = Warp(name=f"{direction}warped")([image, ddf])
    if generator is not None:
        translated = generator(Pair(signed=True, name="source")([outputs["warped"]]))
        translated = keras.layers.Rescaling(0.5, 0.5, name="translated")(translated)
        outputs["translated"] = tf.squeeze(translated, axis=-1)
    return keras.Model([moving, fixed], outputs, name=name or network.name)
