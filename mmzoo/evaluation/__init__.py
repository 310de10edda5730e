"""Evaluation of prediction folders: `mmzoo.evaluation.evaluate(run)` returns the tables.

Imports metrics and plain files only, never TensorFlow, so it starts fast and judges the ops
from outside.
"""

from mmzoo.evaluation.errors import PredictionError
from mmzoo.evaluation.prediction import open_prediction
from mmzoo.evaluation.run import Evaluation, evaluate

__all__ = ["Evaluation", "PredictionError", "evaluate", "open_prediction"]
