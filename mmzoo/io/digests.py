"""Checksums of inputs: whether an image is still the one that was used."""

import hashlib
from glob import escape
from pathlib import Path

from mmzoo.io.paths import IN_TWO, selected

BLOCK = 1 << 20  # bytes


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, or of a folder's files and their names.

    Of an image in two files, such as .hdr and .img, both count.

    Args:
        path: as a command takes it: a selection behind it (FILE#sform) counts too.

    Raises:
        ValueError: it is not there.
    """
    file, choice = selected(path.expanduser())
    if not file.exists():
        raise ValueError(f"{file} is not there; check the name and the folder.")
    files = [file]
    if file.is_dir():
        files = sorted(each for each in file.rglob("*") if each.is_file())
    elif file.name.lower().endswith(IN_TWO):
        files = sorted(file.parent.glob(f"{escape(file.stem)}.*"))
    found = hashlib.sha256(choice.encode())
    for each in files:
        if file.is_dir():
            found.update(f"{each.relative_to(file)}\n".encode())
        add_file(found, each)
    return found.hexdigest()


def add_file(found, file: Path) -> None:
    """Feed a checksum of `hashlib` with what a file holds."""
    with file.open("rb") as content:
        while block := content.read(BLOCK):
            found.update(block)
