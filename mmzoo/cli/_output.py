"""What commands print alike: notes, and the command that comes next."""

import shlex
import sys
from collections.abc import Iterable
from pathlib import Path

import typer


def command_line() -> str:
    """Return what the user typed, as it is kept beside results."""
    return " ".join(["mmzoo", *sys.argv[1:]])


def print_notes(notes: Iterable[str]) -> None:
    """Print what the user should know of a result, on the error stream."""
    for note in notes:
        typer.secho(f"Note: {note}", fg="yellow", err=True)


def print_error(text: str) -> None:
    """Print what went wrong, on the error stream."""
    typer.secho(text, fg="red", err=True)


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
