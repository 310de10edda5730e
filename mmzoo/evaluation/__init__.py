"""Evaluation of prediction folders: `mmzoo.evaluation.evaluate(run)` returns the tables.

Imports metrics and plain files only, never TensorFlow, so it starts fast and judges the ops
from outside; and tables only when they are asked for, since others use parts of it alone.
"""

from typing import Any

LAZY = {
    "Evaluation": "run",
    "PredictionError": "errors",
    "evaluate": "run",
    "open_prediction": "prediction",
}
__all__ = ["Evaluation", "PredictionError", "evaluate", "open_prediction"]


def __getattr__(name: str) -> Any:
    """Return what `LAZY` names."""
    if name not in LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{LAZY[name]}"), name)
