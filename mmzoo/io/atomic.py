"""Atomic writes: a file or folder appears under its name when it is whole, or not at all."""

import fcntl
import os
import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

UNFINISHED = ".mmzoo-unfinished"  # in a folder whose files are being replaced


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary name to write to; it becomes `path` when all is written and on the disk.

    Raises:
        OSError: the disk is full, or the like; `path` is as it was.
    """
    with _partial(path) as partial:
        yield partial
        _flush(partial)
        os.replace(partial, path)


def write_text(path: Path, text: str) -> None:
    """Write a text file, UTF-8; see `whole_file`."""
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Give a temporary name for a file or folder; it replaces `path` when all is written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _partial(path) as partial:
        yield partial
        remove(path)
        os.replace(partial, path)


@contextmanager
def folder_of_files(path: Path, names: tuple[str, ...]) -> Iterator[Path]:
    """Give a folder to fill; its files become those of `path` when all are there.

    A new folder appears in one step. In one that is there, files of these names are replaced and
    others stay; `UNFINISHED` is in it meanwhile, so that what an interruption leaves is known.

    Args:
        path: the folder.
        names: of the files that it may get; the last one is moved last.
    """
    path = path.absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    with _partial(path) as partial:
        partial.mkdir()
        yield partial
        for file in partial.iterdir():
            _flush(file)
        if not path.exists() or not any(path.iterdir()):
            remove(path)
            os.replace(partial, path)
            return
        (path / UNFINISHED).touch()
        for name in names:
            (path / name).unlink(missing_ok=True)
        for name in names:
            if (partial / name).exists():
                os.replace(partial / name, path / name)
        (path / UNFINISHED).unlink()


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it, if it is there."""
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


@contextmanager
def _partial(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path`; remove it after use, and those of killed processes."""
    for stale in _stale(path):
        remove(stale)
    partial = path.with_name(f".{_host()}-{os.getpid()}-{path.name}")
    try:
        yield partial
    finally:
        remove(partial)


def _host() -> str:
    return re.sub(r"\W", "", socket.gethostname())


def _stale(path: Path) -> list[Path]:
    """Return the temporary files of `path` that ended processes of this machine have left."""
    pattern = re.compile(rf"\.{_host()}-(\d+)-{re.escape(path.name)}")
    names = os.listdir(path.parent) if path.parent.is_dir() else []
    found = [(path.with_name(name), pattern.fullmatch(name)) for name in names]
    return [file for file, match in found if match and not _is_alive(int(match[1]))]


def _is_alive(process: int) -> bool:
    if os.name != "posix":  # no signal 0
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # another user's
    return True


def _flush(path: Path) -> None:
    """Flush a file to the disk: some file systems report a full disk only then."""
    if path.is_file():
        with path.open("rb") as file:
            os.fsync(file.fileno())


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Lock a folder for the run that writes it; the lock goes when the process ends, in any way.

    Raises:
        ValueError: another run holds it.
    """
    folder = folder.absolute()
    lock = folder.with_name(f".{folder.name}.lock")
    new = [parent for parent in lock.parents if not parent.exists()]
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ValueError(
                f"another run is writing into {folder}, and nothing was touched; wait for it, or "
                "give another folder."
            ) from error
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)
            with suppress(OSError):  # those that are not empty stay
                for parent in new:
                    parent.rmdir()
