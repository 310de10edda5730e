"""What is seen of long work: its progress; of TensorFlow's messages those that may explain."""

import io
import os
import re
import time

import pytest

from mmzoo import terminal
from mmzoo.terminal import quiet


def noise(error: Exception | None) -> None:
    with quiet():
        os.write(2, b"noise of C++")
        if error is not None:
            raise error


def test_nothing_is_seen_of_a_block_that_ends_well(capfd):
    noise(None)
    assert capfd.readouterr().err == ""


def test_all_is_seen_of_a_block_that_crashes(capfd):
    with pytest.raises(RuntimeError):
        noise(RuntimeError("out of memory"))
    assert "noise of C++" in capfd.readouterr().err


@pytest.mark.parametrize("error", [ValueError("no overlap"), OSError("no such file")])
def test_a_message_to_the_user_stands_alone(capfd, error):
    with pytest.raises(type(error)):
        noise(error)
    assert "noise" not in capfd.readouterr().err


class Terminal(io.StringIO):
    def isatty(self):
        return True


def wait_for(stream, text):
    while text not in stream.getvalue():
        time.sleep(0.005)


def test_a_file_gets_a_line_of_each_stage_that_goes_on(monkeypatch):
    monkeypatch.setattr(terminal, "SECONDS", 0.01)
    stream = io.StringIO()
    with terminal.progress(stream) as report:
        report("linear", 0, None)
        wait_for(stream, "linear: after ")
        report("linear", 1, 1)
        report("pairs", 1, 4)
        wait_for(stream, "pairs: 1 of 4 after ")
        at = len(stream.getvalue())
        while stream.getvalue().count("\n", at) < 3:
            time.sleep(0.005)
        for line in stream.getvalue()[at:].splitlines()[1:3]:
            assert re.fullmatch(r"pairs: 1 of 4 after \d+:\d\d, \d+:\d\d left", line)
        report("pairs", 4, 4)
    done = stream.getvalue()
    time.sleep(0.05)
    assert stream.getvalue() == done


def test_work_that_is_done_at_once_writes_nothing_to_a_file():
    stream = io.StringIO()
    with terminal.progress(stream) as report:
        report("pairs", 4, 4)
    assert stream.getvalue() == ""


def test_a_terminal_has_a_bar_for_each_stage_that_is_gone_in_the_end():
    stream = Terminal()
    with terminal.progress(stream) as report:
        report("linear", 0, None)
        report("pairs", 1, 4)
        wait_for(stream, "25 %")
        report("linear", 1, 1)
        wait_for(stream, "100 %")
    assert "linear" in stream.getvalue() and "pairs" in stream.getvalue()


def test_what_is_shown_meanwhile_is_seen(capfd):
    with quiet() as shown:
        os.write(2, b"noise of C++")
        print("1 of 2", file=shown)
    assert capfd.readouterr().err == "1 of 2\n"


def test_a_call_that_repeats_ends_with_its_block_also_on_an_error():
    calls = []
    with pytest.raises(RuntimeError), terminal.every(0.001, lambda: calls.append(1)):
        while len(calls) < 3:
            time.sleep(0.001)
        raise RuntimeError
    count = len(calls)
    time.sleep(0.02)
    assert len(calls) == count
