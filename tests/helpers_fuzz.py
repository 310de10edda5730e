"""Damage to files of every kind that mmzoo reads, drawn by hypothesis; who reads them."""

from __future__ import annotations

import contextlib
import gzip
import os
import resource
import struct
import sys
import tempfile
import traceback
from multiprocessing import get_context
from pathlib import Path

from hypothesis import strategies as st

ODD_WORDS = (
    *("nan", "inf", "-inf", "0", "-1", "1", "2", "3", "1e-30", "1e30", "1e308", "0.5", "1,5", "-0"),
    *("32767", "65536", "2147483648", "9999999999999", "-9223372036854775808", "1" * 40),
    *("", " ", "x", "é", "\x00", "True", "None", "null", "LOCAL", "LIST", "../../evil", "%03d"),
    *("gzip", "raw", "MET_DOUBLE", "MET_UCHAR", "double", "block", "short", "a" * 3000),
)
ODD_NUMBERS = (0, 1, 2, 3, 4, 7, 8, 16, 64, 127, 128, 255, 256, 511, 32767, -1, -2, -128, -32768)
ODD_FLOATS = (0.0, -1.0, 1e-30, 1e30, float("nan"), float("inf"), -float("inf"), 0.001, 1e6, 352.0)
# Fields of a NIfTI header: place and kind of each number.
NIFTI = [
    *((40 + 2 * k, "h") for k in range(8)),  # dim
    *((offset, "h") for offset in (68, 70, 72, 252, 254)),  # intent, datatype, bitpix, codes
    *((offset, "f") for offset in (56, 60, 64, 108, 112, 116)),  # intent, vox_offset, slope, inter
    *((76 + 4 * k, "f") for k in range(8)),  # pixdim
    *((256 + 4 * k, "f") for k in range(18)),  # quaternion, offsets, sform
    *((offset, "b") for offset in (123, 344, 345, 346)),  # units, magic
    (0, "i"),
]


@st.composite
def damaged_bytes(draw, content: bytes, header: int = 0) -> bytes:
    """Cut, flip, overwrite or insert bytes, mostly where a header is."""
    content = bytearray(content)
    most = len(content) if draw(st.booleans()) or not header else min(header, len(content))
    for _ in range(draw(st.integers(1, 3))):
        if not content:
            break
        place = draw(st.integers(0, max(0, min(most, len(content)) - 1)))
        what = draw(st.sampled_from(("flip", "cut", "overwrite", "insert", "remove")))
        if what == "flip":
            content[place] ^= 1 << draw(st.integers(0, 7))
        elif what == "cut":
            del content[place:]
        elif what == "overwrite":
            odd = draw(
                st.sampled_from((b"\0" * 8, b"\xff" * 8, b"\x7f" * 4, b"\0\0\xc0\x7f", b" "))
            )
            content[place : place + len(odd)] = odd
        elif what == "insert":
            content[place:place] = draw(st.binary(min_size=1, max_size=8))
        else:
            del content[place : place + draw(st.integers(1, 16))]
    return bytes(content)


@st.composite
def damaged_nifti(draw, content: bytes) -> bytes:
    """Write odd numbers into fields of a header; pack it again if it was packed."""
    packed = content[:2] == b"\x1f\x8b"
    raw = bytearray(gzip.decompress(content) if packed else content)
    for offset, kind in draw(st.lists(st.sampled_from(NIFTI), min_size=1, max_size=4)):
        odd = ODD_FLOATS if kind == "f" else ODD_NUMBERS
        value = draw(st.sampled_from(odd))
        size = struct.calcsize("<" + kind)
        if kind == "b":
            value = (value + 128) % 256 - 128
        raw[offset : offset + size] = struct.pack("<" + kind, value)
    return gzip.compress(bytes(raw), mtime=0) if packed else bytes(raw)


