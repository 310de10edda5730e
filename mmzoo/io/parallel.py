"""Independent jobs in parallel processes."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Any


def default_jobs() -> int:
    """Return the number of processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_all(function: Callable, tasks: list[tuple], jobs: int) -> Iterator[Any]:
    """Yield the results of function(*task), as they are finished; the first error ends it.

    Args:
        function: at the top level of a module, so that other processes find it.
        tasks: its arguments.
        jobs: processes at the same time; with one, everything runs in this one.
    """
    if min(jobs, len(tasks)) <= 1:
        for task in tasks:
            yield function(*task)
        return
    # Fresh interpreters: forking one that has threads, as a progress bar has, may hang.
    pool = ProcessPoolExecutor(
        min(jobs, len(tasks)), mp_context=get_context("spawn"), initializer=end_with_parent
    )
    with pool:
        futures = [pool.submit(function, *task) for task in tasks]
        try:
            yield from (future.result() for future in as_completed(futures))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def end_with_parent() -> None:
    """End this process when its parent ends, even if the parent is killed.

    A worker of a pool would otherwise wait for ever for its next task.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_follow, args=(parent,), daemon=True).start()


def _follow(parent) -> None:
    parent.join()
    os._exit(1)
