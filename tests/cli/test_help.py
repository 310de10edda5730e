"""The help of every command says all of what is written for it, defaults included."""

import re

import pytest
import typer
from typer.testing import CliRunner

from mmzoo.cli.main import app


def commands():
    """Return each command with the words that call it."""
    root = typer.main.get_command(app)
    found, todo = [], [((), root)]
    while todo:
        words, command = todo.pop()
        if not hasattr(command, "list_commands"):
            found.append((words, command))
            continue
        context = command.context_class(command, info_name=words[-1] if words else "mmzoo")
        for name in command.list_commands(context):
            todo.append(((*words, name), command.get_command(context, name)))
    return [pytest.param(*each, id=" ".join(each[0])) for each in sorted(found)]


def shown(own, words):
    """Return the printed help, without frames and line ends."""
    printed = CliRunner().invoke(own, [*words, "--help"], env={"COLUMNS": "160"})
    assert printed.exit_code == 0, printed.output
    return bare(printed.output)


def bare(text):
    return re.sub(r"[\s│─╭╮╰╯]+", "", text)


def lost(command, text):
    """Return the options whose help text does not stand whole in the printed help."""
    return [
        option.opts[0]
        for option in command.params
        if not option.help or bare(option.help) not in text
    ]


@pytest.mark.parametrize(("words", "command"), commands())
def test_nothing_of_a_help_text_is_lost(words, command):
    assert lost(command, shown(app, words)) == []


@pytest.mark.parametrize(("words", "command"), commands())
def test_a_default_that_does_something_is_shown(words, command):
    text = shown(app, words)
    for option in command.params:
        default = option.default
        if option.required or default in (None, "", False) or option.name == "help":
            continue
        parts = default if isinstance(default, (tuple, list)) else [default]
        value = option.name.replace("_", "-") if default is True else bare("".join(map(str, parts)))
        after = re.sub(r"[(,]", "", text.partition(bare(option.help))[2])
        assert after.startswith(f"[default:{value}"), (
            f"{option.opts} has the default {default!r}, which its help does not show"
        )


def test_a_default_in_brackets_would_be_found():
    """Rich takes what stands in brackets in a help text for markup."""
    own = typer.Typer(add_completion=False)

    @own.command()
    def eaten(
        size: int = typer.Option(None, help="Voxels [default: 64]."),
        whole: int = typer.Option(None, help="Voxels (default: 64)."),
    ):
        pass

    assert lost(typer.main.get_command(own), shown(own, [])) == ["--size"]
