"""Adaptations of how DeepReg saves and restores a model."""

import functools
import logging
import os
import tempfile
from pathlib import Path

import tensorflow as tf

from mmzoo.deepreg.adaptations import seeding
from mmzoo.errors import PreflightError

WEIGHTS = "model/"  # where a model's variables are in a checkpoint that DeepReg writes


def restore_in_train(train_module) -> None:
    """Start or continue a training without training a step beforehand.

    DeepReg fits one step so that the optimizer has variables to restore; building them is enough,
    and it changes no weight. Without `-k`, a log folder that holds checkpoints is gone on from at
    the epoch of its last one, so that the same command finishes a run that was killed; DeepReg
    restores the weights there too, but counts from epoch 0.
    """
    original = train_module.build_checkpoint_callback

    @functools.wraps(original)
    def build_checkpoint_callback(model, dataset, log_dir, save_period, ckpt_path):
        if not _has_weights(model):  # a model of the user's that is built by its first batch
            return original(model, dataset, log_dir, save_period, ckpt_path)
        build_optimizer_variables(model)
        if not _named(Path(log_dir) / "save"):  # a damaged one stops TensorFlow's manager
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

    train_module.build_checkpoint_callback = build_checkpoint_callback


def say_when_nothing_is_left(train_module) -> None:
    """Say so when a run already has its epochs, instead of ending without a word."""
    original = train_module.build_checkpoint_callback

    @functools.wraps(original)
    def build_checkpoint_callback(model, dataset, log_dir, save_period, ckpt_path):
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

    train_module.build_checkpoint_callback = build_checkpoint_callback


def restore_in_predict(predict_module) -> None:
    """Restore the weights alone: no step of training, no optimizer state.

    DeepReg fits one step on the data to be predicted, which takes the memory and the time of
    training, before it restores the weights that this step has changed.
    """
    original = predict_module.build_checkpoint_callback

    @functools.wraps(original)
    def build_checkpoint_callback(model, dataset, log_dir, save_period, ckpt_path):
        if not _has_weights(model):
            return original(model, dataset, log_dir, save_period, ckpt_path)
        epoch = epoch_of(ckpt_path)
        check_matches(model, ckpt_path)
        tf.train.Checkpoint(model=model).restore(ckpt_path).expect_partial()
        return None, epoch

    predict_module.build_checkpoint_callback = build_checkpoint_callback


def epoch_of(path: str) -> int:
    """Return the number of epochs behind a checkpoint `ckpt-<epochs>`.

    Raises:
        PreflightError: the name is of another form (DeepReg's message).
    """
    epochs = path.split("-")[-1]
    if not epochs.isdigit():
        raise PreflightError(
            f"Checkpoint path for checkpoint manager must be of form ckpt-epoch_count, got {path}"
        )
    return int(epochs)


def check_exists(path: str) -> None:
    """Raise PreflightError unless there is a checkpoint of this name; name those there are."""
    if os.path.exists(path + ".index"):
        return
    there = sorted(file.stem for file in Path(path).parent.glob("ckpt-*.index"))
    hint = f"that folder has {', '.join(there)}" if there else "that folder has no checkpoint"
    raise PreflightError(
        f"There is no checkpoint {path}: {hint}. Give it as LOG_FOLDER/save/ckpt-EPOCHS, "
        "without a file ending."
    )


def damage_of(path: str) -> str:
    """Return what is wrong with a checkpoint, all of which is read; nothing if it is whole."""
    try:
        reader = tf.train.load_checkpoint(path)
        for name in reader.get_variable_to_shape_map():
            reader.get_tensor(name)
    except Exception as error:  # TensorFlow raises half a dozen kinds for what is damaged
        return (str(error).strip().splitlines() or [type(error).__name__])[0]
    return ""


def check_whole(path: str) -> None:
    """Raise PreflightError unless a checkpoint of this name is there and can be read to its end."""
    check_exists(path)
    damage = damage_of(path)
    if damage:
        others = [name for name in _by_epochs(Path(path).parent) if not damage_of(name)]
        hint = f"the newest whole one there is {others[0]}" if others else "no other there is whole"
        raise PreflightError(f"The checkpoint {path} is damaged ({damage}); {hint}.")


def newest_whole(save: str | Path, first: str | None = None) -> str | None:
    """Return the whole checkpoint of most epochs, for the last save may have been interrupted.

    Args:
        save: folder of checkpoints.
        first: the one to take before all others if it is whole.

    Returns:
        None for a folder without any.

    Raises:
        PreflightError: none is whole.
    """
    found = _by_epochs(Path(save))
    for path in dict.fromkeys([first, *found] if first else found):
        damage = damage_of(path)
        if not damage:
            return path
        logging.warning("The checkpoint %s is damaged (%s): an earlier one is taken.", path, damage)
    if found:
        raise PreflightError(
            f"No checkpoint in {save} is whole; choose another folder, or remove this one to train "
            "from the start."
        )
    return None


def check_goes_on(save: Path) -> None:
    """Raise PreflightError where a training would begin anew and overwrite checkpoints.

    TensorFlow's file `checkpoint` names the one to go on from; without it there is none.
    """
    there = _by_epochs(save)
    if there and not _named(save):
        names = ", ".join(sorted(Path(path).name for path in there))
        raise PreflightError(
            f"{save} holds {names}, but its file `checkpoint`, which names the one that a training "
            "goes on from, is missing, damaged or names another: training would begin anew and "
            f"overwrite them. Go on with -k {there[0]}, or choose another name after -l."
        )


def _named(save: Path) -> str | None:
    """Return the checkpoint that TensorFlow's file `checkpoint` names; None if it is damaged."""
    try:
        return tf.train.latest_checkpoint(str(save))
    except ValueError:
        return None


def _by_epochs(save: Path) -> list[str]:
    """Return the checkpoints of a folder, that of most epochs first."""
    names = [file.stem for file in save.glob("ckpt-*.index")]
    epochs = sorted((int(name[5:]) for name in names if name[5:].isdigit()), reverse=True)
    return [str(save / f"ckpt-{number}") for number in epochs]


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
    """Say whether a model's variables exist before it has seen data."""
    try:
        return len(model.variables) > 0
    except ValueError:  # Keras refuses to list what the first batch will build
        return False


def build_optimizer_variables(model) -> None:
    """Create the variables of a model's optimizers where its own are."""
    from mmzoo.deepreg.methods.base import hooks_of

    with model.distribute_strategy.scope():
        hooks_of(model).build_optimizers(model)
