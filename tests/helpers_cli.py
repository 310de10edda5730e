"""Calling one command as from the command line."""

from typer.testing import CliRunner

from mmzoo.cli.main import app


def call(command, *arguments):
    """Call a command, given as its function or in words such as "prepare pairs"."""
    words = command.split() if isinstance(command, str) else [command.__name__]
    return CliRunner().invoke(app, [*words, *map(str, arguments)], env={"COLUMNS": "200"})
