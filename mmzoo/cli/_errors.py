"""What a command does with an error: a message and exit status 1, a traceback with --debug."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from mmzoo.cli._output import print_error

# How the command line itself ends a command; the base class is public in no version of Typer.
ENDS: tuple[type[BaseException], ...] = (
    typer.Exit,
    typer.Abort,
    *(cls for cls in typer.BadParameter.__mro__ if cls.__name__ == "ClickException"),
)


@contextmanager
def plain_errors() -> Iterator[None]:
    """End the command with a message where the block ends with an error."""
    try:
        yield
    except ENDS:
        raise
    except Exception as error:
        from mmzoo.errors import in_words, is_debugging

        if is_debugging():
            raise
        print_error(f"Error: {in_words(error)}")
        raise typer.Exit(1) from error
