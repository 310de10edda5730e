"""Which label values files have, and how they are called."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mmzoo.io.images import read_labels


def label_values(files: Iterable[Path]) -> list[int]:
    """Return all values of label maps but 0, the background, in rising order."""
    found: set[int] = set()
    for file in files:
        labels = read_labels(file).image  # kept: the view below has no memory of its own
        found |= set(np.unique(sitk.GetArrayViewFromImage(labels)).tolist())
    return sorted(found - {0})


def label_names(values: list[int], names: list[str] | None) -> list[str]:
    """Return a name for each label value: those given, or "label 1" of value 1.

    Raises:
        ValueError: if there are more or fewer names than values.
    """
    names = names or [f"label {value}" for value in values]
    if len(names) != len(values):
        raise ValueError(
            f"`label-names` must name each of the {len(values)} label values {values}, "
            f"got {len(names)} names."
        )
    return names
