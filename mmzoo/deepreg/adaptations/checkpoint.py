"""Adaptations of how DeepReg saves and restores a model."""

import logging
import os
import tempfile
from pathlib import Path

import tensorflow as tf

from mmzoo.deepreg.adaptations import seeding
from mmzoo.deepreg.adaptations.wrapping import wrapping
from mmzoo.deepreg.checkpoints import check_whole, epoch_of, named, newest_whole
from mmzoo.errors import PreflightError

WEIGHTS = "model/"  # where a model's variables are in a checkpoint that DeepReg writes


def restore_in_train(train_module) -> None:
    """Start or continue a training without DeepReg's extra training step.

    DeepReg fits one step so that the optimizer has variables to restore; building them is enough,
    and it changes no weight. Without `-k`, training continues from the last checkpoint of the log
    folder and its epoch, so that the same command finishes a run that was killed; DeepReg restores
    the weights too, but counts from epoch 0.
    """

    @wrapping(train_module, "build_checkpoint_callback")
    def build_checkpoint_callback(original, model, dataset, log_dir, save_period, ckpt_path):
        if not _has_weights(model):  # a model of the user's that is built by its first batch
            return original(model, dataset, log_dir, save_period, ckpt_path)
        build_optimizer_variables(model)
        if not named(Path(log_dir) / "save"):  # TensorFlow's manager fails on a damaged one
            (Path(log_dir) / "save" / "checkpoint").unlink(missing_ok=True)
        callback_class = original.__globals__["CheckpointManagerCallback"]
        callback = callback_class(model, log_dir + "/save", period=save_period)
        path = ckpt_path or newest_whole(log_dir + "/save", callback._manager.latest_checkpoint)
        if not path:
            return callback, 0
        epoch = epoch_of(path)
        check_matches(model, path)
        callback.restore(path)
        seeding.go_on_with_data(model, epoch)
        logging.warning("Going on from %s, which has %d epochs behind it.", path, epoch)
        return callback, epoch


def say_when_nothing_is_left(train_module) -> None:
    """Print a message if a run already has all its epochs; DeepReg ends silently."""

    @wrapping(train_module, "build_checkpoint_callback")
    def build_checkpoint_callback(original, model, dataset, log_dir, save_period, ckpt_path):
        callback, epoch = original(model, dataset, log_dir, save_period, ckpt_path)
        epochs = getattr(model, "config", {}).get("epochs", epoch + 1)
        if epoch >= epochs:
            logging.warning(
                "Nothing to train: %d epochs are done and train.epochs is %d; raise it, or give "
                "--max_epochs, to train longer.",
                epoch,
                epochs,
            )
        return callback, epoch


def restore_in_predict(predict_module) -> None:
    """Restore only the weights, without DeepReg's training step and the optimizer's state.

    DeepReg fits one step on the data to be predicted, which takes the memory and the time of
    training, before it restores the weights that this step has changed.
    """

    @wrapping(predict_module, "build_checkpoint_callback")
    def build_checkpoint_callback(original, model, dataset, log_dir, save_period, ckpt_path):
        if not _has_weights(model):
            return original(model, dataset, log_dir, save_period, ckpt_path)
        epoch = epoch_of(ckpt_path)
        check_matches(model, ckpt_path)
        tf.train.Checkpoint(model=model).restore(ckpt_path).expect_partial()
        return None, epoch


def check_matches(model, path: str) -> None:
    """Raise PreflightError unless the checkpoint is whole and holds exactly the model's variables.

    Args:
        model: a model whose variables exist.
        path: a checkpoint written by DeepReg's callback.
    """
    check_whole(path)
    wanted, stored = _shapes_of(model), _shapes_in(path)
    missing = [name for name in wanted if name not in stored]
    other = [name for name in wanted if name in stored and wanted[name] != stored[name]]
    unknown = [name for name in stored if name not in wanted]
    if missing or other or unknown:
        raise PreflightError(
            f"The checkpoint {path} is of another model: of the {len(wanted)} variables of this "
            f"model it lacks {len(missing)} and has {len(other)} in another shape, and "
            f"{len(unknown)} of its own are not in this model. Use the config.yaml in the log "
            "folder of the checkpoint (deepreg_predict without -c does), or a new log folder to "
            "train another model."
        )


def _shapes_of(model) -> dict[str, list[int]]:
    """Return {name in a checkpoint: shape} of a model, by writing one."""
    with tempfile.TemporaryDirectory() as folder:
        return _shapes_in(tf.train.Checkpoint(model=model).write(os.path.join(folder, "model")))


def _shapes_in(path: str) -> dict[str, list[int]]:
    """Return {name: shape} of the model's own variables in a checkpoint, optimizers left out."""
    shapes = tf.train.load_checkpoint(path).get_variable_to_shape_map()
    return {
        name: shape
        for name, shape in shapes.items()
        if name.startswith(WEIGHTS) and not any("optimizer" in part for part in name.split("/"))
    }


def _has_weights(model) -> bool:
    """Whether a model's variables exist before it has seen data."""
    try:
        return len(model.variables) > 0
    except ValueError:  # Keras refuses to list what the first batch will build
        return False


def build_optimizer_variables(model) -> None:
    """Create the variables of a model's optimizers where its own are."""
    from mmzoo.deepreg.methods.base import hooks_of

    with model.distribute_strategy.scope():
        hooks_of(model).build_optimizers(model)
