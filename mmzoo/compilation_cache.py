"""The compilation cache: what XLA has compiled for this processor is there for the next program.

TensorFlow itself can keep compiled pieces in a folder, but a file that is damaged, or that another
program is about to write, ends the program with an error. So each program works in a folder of its
own, which holds links to the entries whose checksum is right; what it has compiled is moved to the
others when it ends, each file whole. A damaged entry is compiled anew.

`MMZOO_COMPILATION_CACHE=0` turns the cache off, `MMZOO_COMPILATION_CACHE=FOLDER` moves it.
"""

import atexit
import hashlib
import importlib.metadata
import os
import platform
import shutil
import sys
import tempfile
import time
import zlib
from pathlib import Path

import mmzoo

VARIABLE = "MMZOO_COMPILATION_CACHE"
LIMIT_BYTES = 128 * 2**20  # of all entries; the oldest go first
FREE_BYTES = 2**30  # that the disk must have, for TensorFlow stops where it cannot write
DAY = 24 * 3600.0  # after which a folder of a running program counts as left behind
FLAGS = "TF_XLA_FLAGS"
DIRECTORY = "--tf_xla_persistent_cache_directory="
PROCESSORS = "--tf_xla_persistent_cache_device_types=CPU"

_own: Path | None = None  # the folder of this program
_before: str | None = None  # what FLAGS were before it was named there


def folder() -> Path | None:
    """Return the folder of the cache, None where it is off or there is no place for it."""
    chosen = os.environ.get(VARIABLE, "1")
    if chosen == "0":
        return None
    if chosen not in ("", "1"):
        return Path(chosen).expanduser().absolute()
    try:
        home = Path.home()
    except RuntimeError:
        return None
    if sys.platform == "win32":
        caches = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        caches = home / "Library" / "Caches"
    else:
        own = os.environ.get("XDG_CACHE_HOME", "")
        caches = Path(own) if os.path.isabs(own) else home / ".cache"
    return caches / "mmzoo" / "compiled"


def size_bytes(store: Path) -> int:
    """Return what the entries of a cache take together."""
    return sum(size for _, size, _ in _entries(store))


def use() -> None:
    """Let XLA keep what it compiles for processors, in a program that has no TensorFlow yet.

    Nothing is done where the cache is off, or the user has chosen a cache of TensorFlow's own or
    wants its log: that tells of each entry, wrongly, that it is made for another processor.
    """
    global _own, _before
    store, version = folder(), _version()
    if _own or store is None or version is None or "tensorflow" in sys.modules:
        return
    if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") != "3":
        return
    # A program that this one was started by may have named a folder of its own in the store.
    flags = os.environ.get(FLAGS, "").split()
    flags = [flag for flag in flags if not flag.startswith(f"{DIRECTORY}{store}")]
    if any(flag.startswith(DIRECTORY) for flag in flags) or len(str(store).split()) != 1:
        return
    try:
        _own = _open(store / version)
    except OSError:
        return
    _before = os.environ.get(FLAGS)
    flags = [flag for flag in flags if flag != PROCESSORS]
    os.environ[FLAGS] = " ".join([*flags, f"{DIRECTORY}{_own}", PROCESSORS])
    atexit.register(_close, _own, store)


def hand_over() -> None:
    """Let TensorFlow, once imported, read where the folder is, and no program that is started.

    TensorFlow reads its flags when it first needs one of them. Another program's TensorFlow must
    not find the folder: it goes when this program ends.
    """
    if _own is None or f"{DIRECTORY}{_own}" not in os.environ.get(FLAGS, "").split():
        return
    from tensorflow.python import pywrap_tfe  # no public word makes it read them

    pywrap_tfe.TF_GetXlaConstantFoldingDisabled()
    if _before is None:
        del os.environ[FLAGS]
    else:
        os.environ[FLAGS] = _before


def _version() -> str | None:
    """Return a name for all that compiled code depends on, None where TensorFlow is not found."""
    try:
        tensorflow = importlib.metadata.version("tensorflow")
    except importlib.metadata.PackageNotFoundError:
        return None
    threads = {name: value for name, value in os.environ.items() if name.startswith("TF_NUM_")}
    machine = (_processor(), os.cpu_count(), sorted(threads.items()), os.environ.get("XLA_FLAGS"))
    digest = hashlib.sha256(repr(machine).encode()).hexdigest()[:12]
    return f"tensorflow-{tensorflow}-mmzoo-{mmzoo.__version__}-{digest}"


def _processor() -> str:
    """Return the model of the processor and what it can do."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    first = lines[: lines.index("")] if "" in lines else lines
    identifying = ("model name", "flags", "Features", "CPU part")
    return "\n".join(line for line in first if line.startswith(identifying))


def _open(kept: Path) -> Path:
    """Return a new folder of links to the entries of a version that are whole."""
    kept.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(kept).free < FREE_BYTES:
        raise OSError("the disk is nearly full")
    for left in kept.glob("running-*"):
        if left.stat().st_mtime < time.time() - DAY:
            shutil.rmtree(left, ignore_errors=True)
    own = Path(tempfile.mkdtemp(prefix="running-", dir=kept))
    for entry in kept.glob("*.pb"):
        name, _, checksum = entry.stem.rpartition(".")
        content = entry.read_bytes()
        link = own / f"{name}.pb"
        if checksum != _checksum(content) or link.exists():  # two programs may have made the same
            entry.unlink(missing_ok=True)
            continue
        try:
            os.link(entry, link)
        except OSError:  # a file system without links
            link.write_bytes(content)
    return own


def _close(own: Path, store: Path) -> None:
    """Move what a program has compiled to the other entries, and keep these within the limit."""
    try:
        for file in own.glob("*.pb"):
            kept = any(own.parent.glob(f"{file.stem}.*.pb"))
            if not kept and _is_whole(content := file.read_bytes()):
                os.replace(file, own.parent / f"{file.stem}.{_checksum(content)}.pb")
        total = 0
        for _, size, path in sorted(_entries(store), reverse=True):
            total += size
            if total > LIMIT_BYTES:
                path.unlink(missing_ok=True)
    except OSError:
        pass  # the cache saves time; nothing depends on it
    shutil.rmtree(own, ignore_errors=True)


def _entries(store: Path) -> list[tuple[float, int, Path]]:
    """Return when each entry of any version was made, its bytes, and where it is."""
    found = []
    for path in store.glob("*/*.pb"):
        try:
            state = path.stat()
        except FileNotFoundError:  # another program has just removed it
            continue
        found.append((state.st_mtime, state.st_size, path))
    return found


def _checksum(content: bytes) -> str:
    return f"{zlib.crc32(content):08x}"


def _is_whole(content: bytes) -> bool:
    """Say whether an entry was written to its end: as protobuf has them, fields of known length."""
    at = 0
    while at < len(content):
        kind, at = _number(content, at)
        length, at = _number(content, at)
        if kind & 7 != 2:
            return False
        at += length
    return at == len(content) > 0


def _number(content: bytes, at: int) -> tuple[int, int]:
    """Return the number at a place, seven bits a byte, and the place behind it.

    Where the content ends within the number, that place is beyond its end.
    """
    value = shift = 0
    while at < len(content):
        byte = content[at]
        value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128:
            return value, at
    return 0, len(content) + 1
