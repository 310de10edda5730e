"""Checks of a configuration against that of an earlier run: of a log folder, of a checkpoint."""

import logging
from pathlib import Path

from mmzoo.deepreg.schema import read_written
from mmzoo.errors import PreflightError


def check_log_dir(folder: Path, config: dict) -> None:
    """Raise PreflightError where a folder with checkpoints is of a run of another model.

    Its config.yaml would be overwritten, which its predictions need.

    Args:
        folder: the log folder.
        config: the configuration of the run that is to continue there.
    """
    written = folder / "config.yaml"
    if not (written.exists() and (folder / "save" / "checkpoint").exists()):
        return
    try:
        before = read_written(written)
    except PreflightError:
        logging.warning("%s is damaged and is written anew.", written)
        return
    for section in ("method", "backbone", "translator.generator", "translator.discriminator"):
        old, new = (_entry(train["train"], section) for train in (before, config))
        if old != new:
            raise PreflightError(
                f"The log folder {folder} has checkpoints of a run with train.{section} {old!r}, "
                f"but the configuration says {new!r}. Choose another name after -l, or remove "
                "the folder."
            )


def _entry(section: dict, name: str):
    """Return an entry by its dotted name, None where there is none."""
    first, _, rest = name.partition(".")
    entry = section.get(first)
    return _entry(entry or {}, rest) if rest else entry


def check_same_method(checkpoint: str, config: dict) -> None:
    """Raise PreflightError where the checkpoint was trained with another method.

    Methods may share a network, so equal shapes of weights are not enough.

    Args:
        checkpoint: LOG_FOLDER/save/ckpt-EPOCHS.
        config: the configuration that is to be used with it.
    """
    written = Path(checkpoint).parent.parent / "config.yaml"
    if not written.exists():
        return
    before = read_written(written)["train"]["method"]
    method = config["train"]["method"]
    if before != method:
        raise PreflightError(
            f"The checkpoint {checkpoint} is of method {before!r} (says {written}), but the "
            f"configuration says {method!r}. Use that config.yaml."
        )
