"""Checkpoint files of `deepreg_train`: finding them, and checking that they are complete.

Uses TensorFlow, neither DeepReg nor Keras.
"""

import logging
import os
from pathlib import Path

import tensorflow as tf

from mmzoo.checks import reason_of
from mmzoo.errors import PreflightError


def epoch_of(path: str) -> int:
    """Return the number of epochs of a checkpoint `ckpt-<epochs>`.

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
    """Read a whole checkpoint; return what is wrong with it, or ""."""
    try:
        reader = tf.train.load_checkpoint(path)
        for name in reader.get_variable_to_shape_map():
            reader.get_tensor(name)
    except Exception as error:  # TensorFlow raises many types for damaged files
        return reason_of(error, 0)
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
    """Return the complete checkpoint of most epochs; the last save may have been interrupted.

    Args:
        save: folder of checkpoints.
        first: the preferred one, if it is complete.

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
    """Raise PreflightError if a training would start from epoch 0 and overwrite checkpoints.

    TensorFlow's file `checkpoint` names the one to continue from; without it training restarts.
    """
    there = _by_epochs(save)
    if there and not named(save):
        names = ", ".join(sorted(Path(path).name for path in there))
        raise PreflightError(
            f"{save} holds {names}, but its file `checkpoint`, which names the one that a training "
            "goes on from, is missing, damaged or names another: training would begin anew and "
            f"overwrite them. Go on with -k {there[0]}, or choose another name after -l."
        )


def named(save: Path) -> str | None:
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
