"""The one place where errors become messages: file, cause and remedy.

What mmzoo raises on purpose is a message already. What a library or the system raises is turned
into one here; what no one foresaw is said to be that. `mmzoo --debug`, or `MMZOO_DEBUG=1` in the
environment, shows tracebacks.
"""

import errno
import os
import traceback

FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
FULL_TEXTS = tuple(os.strerror(number) for number in FULL)
NO_ROOM = (
    "There is no room to write{where} ({reason}). Nothing was left half written; make room, or "
    "write elsewhere, and give the command again."
)
OUT_OF_MEMORY = (
    "There is not enough memory ({reason}). Take smaller or fewer images at a time (--size, "
    "--jobs, --resolution, a smaller batch), or a machine with more."
)
NO_TENSORFLOW = (
    "This needs TensorFlow, which is not installed: pip install 'mmzoo[tensorflow]', or, to train "
    "with DeepReg, pip install 'mmzoo[deepreg]'."
)
WITH_EXTRA = {
    "tensorflow": NO_TENSORFLOW,
    "tf_keras": "This needs Keras 2, the package tf-keras, which is not installed: pip install "
    "'mmzoo[deepreg]'.",
}


class PreflightError(ValueError):
    """Something given by the user cannot work; the message says what, and how to mend it.

    `deepreg_train`, `deepreg_predict` and `deepreg_warp` print it without a traceback.
    """


def is_debugging() -> bool:
    """Say whether tracebacks are wanted."""
    return os.environ.get("MMZOO_DEBUG", "0") not in ("", "0")


def in_words(error: BaseException) -> str:
    """Return an error as a message: file, cause and remedy."""
    return known(error) or (
        f"{type(error).__name__}: {_first_line(error)}. mmzoo did not foresee this. The same "
        "command with --debug shows where it came from; please report that."
    )


def known(error: BaseException) -> str | None:
    """Return the message of an error whose cause is known; None for any other."""
    if is_message(error):
        return str(error)
    text, kind = _first_line(error), type(error).__name__
    if isinstance(error, OSError):
        return _of_system(error)
    if any(full in str(error) for full in FULL_TEXTS):
        return NO_ROOM.format(where="", reason=_last_line(error))
    if isinstance(error, MemoryError) or kind == "ResourceExhaustedError":
        return OUT_OF_MEMORY.format(reason=text)
    if kind == "BrokenProcessPool":
        return OUT_OF_MEMORY.format(reason="a process was killed, as the system does then")
    if isinstance(error, ModuleNotFoundError) and error.name in WITH_EXTRA:
        return WITH_EXTRA[error.name]
    if isinstance(error, ImportError):
        return f"{text}. `mmzoo doctor` says what is missing, and how to mend it."
    if isinstance(error, UnicodeDecodeError):
        return (
            f"A file that must be text is none: {text}. Is it of another kind than its name says?"
        )
    if isinstance(error, RuntimeError) and "ITK" in str(error):
        return f"ITK cannot do this: {_last_line(error)}. Look at the files with mmzoo inspect."
    return None


def is_message(error: BaseException) -> bool:
    """Say whether an error was raised on purpose, by code of DeepReg or of the zoo itself.

    An error from within TensorFlow or NumPy is a fault that needs its traceback.
    """
    if not isinstance(error, (ValueError, OSError)) or getattr(error, "errno", None) is not None:
        return False
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    if not frames:  # made, or sent from another process
        return bool(str(error))
    return frames[-1].f_globals.get("__name__", "").split(".")[0] in ("deepreg", "mmzoo")


def _of_system(error: OSError) -> str:
    """Return what the system says of a file, and what to do about it."""
    reason = error.strerror or _first_line(error)
    where = f" {error.filename}" if error.filename else ""
    if error.errno in FULL or any(full in str(error) for full in FULL_TEXTS):
        return NO_ROOM.format(where=where, reason=reason)
    remedy = {
        errno.ENOENT: "check the name and the folder",
        errno.EACCES: "you may not read or write it: check its owner and permissions",
        errno.EPERM: "you may not read or write it: check its owner and permissions",
        errno.EROFS: "it can only be read: write elsewhere",
        errno.EISDIR: "it is a folder; give the name of a file",
        errno.ENOTDIR: "it is a file; give the name of a folder",
        errno.EMFILE: "too many files are open: raise the limit (ulimit -n)",
    }.get(error.errno or 0, "is the file whole, and on a disk that works?")
    return f"{str(error.filename) + ': ' if error.filename else ''}{reason}; {remedy}."


def _first_line(error: BaseException) -> str:
    return _lines(error)[0].rstrip(".")


def _last_line(error: BaseException) -> str:
    return _lines(error)[-1].rstrip(".")


def _lines(error: BaseException) -> list[str]:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines or [type(error).__name__]
