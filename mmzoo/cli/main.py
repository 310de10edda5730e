"""The command `mmzoo`: finds its subcommands, one file each in this folder."""

import importlib
import os
import pkgutil
import sys
from pathlib import Path

import typer
from typer.core import TyperGroup

import mmzoo
import mmzoo.onednn  # before TensorFlow
from mmzoo.cli._errors import plain_errors

# TensorFlow tells of its build at every start; the commands' own output would drown in it.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


class LazyCommands(TyperGroup):
    """Finds the subcommands in the files of this folder; imports a file when its name is called.

    A file `<name>.py` has the function `<name>`, or an `app` of subcommands, and may name the class
    of its command as `COMMAND`.
    """

    def list_commands(self, ctx) -> list[str]:
        """Return the names of the subcommands."""
        return command_names()

    def invoke(self, ctx):
        """Run a subcommand; an error ends it with a message, and with a traceback by --debug."""
        with plain_errors():
            return super().invoke(ctx)

    def get_command(self, ctx, cmd_name: str):
        """Return a subcommand; None if there is no such file."""
        names = command_names()
        if cmd_name not in names:
            # The message "Did you mean ..." is made from these.
            self.commands = {name: self.get_command(ctx, name) for name in names}
            return None
        module = importlib.import_module(f"mmzoo.cli.{cmd_name}")
        own = getattr(module, "app", None)
        if own is None:
            own = typer.Typer(add_completion=False)
            own.command(cls=getattr(module, "COMMAND", None))(getattr(module, cmd_name))
        command = typer.main.get_command(own)
        command.name = cmd_name
        return command


app = typer.Typer(
    cls=LazyCommands,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    help="Multi-modal image registration: data, evaluation and upkeep around deepreg_train.",
)


@app.callback(invoke_without_command=True)
def options(
    version: bool = typer.Option(False, "--version", help="Print the version and exit."),
    debug: bool = typer.Option(False, "--debug", help="Show the whole traceback of an error."),
) -> None:
    """Multi-modal image registration: data, evaluation and upkeep around deepreg_train."""
    if version:
        typer.echo(f"mmzoo {mmzoo.__version__}")
        raise typer.Exit()


def command_names() -> list[str]:
    """Return the subcommands: every file of this folder that is not private and not this one."""
    files = pkgutil.iter_modules([str(Path(__file__).parent)])
    return [file.name for file in files if file.name != "main" and not file.name.startswith("_")]


def main() -> None:
    """Run the command line; the option --debug counts wherever it stands."""
    if "--debug" in sys.argv:
        sys.argv.remove("--debug")
        os.environ["MMZOO_DEBUG"] = "1"  # for processes that a command starts, too
    app()


if __name__ == "__main__":
    main()
