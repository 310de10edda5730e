"""Adaptations of how DeepReg reads its configuration."""

import collections.abc
import copy
import functools
import tempfile
import types
from pathlib import Path

import yaml

from mmzoo.config_merge import merge_files, read_file
from mmzoo.deepreg.catalogue import zoo_file
from mmzoo.framework import keras
from mmzoo.io.atomic import whole_file


def give_mapping(parser) -> None:
    """Give the parser `collections.Mapping`, which left `collections` in Python 3.10.

    Only the parser's own name `collections` is rebound: the global module stays as Python has it,
    or other programs would start to depend on the alias.
    """
    parser.collections = types.SimpleNamespace(abc=collections.abc, Mapping=collections.abc.Mapping)


def let_losses_be_absent(parser) -> None:
    """Let `train.loss` do without an image, label or regularization section, or its weight.

    The network builds without them and gives a weight of 1, but `config_sanity_check` looks all
    three weights up. What is absent is filled in for the check and taken out of its result.
    """
    original = parser.config_sanity_check

    @functools.wraps(original)
    def config_sanity_check(config):
        filled, added = _fill_losses(config)
        result = original(filled)
        for section, key in added:
            _remove(result["train"]["loss"], section, key)
        return result

    parser.config_sanity_check = config_sanity_check


def find_zoo_files(parser) -> None:
    """Let `-c mmregnet/mmregnet.yaml` name a configuration of the zoo from any folder.

    A file of that name in the current folder comes first.
    """
    original = parser.load_configs

    @functools.wraps(original)
    def load_configs(config_path):
        paths = [config_path] if isinstance(config_path, str) else config_path
        return original([zoo_file(path) for path in paths])

    parser.load_configs = load_configs


def choose_scale(parser) -> None:
    """Let a configuration hold what changes at a smaller scale, see `mmzoo.config_merge`.

    Files that use neither `scale` nor `scales` go DeepReg's own way.
    """
    original = parser.load_configs

    @functools.wraps(original)
    def load_configs(config_path):
        paths = [config_path] if isinstance(config_path, str) else config_path
        if not any({"scale", "scales"} & read_file(path).keys() for path in paths):
            return original(config_path)
        with tempfile.TemporaryDirectory() as folder:
            merged = Path(folder) / Path(paths[0]).name
            merged.write_text(yaml.safe_dump(merge_files(paths)))
            return original(str(merged))

    parser.load_configs = load_configs


def save_whole(parser) -> None:
    """Write a configuration whole or not at all.

    DeepReg empties config.yaml before it writes, also where a training goes on: killed in between,
    it leaves checkpoints that nothing can read any more.
    """

    def save(config, out_dir, filename="config.yaml"):
        assert filename.endswith(".yaml")  # noqa: S101  (as DeepReg has it)
        with whole_file(Path(out_dir) / filename) as partial:
            partial.write_text(yaml.dump(config))

    parser.save = save


def _fill_losses(config: dict) -> tuple[dict, list[tuple[str, str | None]]]:
    """Return a copy of the configuration with all loss weights, and what was added to it."""
    filled = copy.deepcopy(config)
    added: list[tuple[str, str | None]] = []
    losses = filled.get("train", {}).get("loss", {})
    given = {**losses, **losses.get("dissimilarity", {})}  # 0.1.1 wrote image and label deeper
    for section in ("image", "label", "regularization"):
        if section not in given:
            losses[section] = {"name": "absent", "weight": 1.0}
            added.append((section, None))
        elif "weight" not in given[section]:
            given[section]["weight"] = 1.0
            added.append((section, "weight"))
    return filled, added


def _remove(losses: dict, section: str, key: str | None) -> None:
    """Take a whole loss section out, or one key of it."""
    if key is None:
        del losses[section]
    else:
        del losses[section][key]


def build_learning_rate_schedule(optimizer_module) -> None:
    """Let `train.optimizer.learning_rate` be a schedule, in Keras's own serialised form.

    `{class_name: ExponentialDecay, config: {...}}` is handed to the optimizer as it is by DeepReg,
    which then fails when it computes with the mapping.
    """
    original = optimizer_module.build_optimizer

    @functools.wraps(original)
    def build_optimizer(optimizer_config):
        rate = optimizer_config.get("learning_rate")
        if isinstance(rate, collections.abc.Mapping):
            schedule = keras.optimizers.schedules.deserialize(copy.deepcopy(dict(rate)))
            optimizer_config = {**optimizer_config, "learning_rate": schedule}
        return original(optimizer_config)

    optimizer_module.build_optimizer = build_optimizer
