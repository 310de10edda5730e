"""Adaptations of how DeepReg reads its configuration."""

import collections.abc
import copy
import tempfile
import types
from pathlib import Path

import yaml

from mmzoo.config_merge import merge_files, read_file
from mmzoo.deepreg.adaptations.wrapping import wrapping
from mmzoo.deepreg.catalogue import zoo_file
from mmzoo.framework import keras
from mmzoo.io.atomic import write_text


def give_mapping(parser) -> None:
    """Give the parser `collections.Mapping`, which left `collections` in Python 3.10.

    Only the name `collections` in the parser's module is replaced; the global module stays
    unchanged.
    """
    parser.collections = types.SimpleNamespace(abc=collections.abc, Mapping=collections.abc.Mapping)


def let_losses_be_absent(parser) -> None:
    """Make the sections of `train.loss`, and their weights, optional.

    Networks are built without them, with a default weight of 1, but `config_sanity_check` reads all
    three weights: they are added for the check and removed from its result.
    """

    @wrapping(parser, "config_sanity_check")
    def config_sanity_check(original, config):
        filled, added = _fill_losses(config)
        result = original(filled)
        for section, key in added:
            _remove(result["train"]["loss"], section, key)
        return result


def find_zoo_files(parser) -> None:
    """Let `-c mmregnet/mmregnet.yaml` name a configuration of the zoo from any folder.

    A file of that name in the current folder comes first.
    """

    @wrapping(parser, "load_configs")
    def load_configs(original, config_path):
        paths = [config_path] if isinstance(config_path, str) else config_path
        return original([zoo_file(path) for path in paths])


def choose_scale(parser) -> None:
    """Apply the `scales` of a configuration, see `mmzoo.config_merge`.

    Files with neither `scale` nor `scales` are read by DeepReg's code.
    """

    @wrapping(parser, "load_configs")
    def load_configs(original, config_path):
        paths = [config_path] if isinstance(config_path, str) else config_path
        if not any({"scale", "scales"} & read_file(path).keys() for path in paths):
            return original(config_path)
        with tempfile.TemporaryDirectory() as folder:
            merged = Path(folder) / Path(paths[0]).name
            merged.write_text(yaml.safe_dump(merge_files(paths)))
            return original(str(merged))


def save_whole(parser) -> None:
    """Make the write of a configuration atomic.

    DeepReg empties config.yaml before it writes, also when a training continues: if it is killed
    then, its checkpoints cannot be used any more.
    """

    def save(config, out_dir, filename="config.yaml"):
        assert filename.endswith(".yaml")  # noqa: S101  (as DeepReg has it)
        write_text(Path(out_dir) / filename, yaml.dump(config))

    parser.save = save


def _fill_losses(config: dict) -> tuple[dict, list[tuple[str, str | None]]]:
    """Return a copy of the configuration with all loss weights, and the keys that were added."""
    filled = copy.deepcopy(config)
    added: list[tuple[str, str | None]] = []
    losses = filled.get("train", {}).get("loss", {})
    given = {**losses, **losses.get("dissimilarity", {})}  # 0.1.1 nested image and label deeper
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

    DeepReg hands `{class_name: ExponentialDecay, config: {...}}` to the optimizer as a mapping,
    which fails.
    """

    @wrapping(optimizer_module, "build_optimizer")
    def build_optimizer(original, optimizer_config):
        rate = optimizer_config.get("learning_rate")
        if isinstance(rate, collections.abc.Mapping):
            schedule = keras.optimizers.schedules.deserialize(copy.deepcopy(dict(rate)))
            optimizer_config = {**optimizer_config, "learning_rate": schedule}
        return original(optimizer_config)
