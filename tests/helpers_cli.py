"""Calling one command as from the command line."""

import sys

import typer
from typer.testing import CliRunner


def call(command, *arguments):
    app = typer.Typer()
    app.command(cls=getattr(sys.modules[command.__module__], "COMMAND", None))(command)
    arguments = [str(argument) for argument in arguments]
    return CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})
