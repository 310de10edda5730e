"""Adaptations that print where a command's results are, and the next command."""

import logging
import shlex
from pathlib import Path

import tensorflow as tf

from mmzoo.deepreg.adaptations.wrapping import arguments_of, last_results, wrapping
from mmzoo.deepreg.preflight.data import MODES


def name_prediction(train_module) -> None:
    """Print after a training where its checkpoint is, and the commands to predict and evaluate."""
    built = last_results(train_module, "build_config")

    @wrapping(train_module, "train")
    def train(original, *args, **kwargs):
        result = original(*args, **kwargs)
        given = arguments_of(original, args, kwargs)
        config, folder = built[:2]
        checkpoint = tf.train.latest_checkpoint(f"{folder}/save")
        if checkpoint:
            print(after_training(checkpoint, folder, config, given["gpu"]))
        else:
            period = config["train"].get("save_period")
            logging.warning(
                "No checkpoint was saved: train.save_period is %s, and there were fewer epochs.",
                period,
            )
        return result


def name_evaluation(predict_module) -> None:
    """Print after a prediction where it is, and the command to evaluate it."""
    built = last_results(predict_module, "build_config")

    @wrapping(predict_module, "predict")
    def predict(original, *args, **kwargs):
        result = original(*args, **kwargs)
        print(f"prediction: {built[1]}\nnext: {evaluation_of(built[1])}")
        return result


def leave_out_notice(predict_module) -> None:
    """Leave out a warning of DeepReg that names an option the user has not given."""

    def is_of_use(record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith("sample_label is not used in predict")

    predict_module.logging.getLogger().addFilter(is_of_use)


def after_training(checkpoint: str, folder: str, config: dict, gpu: str) -> str:
    """Return where a checkpoint is and the commands that use it.

    Args:
        checkpoint: path without a file ending.
        folder: of the training's logs.
        config: of the training.
        gpu: what `-g` was.
    """
    folders = config["dataset"]["dir"]
    mode = next(mode for mode in reversed(MODES) if folders.get(mode))
    root, name = Path(folder).parent, f"{Path(folder).name}_{mode}"
    logs = "" if str(root) == "logs" else f" --log_root {shlex.quote(str(root))}"
    predict = (
        f'deepreg_predict -g "{gpu}" -k {shlex.quote(checkpoint)} -m {mode} '
        f"-l {shlex.quote(name)}{logs}"
    )
    return f"checkpoint: {checkpoint}\nnext: {predict}\n      {evaluation_of(f'{root}/{name}')}"


def evaluation_of(folder: str) -> str:
    """Return the command that evaluates a prediction."""
    path = Path(folder)
    known = path.name if str(path.parent) == "logs" else folder
    return f"mmzoo evaluate {shlex.quote(known)}"