@st.composite
def damaged_text(draw, content: bytes, end: bytes | None = None) -> bytes:
    """Replace words, drop, double or swap lines of a text, or of the header before `end`."""
    head, mark, rest = content.partition(end) if end else (content, b"", b"")
    lines = head.decode("latin-1").split("\n")
    for _ in range(draw(st.integers(1, 3))):
        k = draw(st.integers(0, len(lines) - 1))
        what = draw(st.sampled_from(("word", "word", "word", "drop", "double", "swap", "cut")))
        if what == "word":
            parts = lines[k].replace(",", " , ").replace("(", " ( ").replace(")", " ) ").split(" ")
            parts[draw(st.integers(0, len(parts) - 1))] = draw(st.sampled_from(ODD_WORDS))
            lines[k] = " ".join(parts).replace(" , ", ",").replace(" ( ", "(").replace(" ) ", ")")
        elif what == "drop" and len(lines) > 1:
            del lines[k]
        elif what == "double":
            lines.insert(k, lines[k])
        elif what == "swap":
            other = draw(st.integers(0, len(lines) - 1))
            lines[k], lines[other] = lines[other], lines[k]
        elif what == "cut":
            lines[k] = lines[k][: draw(st.integers(0, len(lines[k])))]
    return "\n".join(lines).encode("utf-8", "surrogateescape") + mark + rest


# === The process that reads ===


def _serve(link, folder: str) -> None:
    """Run commands until the other end is closed; what they print is sent back."""
    os.chdir(folder)
    os.environ["MMZOO_DEBUG"] = "0"
    os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] = "1"
    with contextlib.suppress(EOFError, OSError):
        while True:
            link.send(_run(link.recv()))


def _run(argv: list[str]) -> tuple[object, str, int]:
    """Return exit status, all that was printed, and the most memory so far in bytes."""
    sys.argv = ["mmzoo", *argv]
    with tempfile.TemporaryFile() as held:
        kept = os.dup(1), os.dup(2)
        for number in (1, 2):
            os.dup2(held.fileno(), number)
        try:
            code: object = _command(argv)
        except SystemExit as end:
            code = end.code or 0
        except BaseException:
            code = traceback.format_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for number, copy in enumerate(kept, start=1):
                os.dup2(copy, number)
                os.close(copy)
        held.seek(0)
        printed = held.read().decode("utf-8", "replace")
    return code, printed, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _command(argv: list[str]) -> int:
    if argv[0] == "open-prediction":  # measuring one would take seconds each time
        import typer

        from mmzoo.cli._errors import plain_errors
        from mmzoo.evaluation.prediction import open_prediction

        try:
            with plain_errors():
                open_prediction(argv[1])
        except typer.Exit as end:
            return end.exit_code
        return 0
    if argv[0] == "check-config":  # what deepreg_train does before anything else
        return _check_config(argv[1])
    from mmzoo.cli.main import main

    main()
    return 0


def _check_config(path: str) -> int:
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    import mmzoo.deepreg

    mmzoo.deepreg.activate()
    import deepreg.train

    from mmzoo.deepreg.adaptations import commands
    from mmzoo.errors import in_words

    try:
        commands._read(deepreg.train.config_parser, [path])
    except Exception as error:
        print("Error:", in_words(error), file=sys.stderr)
        return 1
    return 0


class Reader:
    """A process that runs commands, one after the other; a new one where the last has died."""

    def __init__(self, folder: Path, seconds: float = 300):
        self.folder, self.seconds = folder, seconds
        self.process = None

    def run(self, *argv) -> tuple[object, str, int]:
        """Return exit status ("died", "hangs"), what was printed, and the most memory."""
        if self.process is None or not self.process.is_alive():
            context = get_context("spawn")
            self.link, theirs = context.Pipe()
            arguments = theirs, str(self.folder)
            self.process = context.Process(target=_serve, args=arguments, daemon=True)
            self.process.start()
            theirs.close()
        self.link.send([str(part) for part in argv])
        if not self.link.poll(self.seconds):
            self.close()
            return "hangs", "", 0
        try:
            return self.link.recv()
        except (EOFError, OSError):
            self.process.join()
            return f"died ({self.process.exitcode})", "", 0

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.join()
            self.process = None
