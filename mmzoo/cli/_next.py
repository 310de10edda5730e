"""The command that comes after one that makes data."""

import shlex
from pathlib import Path


def train_with(folder: Path) -> str:
    """Return what trains on prepared data, in words; `CONFIG` and `NAME` are the user's to choose.

    Args:
        folder: of the data.
    """
    fold = shlex.quote(f"{folder}/fold0.yaml")
    return (
        f'Train with: deepreg_train -g "" -c CONFIG {fold} -l NAME (mmzoo list configs names the '
        "configurations)"
    )
