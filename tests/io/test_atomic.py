"""A file appears whole or not at all: a full disk, a kill, two runs after each other."""

import os
import time

import pytest
from helpers_limits import run

from mmzoo.io.atomic import UNFINISHED, folder_of_files, whole_file, whole_folder

KILLED = -9
WRITE = """
import os, signal, sys
from pathlib import Path
from mmzoo.io.atomic import {what}
with {what}(Path(sys.argv[1])) as partial:
    {write}
    os.kill(os.getpid(), signal.SIGKILL)
"""


def names(folder):
    return sorted(os.listdir(folder))


def test_a_file_that_is_not_finished_leaves_the_earlier_one(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("before")
    with pytest.raises(ZeroDivisionError), whole_file(path) as partial:
        partial.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "before" and names(tmp_path) == ["a.txt"]


def test_a_full_disk_is_an_error_and_leaves_the_earlier_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("before")
    code = WRITE.format(what="whole_file", write="partial.write_bytes(bytes(200_000))")
    result = run(code, path, most_bytes=100_000)
    assert result.returncode == 1 and "File too large" in result.stderr
    assert path.read_text() == "before" and names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize(
    ("what", "write"),
    [
        ("whole_file", "partial.write_text('half')"),
        ("whole_folder", "partial.mkdir(); (partial / 'a').write_text('half')"),
    ],
)
def test_what_a_killed_process_has_left_is_removed_by_the_next(tmp_path, what, write):
    path = tmp_path / "out"
    assert run(WRITE.format(what=what, write=write), path).returncode == KILLED
    assert len(names(tmp_path)) == 1 and names(tmp_path) != ["out"]
    with (whole_file if what == "whole_file" else whole_folder)(path) as partial:
        partial.write_text("whole")
    assert names(tmp_path) == ["out"] and path.read_text() == "whole"


def test_what_a_process_that_runs_is_writing_stays(tmp_path):
    path = tmp_path / "a.txt"
    with whole_file(path) as partial:
        partial.write_text("half")
        result = run(WRITE.format(what="whole_file", write="partial.touch()"), path)
        assert result.returncode == KILLED
        assert partial.read_text() == "half"


def test_a_new_folder_appears_in_one_step_and_others_files_stay_in_an_old_one(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    for number in range(2):
        with folder_of_files(out, ("a", "b")) as partial:
            (partial / "a").write_text(f"{number}")
            assert names(out) == ["own", "a"][: 2 * number] or number
        (out / "own").write_text("mine")
    assert (out / "a").read_text() == "1" and names(out) == ["a", "own"]


def test_a_folder_whose_files_were_being_replaced_is_known_and_can_be_filled_again(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "a").write_text("before")
    code = """
import os, signal, sys
from pathlib import Path
from mmzoo.io import atomic as files
moves, replace = [], os.replace
def slow(*names):
    if len(moves) == 1: os.kill(os.getpid(), signal.SIGKILL)
    moves.append(names)
    replace(*names)
os.replace = slow
with files.folder_of_files(Path(sys.argv[1]), ("a", "b")) as partial:
    for name in "ab": (partial / name).write_text("new")
"""
    assert run(code, out).returncode == KILLED
    assert UNFINISHED in names(out) and "b" not in names(out)
    with folder_of_files(out, ("a", "b")) as partial:
        for name in "ab":
            (partial / name).write_text("again")
    assert names(out) == ["a", "b"] and names(tmp_path) == ["out"]


def test_processes_of_a_pool_end_with_the_one_that_started_them(tmp_path):
    code = """
import os, signal, sys, threading
from pathlib import Path
from mmzoo.io.parallel import run_all
from mmzoo.io import sleepers
if __name__ == "__main__":
    for _ in run_all(sleepers.note, [(sys.argv[1],)] * 4, 2):
        if len(os.listdir(sys.argv[1])) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
"""
    module = tmp_path / "asleep.py"
    module.write_text(
        "import os, time\n"
        "def note(folder):\n"
        "    open(os.path.join(folder, str(os.getpid())), 'w').close()\n"
        "    time.sleep(0.2)\n"
    )
    noted = tmp_path / "noted"
    noted.mkdir()
    code = code.replace("from mmzoo.io import sleepers", f"sys.path.insert(0, {str(tmp_path)!r})")
    code = code.replace("sleepers.note", "__import__('asleep').note")
    assert run(code, noted).returncode == KILLED
    processes = [int(name) for name in names(noted)]
    assert processes
    until = time.monotonic() + 120
    while any(map(_runs, processes)) and time.monotonic() < until:
        time.sleep(0.1)
    assert not any(map(_runs, processes))


def _runs(process):
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
