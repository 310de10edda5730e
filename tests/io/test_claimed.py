"""Two runs into one folder."""

import multiprocessing
import os
import signal

import pytest

from mmzoo.io.atomic import claimed

SPAWN = multiprocessing.get_context("spawn")


def hold(folder, began, go_on):
    with claimed(folder):
        began.set()
        go_on.wait(60)


@pytest.fixture
def other(tmp_path):
    """A run of another process that holds OUT."""
    began, go_on = SPAWN.Event(), SPAWN.Event()
    process = SPAWN.Process(target=hold, args=(tmp_path / "out", began, go_on))
    process.start()
    assert began.wait(60)
    yield process, go_on
    process.kill()
    process.join()


def test_the_later_of_two_runs_into_one_folder_is_refused(other, tmp_path):
    process, go_on = other
    with (
        pytest.raises(ValueError, match="another run is writing into .*out"),
        claimed(tmp_path / "out"),
    ):
        raise AssertionError("the folder is held")
    with claimed(tmp_path / "elsewhere"):
        pass
    go_on.set()
    process.join(60)
    with claimed(tmp_path / "out"):
        pass
    assert not list(tmp_path.iterdir())


def test_folders_made_for_nothing_are_removed(tmp_path):
    with claimed(tmp_path / "a/b/out"):
        pass
    assert not list(tmp_path.iterdir())
    with claimed(tmp_path / "a/b/out"):
        (tmp_path / "a/b/out").mkdir()
    assert [path.name for path in (tmp_path / "a/b").iterdir()] == ["out"]


def test_a_run_that_is_killed_lets_go(other, tmp_path):
    process, _ = other
    os.kill(process.pid, signal.SIGKILL)
    process.join(60)
    with claimed(tmp_path / "out"):
        pass


def test_register_is_refused_while_another_run_writes(other, tmp_path):
    from helpers_cli import call

    from mmzoo.cli.register import register

    result = call(register, "--fixed", "a.nii", "--moving", "b.nii", "--out", tmp_path / "out")
    assert result.exit_code == 1 and "another run is writing into" in result.output
