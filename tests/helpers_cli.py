"""Calling one command as from the command line."""

import typer
from typer.testing import CliRunner


def call(command, *arguments):
    app = typer.Typer()
    app.command()(command)
    arguments = [str(argument) for argument in arguments]
    return CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})
