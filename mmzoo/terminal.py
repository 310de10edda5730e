"""Progress of long work on the terminal, without TensorFlow's own start-up messages.

This file imports little: the autoload of DeepReg needs it before TensorFlow.
"""

import contextlib
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from typing import TextIO

SECONDS = 30.0  # between two lines of progress where there is no terminal
# Of a stage, the pieces of work that are done, and how many there are (None: not known).
Report = Callable[[str, int, "int | None"], None]


@contextlib.contextmanager
def quiet() -> Iterator[TextIO]:
    """Hold back what is written to the error stream; let it out if the block crashes.

    The message of an error whose cause is known is to stand alone.

    TensorFlow logs its build from C++ before any log level counts, so the file descriptor itself
    is turned away.

    Yields:
        The original error stream, for output within this context.
    """
    with tempfile.TemporaryFile() as held, os.fdopen(os.dup(2), "w", buffering=1) as screen:
        sys.stderr.flush()
        os.dup2(held.fileno(), 2)
        try:
            yield screen
        except (ValueError, OSError):
            raise
        except BaseException as error:
            from mmzoo.errors import is_debugging, known

            if known(error) and not is_debugging():
                raise
            held.seek(0)
            os.write(screen.fileno(), held.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(screen.fileno(), 2)


@contextlib.contextmanager
def progress(stream: TextIO | None = None) -> Iterator[Report]:
    """Show how far stages of work are: a bar each on a terminal, elsewhere a line each 30 seconds.

    Args:
        stream: where to; the error stream by default.

    Yields:
        A function to call with a stage, the pieces done, and how many there are (None while
        that is not known).
    """
    stream = stream or sys.stderr
    with _bars(stream) if stream.isatty() else _lines(stream) as report:
        yield report


@contextlib.contextmanager
def every(seconds: float, call: Callable[[], None]) -> Iterator[None]:
    """Call a function again and again, from a thread of its own, while the block runs."""
    ended = threading.Event()

    def repeat():
        while not ended.wait(seconds):
            call()

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def clock(seconds: float) -> str:
    """Return a duration as h:mm:ss, without hours where there are none."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


@contextlib.contextmanager
def _bars(stream: TextIO) -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    text = TextColumn("{task.description}"), TextColumn("{task.percentage:>3.0f} %")
    columns = text[0], BarColumn(), text[1], TimeElapsedColumn()
    tasks: dict = {}
    with Progress(*columns, console=Console(file=stream), transient=True) as bars:

        def report(stage: str, done: int, total: int | None) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=None)
            bars.update(tasks[stage], completed=done, total=total)

        yield report


@contextlib.contextmanager
def _lines(stream: TextIO) -> Iterator[Report]:
    stages: dict[str, tuple[float, int, int | None]] = {}

    def report(stage: str, done: int, total: int | None) -> None:
        start, *_ = stages.get(stage, (time.monotonic(),))
        stages[stage] = start, done, total

    def write() -> None:
        for stage, (start, done, total) in list(stages.items()):
            spent = time.monotonic() - start
            left = f", {clock(spent / done * (total - done))} left" if done and total else ""
            counted = f" {done} of {total}" if total else ""
            if done != total:
                stream.write(f"{stage}:{counted} after {clock(spent)}{left}\n")
        stream.flush()

    with every(SECONDS, write):
        yield report
