"""Adaptation of how a training computes, see `mmzoo.deepreg.training`."""

import types

from mmzoo.deepreg import training


def build_as_asked(train_module) -> None:
    """Apply `train.mixed_precision` and `train.jit_compile`.

    `train` uses only `build_model` of the registry; its module's own name is replaced.
    """
    train_module.REGISTRY = types.SimpleNamespace(build_model=training.build_model)
