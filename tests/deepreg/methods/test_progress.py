"""The progress line: short, rewritten on a terminal, one line an epoch in a file."""

import io
import re
import time

import numpy as np
import pytest
import tensorflow as tf

from mmzoo.deepreg.methods.progress import TrainingProgress, clock, terms, with_progress
from mmzoo.framework import keras

LOGS = {
    "loss": -0.57312,
    "loss/image_backward_SEGI": -0.3151,
    "loss/image_backward_SEGI_weighted": -0.3151,
    "val_loss": -0.5,
    "val_loss/image_backward_SEGI": -0.25,
}


def test_each_term_is_named_once():
    assert terms(LOGS) == "loss -0.5731 image_backward -0.3151 val_loss -0.5"


@pytest.mark.parametrize(("seconds", "text"), [(9.6, "0:10"), (75, "1:15"), (3661, "1:01:01")])
def test_durations_are_read_at_a_glance(seconds, text):
    assert clock(seconds) == text


class Terminal(io.StringIO):
    def isatty(self):
        return True


def fit(stream, monkeypatch):
    monkeypatch.setattr("mmzoo.deepreg.methods.progress.REWRITE", 0.0)
    monkeypatch.setenv("COLUMNS", "60")
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile(loss="mse")
    data = np.ones((4, 2)), np.ones((4, 1))
    model.fit(*data, batch_size=1, epochs=2, verbose=0, callbacks=[TrainingProgress(stream)])
    return stream.getvalue()


def test_a_file_gets_one_line_an_epoch(monkeypatch):
    lines = fit(io.StringIO(), monkeypatch).splitlines()
    assert len(lines) == 2
    for epoch, line in enumerate(lines, start=1):
        assert re.match(rf"epoch {epoch}/2 \d+:\d\d \| loss ", line)


def test_a_terminal_gets_every_step_in_the_same_line_and_never_more_than_its_width(monkeypatch):
    text = fit(Terminal(), monkeypatch)
    parts = [part.rstrip("\n") for part in text.split("\r")[1:]]
    assert text.count("\n") == 2 and len(parts) == 1 + 2 * (4 + 1)
    assert re.match(r"epoch 1/2 0/4 \| the first step takes longer", parts[0])
    assert re.match(r"epoch 1/2 2/4 \d+:\d\d left \| loss ", parts[2])
    assert all(len(part) == 59 for part in parts)


class Slow(keras.Sequential):
    """A model whose second step waits until three lines are there."""

    def train_step(self, data):
        tf.py_function(self.wait, [], [])
        return super().train_step(data)

    def wait(self):
        self.steps_begun = getattr(self, "steps_begun", 0) + 1
        while self.steps_begun == 2 and self.stream.getvalue().count("\n") < 3:
            time.sleep(0.01)


def test_a_file_gets_lines_while_a_step_lasts(monkeypatch):
    monkeypatch.setattr("mmzoo.deepreg.methods.progress.SECONDS", 0.01)
    stream = io.StringIO()
    monkeypatch.setattr("sys.stdout", stream)
    model = Slow([keras.layers.Dense(1)])
    model.stream = stream
    model.compile(loss="mse", run_eagerly=True)
    with with_progress(None) as callbacks:
        model.fit(np.ones((2, 2)), np.ones((2, 1)), batch_size=1, verbose=0, callbacks=callbacks)
    lines = stream.getvalue().splitlines()
    assert re.match(r"epoch 1/1 [01]/2 ", lines[0]) and len(lines) >= 4
    assert re.match(r"epoch 1/1 \d+:\d\d \| loss ", lines[-1])
