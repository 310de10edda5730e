"""The pair with the reference's median Dice: which it is, and what each row predicted of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.engine.results import Results
from mmzoo.evaluation.errors import PredictionError
from mmzoo.evaluation.prediction import open_prediction
from mmzoo.evaluation.volumes import PairData, read_pair


@dataclass(frozen=True)
class Registered:
    """A pair as one row registered it, and the channel of each label."""

    volumes: PairData
    channels: dict[str, int]


def median_pair(results: Results, place: str) -> tuple | None:
    """Return (fold, moving, fixed) of the reference's median Dice on a structure.

    Among the pairs that every row of the tables with cases on these data has; the lower of the two
    in the middle. None if the reference has no cases.
    """
    values = {row: results.values(row, place, "dice") for row in results.methods}
    reference = values[results.paper.content["reference"]]
    for own in values.values():
        if len(own):
            reference = reference[reference.index.isin(own.index)]
    if not len(reference):
        return None
    ranked = reference.sort_values(kind="stable")
    return tuple(ranked.index[(len(ranked) - 1) // 2])


def largest_slice(mask: np.ndarray) -> int:
    """Return the number of the axial slice, the last axis, that cuts the most of a mask."""
    return int(np.argmax(mask.sum(axis=(0, 1))))


def read_registered(folder: Path, pair: tuple, labels: Iterable[str]) -> Registered | None:
    """Return a pair of a prediction folder; None if it, or one of the labels, is not there."""
    try:
        prediction = open_prediction(folder.resolve())
    except PredictionError:
        return None
    channels = {name: channel for channel, name in enumerate(prediction.structures)}
    for entry in prediction.pairs:
        if (entry.moving_name, entry.fixed_name) == pair[1:] and channels.keys() >= set(labels):
            return Registered(read_pair(entry), channels)
    return None
