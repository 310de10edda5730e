"""What the zoo's methods build alike from DeepReg's configuration of a pair."""

from __future__ import annotations

import tf_keras as keras
from deepreg.model.network import RegistrationModel
from deepreg.registry import REGISTRY


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
        default_args={
            "image_size": model.fixed_image_size,
            "out_channels": 3,
            "out_kernel_initializer": "zeros",
            "out_activation": None,
        },
    )
