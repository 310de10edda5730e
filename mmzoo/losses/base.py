"""The base of the zoo's Keras losses: a function of two tensors, and its settings as attributes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf
import tf_keras as keras

from mmzoo.losses.spacing import per_axis


def tensor(values: Any) -> tf.Tensor:
    """Return a tensor as it is, and anything else, as a NumPy array, in Keras' float type."""
    if tf.is_tensor(values):
        return values
    return tf.convert_to_tensor(np.asarray(values, keras.backend.floatx()))


@dataclasses.dataclass(eq=False)  # two losses of the same settings are two losses, as in Keras
class FunctionLoss(keras.losses.Loss):
    """A Keras loss that returns a function's value for each item of a batch.

    A subclass is a dataclass. Its fields are the function's settings under the same names and with
    the same defaults; keyword arguments `reduction` and `name` (the class's name by default) are
    Keras's. A field `spacing` is kept as three lengths.

    Attributes:
        function: (y_true, y_pred, **settings) -> (batch,).
    """

    _: dataclasses.KW_ONLY
    reduction: str = keras.losses.Reduction.AUTO
    name: str | None = None
    function: ClassVar[Callable[..., tf.Tensor]]

    def __post_init__(self) -> None:
        """Check the settings and make the Keras loss.

        Raises:
            ValueError: a setting is out of its range, as in the function.
        """
        super().__init__(reduction=self.reduction, name=self.name or type(self).__name__)
        if "spacing" in self.settings:
            self.__dict__.update(spacing=per_axis(self.settings["spacing"]))
        self.check_settings()

    def check_settings(self) -> None:
        """Raise ValueError where a setting is out of its range."""

    @property
    def settings(self) -> dict[str, Any]:
        """The function's keyword arguments."""
        names = {field.name for field in dataclasses.fields(FunctionLoss)}
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in names
        }

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Return the loss of (fixed, warped) or of what the function compares, shape (batch,)."""
        return type(self).function(tensor(y_true), tensor(y_pred), **self.settings)

    def get_config(self) -> dict[str, Any]:
        """Return the settings, for recreating this loss."""
        return {**super().get_config(), **self.settings}
