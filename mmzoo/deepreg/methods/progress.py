"""One line of progress while a model trains, where Keras would print twelve numbers over eight."""

from __future__ import annotations

import shutil
import sys
import time

import tf_keras as keras

SECONDS_BETWEEN = {True: 0.2, False: 30.0}  # on a terminal, in a file


class TrainingProgress(keras.callbacks.Callback):
    """Prints epoch, step, time left and the loss terms; on a terminal the line is rewritten."""

    def __init__(self, stream=None):
        """Print to a stream, standard output by default."""
        super().__init__()
        self.stream = stream or sys.stdout

    def on_epoch_begin(self, epoch, logs=None):
        """Start the clock of the epoch."""
        self.epoch, self.start, self.last = epoch, time.monotonic(), time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        """Print the line, if it is time."""
        now = time.monotonic()
        if now - self.last >= SECONDS_BETWEEN[self.stream.isatty()]:
            self.last = now
            done, steps = batch + 1, self.params["steps"]
            left = f"{clock((now - self.start) / done * (steps - done))} left" if steps else ""
            self._print(f"{done}/{steps or '?'} {left}", logs)

    def on_epoch_end(self, epoch, logs=None):
        """Print the epoch's means, and those of the validation."""
        self._print(clock(time.monotonic() - self.start), logs, end="\n")

    def _print(self, state: str, logs: dict, end: str = ""):
        line = f"epoch {self.epoch + 1}/{self.params['epochs']} {state} | {terms(logs)}"
        if self.stream.isatty():
            width = shutil.get_terminal_size().columns - 1
            self.stream.write(f"\r{line[:width]:<{width}}{end}")
        else:
            self.stream.write(line + "\n")
        self.stream.flush()


def terms(logs: dict | None) -> str:
    """Return the loss and its terms; `loss/image_SEGI` is called `image`.

    The weighted twin of each term, and the terms of the validation, are left to TensorBoard.
    """
    words = []
    for key, value in (logs or {}).items():
        if key.startswith("loss/") and not key.endswith("_weighted"):
            words.append(f"{key[5:].rpartition('_')[0]} {float(value):.4g}")
        elif "/" not in key:
            words.append(f"{key} {float(value):.4g}")
    return " ".join(words)


def clock(seconds: float) -> str:
    """Return a duration as h:mm:ss, without hours where there are none."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


class OneLineProgress:
    """Lets a Keras model that inherits it show `TrainingProgress` where Keras shows its bars."""

    def fit(self, *args, verbose="auto", callbacks=None, **kwargs):
        """Train as `keras.Model.fit` does, its progress in one line."""
        if verbose in ("auto", 1):
            verbose, callbacks = 0, [*(callbacks or []), TrainingProgress()]
        return super().fit(*args, verbose=verbose, callbacks=callbacks, **kwargs)  # type: ignore[misc]
