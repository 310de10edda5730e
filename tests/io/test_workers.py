"""The functions are the standard library's, which another process finds too."""

import os
import tempfile
import time
from pathlib import Path

from mmzoo.io.workers import TaskError, run_tasks


def test_every_task_comes_back_with_its_result():
    results = dict(run_tasks(abs, [-1, -2, -3], jobs=2))
    assert results == {-1: 1, -2: 2, -3: 3}
    assert list(run_tasks(abs, [], jobs=2)) == []


def test_a_task_that_fails_says_why_and_the_others_go_on():
    results = dict(run_tasks(len, ["ab", 7, "c"], jobs=1))
    assert (results["ab"], results["c"]) == (2, 1)
    assert isinstance(results[7], TaskError) and "int" in str(results[7])


def test_a_process_that_dies_is_replaced():
    crash = "__import__('os')._exit(3)"
    results = dict(run_tasks(eval, ["1 + 1", crash, "2 + 2"], jobs=1))
    assert (results["1 + 1"], results["2 + 2"]) == (2, 4)
    assert isinstance(results[crash], TaskError) and "exit code 3" in str(results[crash])


def test_a_process_has_one_itk_thread_and_its_own_place_for_temporary_files():
    ((_, threads),) = run_tasks(os.getenv, ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"], jobs=1)
    assert threads == "1"
    ((_, folder),) = run_tasks(tempfile.mkdtemp, ["left"], jobs=1)
    assert folder.endswith("left") and not Path(folder).exists()


def test_closing_ends_the_tasks_at_once():
    tasks = run_tasks(time.sleep, [0, 600], jobs=2)
    assert next(tasks) == (0, None)
    start = time.monotonic()
    tasks.close()
    assert time.monotonic() - start < 300
