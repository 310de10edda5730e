"""Checks of NRRD headers (.nrrd, .nhdr): whether the file can hold what they claim."""

import math
import re
from pathlib import Path

import numpy as np

from mmzoo.io import header_checks

ENDINGS = (".nrrd", ".nhdr")
LONGEST = 1 << 16  # bytes of a header
LONGEST_LINE = 500  # bytes of a field
BYTES = {
    **dict.fromkeys(("signed char", "int8", "int8_t", "uchar", "unsigned char", "uint8"), 1),
    "uint8_t": 1,
    **dict.fromkeys(("short", "short int", "signed short", "signed short int", "int16"), 2),
    **dict.fromkeys(("int16_t", "ushort", "unsigned short", "unsigned short int", "uint16"), 2),
    "uint16_t": 2,
    **dict.fromkeys(("int", "signed int", "int32", "int32_t", "uint", "unsigned int"), 4),
    **dict.fromkeys(("uint32", "uint32_t", "float"), 4),
    **dict.fromkeys(("longlong", "long long", "long long int", "signed long long"), 8),
    **dict.fromkeys(("signed long long int", "int64", "int64_t", "ulonglong"), 8),
    **dict.fromkeys(("unsigned long long", "unsigned long long int", "uint64", "uint64_t"), 8),
    "double": 8,
}
ENCODINGS = ("raw", "gzip", "gz")


def check(path: Path) -> None:
    """Check a header, and that the file of voxels is there and long enough.

    Raises:
        ValueError: says what is wrong.
    """
    fields, end = _read(path)
    size = _whole_numbers(path, fields, "sizes")
    (dims,) = _whole_numbers(path, fields, "dimension")
    if len(size) != dims or dims not in (2, 3, 4):
        raise ValueError(
            f"{path} must be one 3-D volume, got dimension {dims} and sizes {fields['sizes']!r}."
        )
    kind = fields.get("type", "").lower()
    if kind not in BYTES:
        raise ValueError(f"{path} must hold numbers, got type {kind or 'none'!r} in its header.")
    encoding = fields.get("encoding", "").lower()
    if encoding not in ENCODINGS:
        raise ValueError(
            f"{path} must have the encoding raw or gzip, got {encoding or 'none'!r}; convert it."
        )
    _check_space(path, fields, dims)
    file = _voxel_file(path, fields)
    packed = encoding != "raw"
    offset = end if file == path else 0
    held = header_checks.most_held(file, packed=packed, offset=0 if packed else offset)
    header_checks.check_claimed_size(path, size, BYTES[kind], held)
    if packed:
        header_checks.check_packed(file, math.prod(size) * BYTES[kind], offset)


def _read(path: Path) -> tuple[dict[str, str], int]:
    """Return the fields of a header by their names in small letters, and where it ends."""
    with path.open("rb") as file:
        start = file.read(LONGEST)
    first, *lines = re.split(rb"\r?\n", start)
    if not re.fullmatch(rb"NRRD000[1-5]", first):
        raise ValueError(f"{path} is no NRRD file: it must begin with NRRD0004, or the like.")
    fields: dict[str, str] = {}
    place = len(first) + 1
    for line in lines:
        place += len(line) + 1
        name, colon, value = line.decode("latin-1").partition(":")
        is_free = line.startswith(b"#") or value.startswith("=")  # comments, key:=value
        if len(line) > LONGEST_LINE and not is_free:  # ITK dies of putting it into its message
            raise ValueError(
                f"{path} has a line of {len(line)} bytes in its header, {line[:40]!r}...: it is "
                "damaged. Convert it again."
            )
        if not line.strip():
            return fields, place
        if colon and not value.startswith("=") and not line.startswith(b"#"):
            fields[name.strip().lower()] = value.strip()
    if path.suffix.lower() == ".nhdr":
        return fields, place
    raise ValueError(f"{path} is cut short: no empty line ends its header.")


def _whole_numbers(path: Path, fields: dict, name: str) -> list[int]:
    try:
        return [int(part) for part in fields[name].split()]
    except (KeyError, ValueError):
        raise ValueError(
            f"{path} must have whole numbers as {name} in its header, got "
            f"{fields.get(name, 'nothing')!r}."
        ) from None


def _vector(path: Path, text: str) -> list[float]:
    try:
        return [float(part) for part in text.strip().strip("()").split(",")]
    except ValueError:
        raise ValueError(f"{path} must have numbers in its header, got {text!r}.") from None


def _check_space(path: Path, fields: dict, dims: int) -> None:
    parts = re.findall(r"\([^)]*\)|none", fields.get("space directions", ""))
    vectors = [_vector(path, part) for part in parts if part != "none"]
    origin = _vector(path, fields["space origin"]) if "space origin" in fields else [0.0]
    if not vectors:
        texts = fields.get("spacings", "").split()
        spacing = [_vector(path, text)[0] for text in texts if text.lower() != "nan"] or [1.0]
        header_checks.check_space(path, spacing, origin, None)
        return
    if len({len(vector) for vector in vectors}) > 1:
        raise ValueError(f"{path} has space directions of unequal length: {parts}.")
    axes = np.array(vectors).T
    spacing = np.linalg.norm(axes, axis=0)
    square = axes.shape[0] == axes.shape[1] and np.all(spacing > 0)
    header_checks.check_space(path, spacing, origin, axes / spacing if square else None)


def _voxel_file(path: Path, fields: dict) -> Path:
    name = fields.get("data file") or fields.get("datafile")
    if name is None:
        return path
    if name.upper().startswith("LIST") or "%" in name:
        raise ValueError(f"{path} spreads its slices over files; convert it to one file.")
    file = path.parent / name
    if not file.is_file():
        raise ValueError(f"{path} names {file} for its voxels, which is not there.")
    return file
