"""Errors that are messages to the user, and how to tell them from faults of the code."""

import traceback


class PreflightError(ValueError):
    """Something given by the user cannot work; the message says what, and how to mend it.

    `deepreg_train`, `deepreg_predict` and `deepreg_warp` print it without a traceback.
    """


def is_message(error: ValueError) -> bool:
    """Say whether an error was raised on purpose, by code of DeepReg or of the zoo itself.

    An error from within TensorFlow or NumPy is a fault that needs its traceback.
    """
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return frames[-1].f_globals.get("__name__", "").split(".")[0] in ("deepreg", "mmzoo")
