"""Adding the loss terms of a configuration to a DeepReg model, each logged by its name."""

import logging
from collections.abc import Callable

import tensorflow as tf
from deepreg.registry import REGISTRY

from mmzoo.checks import check_choice

DIRECTIONS = ("both", "forward")


class LossTerms:
    """Builds the terms of `train.loss` and adds them to a symbolic Keras model.

    Every term is the mean over the batch; with several devices Keras averages over them. (DeepReg
    0.1.2 divides its regularisers by the batch size once more.) Two metrics a term:
    `loss/<term>_<class>` and the same times its weight, `..._weighted`.
    """

    def __init__(self, model, config: dict):
        """Keep the Keras model and the `train.loss` section."""
        self.model = model
        self.config = config

    def active(self, section: str) -> bool:
        """Whether a section is there with a weight other than zero (the default is one)."""
        if section not in self.config:
            logging.info("Loss %s is not configured and not used.", section)
            return False
        return self.config[section].get("weight", 1.0) != 0

    def both_directions(self, section: str) -> bool:
        """Whether `directions` of a section is "both" (the default) and not "forward"."""
        directions = self.config[section].get("directions", "both")
        check_choice(f"train.loss.{section}.directions", directions, DIRECTIONS)
        return directions == "both"

    def add(
        self, section: str, log_name: str, *tensors: tf.Tensor, mean: Callable = tf.reduce_mean
    ) -> None:
        """Add one term: (y_true, y_pred) for a similarity, (ddf,) for a regulariser.

        Args:
            section: of the configuration.
            log_name: of the term.
            *tensors: that the loss takes.
            mean: of what the loss returns, (batch,); a plain one by default.
        """
        weight, loss = build_loss(section, self.config[section])
        value = loss.call(*tensors)  # (batch,) or, for DeepReg's regularisers, ()
        value = mean(value)
        self.model.add_loss(weight * value)
        name = f"loss/{log_name}_{loss.name}"
        self.model.add_metric(value, name=name, aggregation="mean")
        self.model.add_metric(weight * value, name=f"{name}_weighted", aggregation="mean")


def build_loss(section: str, settings: dict):
    """Return weight and loss of a section; `name` is the section's where it says none."""
    settings = {"name": section, **settings}
    weight = settings.pop("weight", 1.0)
    for own in ("directions", "every"):  # of methods, not of losses
        settings.pop(own, None)
    return weight, REGISTRY.build_loss(settings)
