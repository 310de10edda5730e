"""Functions that methods share: backbone, dense field and check of image sizes."""

import tensorflow as tf
from deepreg.model.network import RegistrationModel
from deepreg.registry import REGISTRY

from mmzoo.deepreg.plugins import OF_BACKBONE
from mmzoo.framework import keras


def check_one_size(model: RegistrationModel, method: str) -> None:
    """Raise ValueError unless moving and fixed images have one size.

    Args:
        model: of the pair.
        method: its name in configurations.
    """
    if tuple(model.moving_image_size) != tuple(model.fixed_image_size):
        raise ValueError(
            f"{method} needs moving and fixed images of one size, got "
            f"{tuple(model.moving_image_size)} and {tuple(model.fixed_image_size)}; set "
            "dataset.moving_image_shape and dataset.fixed_image_shape to the same."
        )


def build_backbone(model: RegistrationModel) -> keras.Model:
    """Return the network of `train.backbone`, with the defaults that DeepReg gives its own."""
    return REGISTRY.build_backbone(
        config=model.config["backbone"],
        default_args={"image_size": model.fixed_image_size, **OF_BACKBONE},
    )


def build_dense_field(
    model: RegistrationModel, pair: tf.Tensor, *, method: str, remedy: str
) -> tf.Tensor:
    """Return the field (batch, dim1, dim2, dim3, 3) that the network predicts for a pair.

    Args:
        model: of the pair.
        pair: moving and fixed image side by side, (batch, dim1, dim2, dim3, 2).
        method: its name in configurations.
        remedy: what to do where the backbone predicts something else, for the message.

    Raises:
        ValueError: it predicts no field of the image's size.
    """
    ddf = build_backbone(model)(inputs=pair)
    wanted = (*model.fixed_image_size, 3)
    if tuple(ddf.shape[1:]) != wanted:
        raise ValueError(
            f"{method} needs a backbone that predicts a field {wanted}, got "
            f"{tuple(ddf.shape[1:])} from {model.config['backbone']['name']!r}; {remedy}."
        )
    return ddf
