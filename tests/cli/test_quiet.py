"""What TensorFlow writes to the error stream is held back, and let out when it may explain."""

import os

import pytest

from mmzoo.cli._quiet import quiet


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
