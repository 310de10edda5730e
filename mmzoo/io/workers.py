"""Worker processes that do one task at a time, and may be killed or crash during it.

A pool of the standard library waits for a running task when it is stopped, and loses all tasks
when one process crashes; compiled registration code runs for minutes and does crash.
"""

import contextlib
import os
import signal
import tempfile
from collections import deque
from collections.abc import Callable, Generator, Iterable
from multiprocessing import connection, get_context
from typing import Any

# Fresh interpreters: forking one that has threads, as a progress bar has, may hang.
CONTEXT = get_context("spawn")
THREADS = (
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "OMP_NUM_THREADS",
)


class TaskError(Exception):
    """A task that failed; says why."""


def run_tasks(
    function: Callable[[Any], Any], tasks: Iterable[Any], jobs: int, threads: int = 1
) -> Generator[tuple[Any, Any], None, None]:
    """Yield each task with the function's result, or with a TaskError, in the order they end.

    Each process has a temporary folder, which is removed even if it is killed. Closing the iterator
    kills the processes.

    Args:
        function: at the top level of a module, so that other processes find it.
        tasks: arguments, one a call.
        jobs: processes.
        threads: of ITK, and of TensorFlow, in each.
    """
    waiting = deque(tasks)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        workers = [_Worker(function, scratch, threads) for _ in range(min(jobs, len(waiting)))]
        try:
            for worker in workers:
                worker.begin(waiting.popleft())
            while busy := [worker for worker in workers if worker.is_busy]:
                ended = connection.wait([worker.link for worker in busy])
                for worker in [worker for worker in busy if worker.link in ended]:
                    task, result = worker.finish()
                    if waiting:
                        worker.begin(waiting.popleft())
                    yield task, result
        finally:
            for worker in workers:
                worker.kill()


class _Worker:
    """One process and the task it is doing."""

    def __init__(self, function: Callable, scratch: str, threads: int):
        self.function, self.scratch, self.threads = function, scratch, threads
        self.is_busy = False
        self._start()

    def _start(self) -> None:
        self.link, theirs = CONTEXT.Pipe()
        arguments = theirs, self.function, self.scratch, self.threads
        self.process = CONTEXT.Process(target=_serve, args=arguments, daemon=True)
        self.process.start()
        theirs.close()

    def begin(self, task) -> None:
        """Start on a task, in a new process if the last task ended it."""
        if self.link.closed:
            self._start()
        self.task, self.is_busy = task, True
        with contextlib.suppress(OSError):  # `finish` reports a process that has died
            self.link.send(task)

    def finish(self) -> tuple[Any, Any]:
        """Return the task and its result, or its TaskError."""
        self.is_busy = False
        try:
            return self.task, self.link.recv()
        except (EOFError, OSError):
            self.kill()
            code = self.process.exitcode
            reason = f"its process died (exit code {code}); out of memory, or a crash of the tool"
            return self.task, TaskError(reason)

    def kill(self) -> None:
        self.process.kill()
        self.process.join()
        self.link.close()


def _serve(link: connection.Connection, function: Callable, scratch: str, threads: int) -> None:
    """Do tasks until the other end of the pipe is closed, or its process is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C: the parent handles it
    for name in THREADS:  # read when the libraries are loaded
        os.environ[name] = str(threads)
    tempfile.tempdir = scratch
    with contextlib.suppress(EOFError, OSError):
        while True:
            link.send(_outcome(function, link.recv()))


def _outcome(function: Callable, task) -> Any:
    try:
        return function(task)
    except Exception as error:  # a tool may raise anything; the other tasks go on
        reason = str(error) or type(error).__name__
        return TaskError(reason)
