"""Errors that are messages to the user, and how to tell them from faults of the code."""


class PreflightError(ValueError):
    """Something given by the user cannot work; the message says what, and how to mend it.

    `deepreg_train`, `deepreg_predict` and `deepreg_warp` print it without a traceback.
    """


def is_message(error: ValueError) -> bool:
    """Say whether an error was raised on purpose, by code of DeepReg or of the zoo itself.

    An error from within TensorFlow or NumPy is a fault that needs its traceback.
    """
    step = error.__traceback__
    while step.tb_next is not None:
        step = step.tb_next
    return step.tb_frame.f_globals.get("__name__", "").split(".")[0] in ("deepreg", "mmzoo")
