"""Layers of YAML configuration: later files win, and one of them may choose a scale.

A method's file is written at its paper's scale and may say, under `scales`, what changes at a
smaller one; a file with `scale: NAME` then applies that part of the files before it:

    scales:                           scale: laptop
      laptop:
        train: {steps_per_epoch: 500}

so that one file a method is enough, and `-c METHOD DATA scale/laptop.yaml` suits every method.
"""

import copy
from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml

from mmzoo.checks import check_choice

SCALES = ("smoke", "laptop")  # smaller than the papers', which the files are written for


def merge_files(paths: Iterable[str | Path]) -> dict:
    """Merge YAML files in their order and apply the scales they choose.

    Args:
        paths: files that hold a mapping each.

    Returns:
        The configuration, without `scale` and `scales`.

    Raises:
        ValueError: a file is missing, is no YAML or holds no mapping, or names an unknown scale.
            A method that says nothing of a scale is the same at it.
    """
    merged: dict = {}
    scales: dict = {}
    for path in paths:
        content = read_file(path)
        chosen, parts = content.pop("scale", None), content.pop("scales", {})
        for name in [*parts, *([chosen] if chosen is not None else [])]:
            check_choice(f"scale in {path}", name, SCALES)
        merge(scales, parts)
        merge(merged, content)
        merge(merged, scales.get(chosen, {}))
    return merged


def merge(base: dict, other: Mapping) -> dict:
    """Write the entries of a mapping over those of `base`, section by section; return `base`."""
    for key, value in other.items():
        if isinstance(value, Mapping):
            section = base.get(key)
            base[key] = merge(section if isinstance(section, dict) else {}, value)
        else:
            base[key] = copy.deepcopy(value)
    return base


def read_file(path: str | Path) -> dict:
    """Return the mapping in a YAML file; ValueError if there is none."""
    path = Path(path).expanduser()
    if not path.is_file():
        raise ValueError(
            f"There is no configuration file {path}, here or in the zoo; "
            "`mmzoo list configs` names the zoo's."
        )
    try:
        content = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise ValueError(f"The configuration {path} is no YAML: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"The configuration {path} must hold sections, not {content!r}.")
    return content
