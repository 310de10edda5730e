"""Adaptations of DeepReg's commands: checks before they work, seeds, and short messages."""

import os
from copy import deepcopy
from pathlib import Path

from mmzoo.checks import check_positive
from mmzoo.config_merge import merge_files
from mmzoo.deepreg import checkpoints, training
from mmzoo.deepreg.adaptations import seeding
from mmzoo.deepreg.adaptations.wrapping import arguments_of, wrapping
from mmzoo.deepreg.catalogue import zoo_file
from mmzoo.deepreg.preflight import configuration, data, earlier_run, sampling
from mmzoo.deepreg.schema import read_written
from mmzoo.errors import PreflightError, is_debugging, known


def check_before_training(train_module) -> None:
    """Check configuration, folders and checkpoint before the log folder is touched, then seed.

    DeepReg first overwrites config.yaml in the log folder, and fails on a misspelt name or a
    missing folder later, with a traceback.
    """

    @wrapping(train_module, "build_config")
    def build_config(original, *args, **kwargs):
        given = arguments_of(original, args, kwargs)
        config = _read(train_module.config_parser, given["config_path"])
        sampling.check_patches_fit(config)
        for mode in ("train", "valid"):
            data.check_folders(config["dataset"], mode)
        if not config["dataset"]["dir"].get("train"):
            raise PreflightError(
                "`dataset.dir.train` is empty: there is nothing to train on. Name the folder."
            )
        configuration.check_labelled(config)
        configuration.check_field_size(config)
        if given["log_dir"]:
            folder = Path(given["log_root"]).expanduser() / given["log_dir"]
            earlier_run.check_log_dir(folder, config)
            if not given["ckpt_path"]:
                checkpoints.check_goes_on(folder / "save")
        _check_checkpoint(given["ckpt_path"], config)
        training.warn_of_options(config["train"])
        result = original(*args, **kwargs)
        seeding.seed_run(config["train"].get("seed"))
        return result


def check_before_prediction(predict_module) -> None:
    """Check checkpoint and configuration before prediction, and seed it.

    A checkpoint that is given relative to its own log folder (`save/ckpt-1`) is completed: DeepReg
    looks for config.yaml two folders up in that text, which gives `/config.yaml`.
    """

    @wrapping(predict_module, "build_config")
    def build_config(original, config_path, log_root, log_dir, ckpt_path):
        path = os.path.expanduser(ckpt_path)
        if not path.endswith(".ckpt"):
            checkpoints.check_exists(path)
        beside = str(Path(path).absolute().parent.parent / "config.yaml")
        if not config_path and Path(beside).is_file():
            read_written(Path(beside))
        config = _read(predict_module.config_parser, config_path or beside)
        _check_checkpoint(path, config)
        if config_path == "" and path.count("/") < 2:
            ckpt_path = os.path.abspath(path)
        result = original(config_path, log_root, log_dir, ckpt_path)
        seeding.seed_run(config["train"].get("seed"))
        return result


def check_data(module) -> None:
    """Read all images of a split before it is used, and name files with bad values.

    Otherwise a NaN shows only in the loss, epochs later, and a constant image becomes zeros.
    """

    @wrapping(module, "build_dataset")
    def build_dataset(original, dataset_config, preprocess_config, mode, training, repeat):
        data.check_mode(mode)
        data.check_folders(dataset_config, mode)
        result = original(dataset_config, preprocess_config, mode, training, repeat)
        if result[0] is not None:
            data.check_images(result[0])
        return result


def set_epoch_length(train_module) -> None:
    """Let `train.steps_per_epoch` say how many steps an epoch has, whatever the number of pairs.

    DeepReg's epoch is one pass over the pairs: one step where there is one pair, thousands where
    every moving image meets every fixed one; checkpoints and validation come with the epochs.
    """
    wanted: dict = {}

    @wrapping(train_module, "build_config")
    def build_config(original, *args, **kwargs):
        result = original(*args, **kwargs)
        wanted["steps"] = result[0]["train"].get("steps_per_epoch")
        if wanted["steps"] is not None:
            check_positive("train.steps_per_epoch", wanted["steps"])
        return result

    @wrapping(train_module, "build_dataset")
    def build_dataset(original, *args, **kwargs):
        loader, dataset, steps = original(*args, **kwargs)
        mode = arguments_of(original, args, kwargs)["mode"]
        return loader, dataset, (mode == "train" and wanted.get("steps")) or steps


def require_data(predict_module) -> None:
    """Raise an error that names the empty entry when there is nothing to predict."""

    @wrapping(predict_module, "build_dataset")
    def build_dataset(original, dataset_config, preprocess_config, mode, training, repeat):
        result = original(dataset_config, preprocess_config, mode, training, repeat)
        if result[0] is None:
            raise PreflightError(
                f"`dataset.dir.{mode}` is empty: there is nothing to predict on. Give a "
                "configuration that names the folder, or another --mode."
            )
        return result


def speak_shortly(module) -> None:
    """End a command on a user's mistake with a message and exit code 1, without a traceback.

    Errors whose cause is known are shortened, and only on the terminal: a call from Python with
    arguments gets the exception. Others may come from code of the user's own, a loss or a method,
    and keep their traceback; `MMZOO_DEBUG=1` shows that of any.
    """

    @wrapping(module, "main")
    def main(original, args=None):
        try:
            return original(args)
        except Exception as error:
            message = known(error)
            if args is not None or message is None or is_debugging():
                raise
            name = "deepreg_" + module.__name__.rpartition(".")[2]
            raise SystemExit(f"{name}: {message}") from None


def _read(parser, paths) -> dict:
    """Merge configuration files, check the result, and return it in DeepReg's current form."""
    files = [paths] if isinstance(paths, str) else paths
    merged = merge_files(zoo_file(path) for path in files)
    configuration.check_sections(merged)
    try:
        config = parser.config_sanity_check(deepcopy(merged))
    except (TypeError, KeyError, AttributeError) as error:
        configuration.check_keys(merged)  # says which key DeepReg fails on
        raise PreflightError(
            f"DeepReg cannot read the configuration: {type(error).__name__} {error}. Network, "
            "optimizer and each of the losses image, label and regularization need a `name`."
        ) from error
    configuration.check_keys(config)
    configuration.check_names(config)
    sampling.check_sampling(config)
    training.check_options(config["train"])
    return config


def _check_checkpoint(path: str, config: dict) -> None:
    """Check a checkpoint that the user names, if any, against the configuration."""
    path = os.path.expanduser(path)
    if path and not path.endswith(".ckpt"):
        checkpoints.epoch_of(path)
        checkpoints.check_exists(path)
        earlier_run.check_same_method(path, config)
