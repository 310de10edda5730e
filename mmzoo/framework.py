"""The Keras of this program, which all else in the zoo takes from here.

TensorFlow says which one: Keras 3, unless `TF_USE_LEGACY_KERAS=1` was set before TensorFlow first
used Keras, as importing `deepreg` sets it; then it is tf-keras, which is Keras 2. What the two call
by different names has one name here, so that no other file asks which one it is.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import mmzoo.onednn  # noqa: F401  (before TensorFlow)
from mmzoo import compilation_cache
from mmzoo.errors import NO_TENSORFLOW

try:
    import tensorflow as tf
except ModuleNotFoundError as error:
    if error.name != "tensorflow":
        raise
    raise ModuleNotFoundError(NO_TENSORFLOW, name="tensorflow") from None
compilation_cache.hand_over()


def _check_backend(name: str) -> None:
    if name != "tensorflow":
        raise ImportError(
            "The zoo's models, layers and losses compute with TensorFlow, and Keras 3 runs on "
            f"{name} here: set KERAS_BACKEND=tensorflow before the program starts."
        )


LEGACY = "TF_USE_LEGACY_KERAS"
NAMES = {"keras": "Keras 3", "tf_keras": "Keras 2 (tf-keras)"}

if os.environ.get(LEGACY, "0") in ("", "0"):  # before Keras looks for what it runs on
    _check_backend(os.environ.get("KERAS_BACKEND", "tensorflow"))
NAME = tf.keras.Model.__module__.partition(".")[0]  # of the package
VERSION = 3 if NAME == "keras" else 2
OTHER = {  # how a program runs the other one
    3: f"set {LEGACY}=1 before the program starts, or import deepreg first, for Keras 2",
    2: f"unset {LEGACY}, and do not import deepreg, for Keras 3",
}[VERSION]

if TYPE_CHECKING:
    import tf_keras as keras
else:
    keras = importlib.import_module(NAME)

if NAME == "keras":
    _check_backend(keras.backend.backend())

KerasTensor = keras.KerasTensor if NAME == "keras" else keras.__internal__.KerasTensor


def check_same_keras(*values: Any) -> None:
    """Raise TypeError where one of them, or of their items, is an object of the other Keras."""
    for value in _items(values):
        packages = [cls.__module__.partition(".")[0] for cls in type(value).__mro__]
        other = next((name for name in packages if name in NAMES), NAME)
        if other != NAME:
            raise TypeError(
                f"{type(value).__name__} is of {NAMES[other]}, and this model of {NAMES[NAME]}: "
                f"take it from the package {NAME}, or {OTHER}."
            )


def _items(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _items(item)
    else:
        yield value
