"""Options of `train`, off by default: precision, compilation and initial weights.

    mixed_precision: true     networks compute in bfloat16, see `mmzoo.layers.precision`
    jit_compile: true         XLA compiles the whole step; `auto`: where there is a GPU
    initial_weights: NAME     of a preset whose network is the same, for the first step

The first two do not change the model: weights are float32 and checkpoints have the same variables.
Predictions are always computed in float32.
"""

import functools
import logging
import os

from mmzoo import onednn
from mmzoo.checks import closest
from mmzoo.deepreg import presets
from mmzoo.errors import PreflightError

AUTO = "auto"
CHOICES = {"mixed_precision": (True, False), "jit_compile": (True, False, AUTO)}
INITIAL = "initial_weights"  # of `train`: a preset to begin with
TENSOR_CORES = (8, 0)  # first compute capability of NVIDIA with bfloat16

COMPILED_ON_CPU = (
    "train.jit_compile is on and there is no GPU: XLA's convolutions on a processor take many "
    "times as long as TensorFlow's. Leave it out, or say `auto` for GPUs alone."
)
WITHOUT_ONEDNN = (
    "TensorFlow runs without oneDNN, as it does by itself on processors without AVX512: a training "
    f"step takes several times as long. {onednn.REMEDY}."
)
WITHOUT_GPU = (
    "`-g %s` asks for a GPU and TensorFlow sees none: the training runs on the processor. `mmzoo "
    'doctor` says what to mend; `-g ""` is for processors.'
)
MIXED_ON_CPU = (
    "train.mixed_precision is on and there is no GPU: most processors convert each bfloat16 "
    "product, which takes longer than float32. Leave it out."
)
OWN_METHOD_ON_SEVERAL = (
    "On %d GPUs the method %r counts similarities 1/%d as much beside its regulariser as on one: "
    "multiply `train.loss.image.weight` and `train.loss.label.weight` by %d, or use a method of "
    "the zoo, as direct-ddf, which is the same on any number."
)
MIXED_ON_OLD_GPU = (
    "train.mixed_precision is on, and the GPU has compute capability %d.%d: bfloat16 is fast from "
    "%d.%d on. Leave it out."
)


def build_model(config: dict):
    """Return DeepReg's model, built with the options of `train`.

    On several GPUs DeepReg divides the losses by their number, and so does Keras; here only Keras
    does.

    Args:
        config: what DeepReg's registry takes, `config["config"]` that section.
    """
    from deepreg.registry import REGISTRY

    from mmzoo.layers.precision import mixed_networks

    train = config["config"]
    config = {**config, "num_devices": 1}
    with mixed_networks(train.get("mixed_precision", False)):
        model = REGISTRY.build_model(config)
    if train.get(INITIAL):
        presets.set_weights(network_of(model), presets.paths()[train[INITIAL]])
    if compiles_step(train):
        model.compile = functools.partial(model.compile, jit_compile=True)
    return model


def network_of(model):
    """Return the network of DeepReg's model."""
    from mmzoo.framework import keras

    (network,) = (layer for layer in model._model.layers if isinstance(layer, keras.Model))
    return network


def compiles_step(train: dict) -> bool:
    """Whether XLA compiles the training step on this machine."""
    asked = train.get("jit_compile", False)
    return bool(_gpus()) if asked == AUTO else asked


def check_options(train: dict) -> None:
    """Raise PreflightError where an option has an unknown value, or its name is misspelt.

    Args:
        train: the section of that name.
    """
    for key in train:
        meant = closest(str(key), CHOICES, at_least=0.8)
        if meant and key not in CHOICES:
            raise PreflightError(f"`train` has {key!r}: did you mean {meant!r}?")
    for key, choices in CHOICES.items():
        if repr(train.get(key, False)) not in map(repr, choices):  # 1 is no True
            raise PreflightError(
                f"`train.{key}` must be {' or '.join(map(_as_yaml, choices))}, got {train[key]!r}; "
                "leave it out for false."
            )
    if train.get(INITIAL):
        _check_initial(train)


def _check_initial(train: dict) -> None:
    """Raise PreflightError where there is no such preset, or its network is another."""
    there = presets.paths()
    if train[INITIAL] not in list(there):
        raise PreflightError(
            f"There is no preset {train[INITIAL]!r} for `train.{INITIAL}`; `mmzoo list presets` "
            f"names {', '.join(there) or 'those that were added, none yet'}."
        )
    about = presets.read_about(there[train[INITIAL]])
    ours, theirs = (_architecture(each["backbone"]) for each in (train, about.train))
    if ours != theirs:
        raise PreflightError(
            f"`train.{INITIAL}` is the preset {train[INITIAL]!r}, of the network {theirs}, and "
            f"`train.backbone` is {ours}: both must be the same."
        )


def _architecture(backbone: dict) -> dict:
    """Return the settings of a network that determine its weights' shapes."""
    return {key: value for key, value in backbone.items() if not key.endswith("_initializer")}


def warn_of_options(train: dict) -> None:
    """Say where an option, an unseen GPU, or oneDNN left off costs time on this machine.

    And where DeepReg's own methods train another loss on several GPUs.
    """
    mixed, gpus = train.get("mixed_precision", False), _gpus()
    if not gpus and not onednn.is_on() and os.environ.get(onednn.VARIABLE) != "0":
        logging.warning(WITHOUT_ONEDNN)
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")  # DeepReg has written `-g` there
    if not gpus and visible not in ("", "-1"):
        logging.warning(WITHOUT_GPU, visible)
    if len(gpus) > 1 and not _is_of_the_zoo(train["method"]):
        several = len(gpus)
        logging.warning(OWN_METHOD_ON_SEVERAL, several, train["method"], several, several)
    if compiles_step(train) and not gpus:
        logging.warning(COMPILED_ON_CPU)
    if mixed and not gpus:
        logging.warning(MIXED_ON_CPU)
    for capability in {_capability(gpu) for gpu in gpus if mixed}:
        if capability < TENSOR_CORES:
            logging.warning(MIXED_ON_OLD_GPU, *capability, *TENSOR_CORES)


def _is_of_the_zoo(method: str) -> bool:
    from mmzoo.deepreg.plugins import PLUGINS

    return any(row.category == "model_class" and row.name == method for row in PLUGINS)


def _as_yaml(value) -> str:
    return str(value).lower()


def _gpus() -> list:
    import tensorflow as tf

    return tf.config.list_physical_devices("GPU")


def _capability(gpu) -> tuple[int, int]:
    """Return the compute capability of a GPU; a high one where it is not known."""
    import tensorflow as tf

    details = tf.config.experimental.get_device_details(gpu)
    return tuple(details.get("compute_capability") or TENSOR_CORES)
