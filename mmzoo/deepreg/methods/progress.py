"""One line of training progress, in place of Keras's bars with all weighted terms."""

import contextlib
import shutil
import sys
import time
from collections.abc import Iterator, Sequence

from mmzoo.framework import keras
from mmzoo.terminal import SECONDS, clock, every

REWRITE = 0.2  # seconds between updates of the line on a terminal
FIRST_STEP = "the first step takes longer: it is traced and compiled"


class TrainingProgress(keras.callbacks.Callback):
    """Prints epoch, step, time left and the loss terms; on a terminal the line is rewritten."""

    def __init__(self, stream=None):
        """Print to a stream, standard output by default."""
        super().__init__()
        self.stream = stream or sys.stdout
        self.line = ""

    def on_epoch_begin(self, epoch, logs=None):
        """Start the clock of the epoch."""
        self.epoch, self.start, self.last = epoch, time.monotonic(), time.monotonic()
        if not self.line:
            self._note(f"0/{self.params['steps'] or '?'}", FIRST_STEP)
            if self.stream.isatty():
                self.print()

    def on_train_batch_end(self, batch, logs=None):
        """Record the step; on a terminal, update the line from time to time."""
        now = time.monotonic()
        done, steps = batch + 1, self.params["steps"]
        left = f"{clock((now - self.start) / done * (steps - done))} left" if steps else ""
        self._note(f"{done}/{steps or '?'} {left}", terms(logs))
        if self.stream.isatty() and now - self.last >= REWRITE:
            self.last = now
            self.print()

    def on_epoch_end(self, epoch, logs=None):
        """Print the epoch's means, and those of the validation."""
        self._note(clock(time.monotonic() - self.start), terms(logs))
        self.print(end="\n")

    def print(self, end: str = ""):
        """Print the line."""
        if self.stream.isatty():
            width = shutil.get_terminal_size().columns - 1
            self.stream.write(f"\r{self.line[:width]:<{width}}{end}")
        elif self.line:
            self.stream.write(self.line + "\n")
        self.stream.flush()

    def _note(self, state: str, what: str) -> None:
        self.line = f"epoch {self.epoch + 1}/{self.params['epochs']} {state} | {what}"


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


@contextlib.contextmanager
def with_progress(callbacks: Sequence | None) -> Iterator[list]:
    """Add `TrainingProgress` to Keras callbacks, printing while this context lasts."""
    line = TrainingProgress()
    with contextlib.nullcontext() if line.stream.isatty() else every(SECONDS, line.print):
        yield [*(callbacks or []), line]
