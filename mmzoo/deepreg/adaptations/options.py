"""Adaptation of how a training computes, see `mmzoo.deepreg.training`."""

import types

from mmzoo.deepreg import training


def build_as_asked(train_module) -> None:
    """Let `train.mixed_precision` and `train.jit_compile` say how the step is computed.

    Of the registry, `train` uses `build_model` alone; only the module's own name is rebound.
    """
    train_module.REGISTRY = types.SimpleNamespace(build_model=training.build_model)
