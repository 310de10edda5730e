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

SCALES = ("smoke", "laptop", "night")  # smaller than the papers', which the files are written for

LARGEST = 1_000_000  # bytes of a file
MOST_ENTRIES = 100_000


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
        chosen, parts = content.pop("scale", None), content.pop("scales", None) or {}
        if not isinstance(parts, dict) or not all(isinstance(p, dict) for p in parts.values()):
            raise ValueError(f"`scales` in {path} must hold a section for each scale.")
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
    if path.stat().st_size > LARGEST:
        raise ValueError(
            f"{path} has {path.stat().st_size:,} bytes: that is no configuration, which has a few "
            "thousand."
        )
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise ValueError(f"The configuration {path} is no YAML: {reason}") from error
    if not isinstance(content, dict):
        raise ValueError(f"The configuration {path} must hold sections, not {content!r}.")
    _check_nodes(path, content)
    return content


def _check_nodes(path: Path, content: dict) -> None:
    """Raise ValueError for keys that are no text, and aliases that grow without bound."""
    waiting: list = [content]
    count = 0
    while waiting:
        node = waiting.pop()
        count += 1
        if count > MOST_ENTRIES:
            raise ValueError(
                f"The configuration {path} has more than {MOST_ENTRIES:,} entries, its aliases "
                "(*name) written out: that is no configuration."
            )
        if isinstance(node, dict):
            wrong = [key for key in node if not isinstance(key, str)]
            if wrong:
                raise ValueError(
                    f"The configuration {path} has the key {wrong[0]!r}, which YAML reads as "
                    f"{type(wrong[0]).__name__}; keys are words (quote it if it is meant as one)."
                )
            waiting += node.values()
        elif isinstance(node, (list, tuple, set)):
            waiting += node
