"""The command `mmzoo`: finds its subcommands, one file each in this folder."""

import importlib
import os
import pkgutil
from pathlib import Path

import typer

import mmzoo

# TensorFlow tells of its build at every start; the commands' own output would drown in it.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    help="Multi-modal image registration: data, evaluation and upkeep around deepreg_train.",
)


@app.callback(invoke_without_command=True)
def options(
    version: bool = typer.Option(False, "--version", help="Print the version and exit."),
) -> None:
    """Multi-modal image registration: data, evaluation and upkeep around deepreg_train."""
    if version:
        typer.echo(f"mmzoo {mmzoo.__version__}")
        raise typer.Exit()


def command_names() -> list[str]:
    """Return the subcommands: every file of this folder that is not private and not this one."""
    files = pkgutil.iter_modules([str(Path(__file__).parent)])
    return [file.name for file in files if file.name != "main" and not file.name.startswith("_")]


def register_commands() -> None:
    """Give the app the function `<name>` of each file `<name>.py`, or its `app` of subcommands.

    A file may name the class of its command as `COMMAND`.
    """
    for name in command_names():
        module = importlib.import_module(f"mmzoo.cli.{name}")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=name)
        else:
            app.command(name, cls=getattr(module, "COMMAND", None))(getattr(module, name))


def main() -> None:
    """Run the command line; a mistake of the user ends it with a message, not a traceback."""
    register_commands()
    try:
        app()
    except ValueError as error:
        from mmzoo.errors import is_message

        if not is_message(error):
            raise
        raise SystemExit(f"mmzoo: {error}") from None


if __name__ == "__main__":
    main()
