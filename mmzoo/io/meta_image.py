"""Checks of MetaImage headers (.mha, .mhd): ITK crashes on damaged ones."""

import math
from pathlib import Path

import numpy as np

from mmzoo.io import header_checks

ENDINGS = (".mha", ".mhd")
LONGEST = 1 << 16  # bytes of a header
BYTES = {
    **dict.fromkeys(("MET_CHAR", "MET_UCHAR", "MET_ASCII_CHAR"), 1),
    **dict.fromkeys(("MET_SHORT", "MET_USHORT"), 2),
    **dict.fromkeys(("MET_INT", "MET_UINT", "MET_FLOAT"), 4),
    **dict.fromkeys(("MET_LONG", "MET_ULONG"), 4),
    **dict.fromkeys(("MET_LONG_LONG", "MET_ULONG_LONG", "MET_DOUBLE"), 8),
}
ORIGINS = ("Offset", "Position", "Origin")
MATRICES = ("TransformMatrix", "Orientation", "Rotation")


def check(path: Path) -> None:
    """Check a header, and that the file of voxels is there and long enough.

    Raises:
        ValueError: says what is wrong.
    """
    fields, offset = _read(path)
    dims = _numbers(path, fields, "NDims", 1, int)[0]
    if dims not in (2, 3, 4):
        raise ValueError(f"{path} must be one 3-D volume, got NDims = {dims}.")
    size = _numbers(path, fields, "DimSize", dims, int)
    kind = fields.get("ElementType", "")
    if kind not in BYTES:
        raise ValueError(
            f"{path} must have an ElementType of {', '.join(BYTES)}, got {kind or 'none'}."
        )
    channels = 1  # more channels are refused by the reader
    if "ElementNumberOfChannels" in fields:
        (channels,) = _numbers(path, fields, "ElementNumberOfChannels", 1, int)
    _check_space(path, fields, dims)
    file, offset = _voxel_file(path, fields, offset)
    packed = fields.get("CompressedData", "False").lower() in ("true", "1")
    held = header_checks.most_held(file, packed=packed, offset=0 if packed else offset)
    header_checks.check_claimed_size(path, [*size, channels], BYTES[kind], held)
    if packed:
        header_checks.check_packed(file, math.prod(size) * channels * BYTES[kind], offset)


def _read(path: Path) -> tuple[dict[str, str], int]:
    """Return the fields of a header, and where it ends."""
    with path.open("rb") as file:
        start = file.read(LONGEST)
    fields: dict[str, str] = {}
    place = 0
    while "ElementDataFile" not in fields:
        line, newline, _ = start[place:].partition(b"\n")
        name, equals, value = line.decode("latin-1").partition("=")
        if not newline or (not equals and line.strip()):
            raise ValueError(
                f"{path} is no MetaImage: its header must be lines NAME = VALUE that end in "
                f"ElementDataFile, got {line[:40]!r}."
            )
        place += len(line) + 1
        fields[name.strip()] = value.strip()
    return fields, place


def _numbers(path: Path, fields: dict, name: str, count: int, kind: type) -> list:
    try:
        found = [kind(part) for part in fields[name].split()]
    except (KeyError, ValueError, OverflowError):
        found = []
    if len(found) != count:
        raise ValueError(
            f"{path} must have {name} = {count} number(s) in its header, got "
            f"{fields.get(name, 'nothing')!r}."
        )
    return found


def _check_space(path: Path, fields: dict, dims: int) -> None:
    spacing, origin, axes = np.ones(dims), np.zeros(dims), np.eye(dims)
    for name in ("ElementSpacing", "ElementSize"):
        if name in fields:
            spacing = np.array(_numbers(path, fields, name, dims, float))
    for name in ORIGINS:
        if name in fields:
            origin = np.array(_numbers(path, fields, name, dims, float))
    for name in MATRICES:
        if name in fields:
            axes = np.array(_numbers(path, fields, name, dims * dims, float)).reshape(dims, dims)
    header_checks.check_space(path, spacing, origin, axes)


def _voxel_file(path: Path, fields: dict, offset: int) -> tuple[Path, int]:
    """Return the file of the voxels, and where they start in it."""
    name = fields["ElementDataFile"]
    if name.upper() == "LOCAL":
        return path, offset
    if name.upper().startswith("LIST") or "%" in name or not name:
        raise ValueError(f"{path} spreads its slices over files; convert it to one file.")
    file = path.parent / name
    if not file.is_file():
        raise ValueError(f"{path} names {file} for its voxels, which is not there.")
    skipped = int(fields.get("HeaderSize", "0")) if _is_int(fields.get("HeaderSize", "0")) else 0
    return file, max(skipped, 0)


def _is_int(text: str) -> bool:
    return text.strip().lstrip("-").isdecimal()
