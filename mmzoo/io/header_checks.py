"""Checks of an image file's header, before memory is allocated for its voxels.

A damaged header may claim any size and position. A size is accepted if the file is long enough for
it or, where it is compressed, could unpack to it.
"""

import math
import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

MOST_PACKED = 1032  # bytes that one byte of deflate can stand for
BLOCK = 1 << 20
GZIP_OR_ZLIB = 47  # zlib finds out which
SMALLEST_MM, LARGEST_MM = 1e-4, 1e4  # of a voxel
FARTHEST_MM = 1e6  # of an origin from (0, 0, 0)


def check_image_file(path: Path) -> None:
    """Check a file of any format whose header is known here; others pass.

    Raises:
        ValueError: the header is damaged, claims more than the file can hold or an impossible
            position, or a compressed file is cut short or corrupt; says which.
    """
    from mmzoo.io import meta_image, nifti_header, nrrd_header

    path = Path(path)
    for endings, check in (
        (nifti_header.ENDINGS, nifti_header.check),
        (meta_image.ENDINGS, meta_image.check),
        (nrrd_header.ENDINGS, nrrd_header.check),
    ):
        if path.name.lower().endswith(endings):
            check(path)


def check_claimed_size(path: Path, size: Sequence[int], bytes_a_voxel: float, held: float) -> None:
    """Raise ValueError unless a file can hold the voxels that its header claims.

    Args:
        path: of the file, for the message.
        size: voxels along each axis, as claimed.
        bytes_a_voxel: of one voxel, all its components.
        held: bytes that the file can hold, see `most_held`.
    """
    claimed = math.prod(int(n) for n in size) * bytes_a_voxel
    if min(size, default=0) < 1:
        raise ValueError(f"{path} claims a size of {tuple(size)} voxels; its header is damaged.")
    if claimed > held:
        raise ValueError(
            f"{path} claims {' x '.join(map(str, size))} voxels, {_amount(claimed)}, but can hold "
            f"{_amount(held)} at most: it is cut short, or its header is damaged. Copy or convert "
            "it again."
        )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if 4 * claimed / bytes_a_voxel > memory:
        raise ValueError(
            f"{path} has {' x '.join(map(str, size))} voxels, which take "
            f"{_amount(4 * claimed / bytes_a_voxel)} as floats; this machine has "
            f"{_amount(memory)}. Crop or resample it."
        )


def most_held(path: Path, *, packed: bool, offset: int = 0) -> int:
    """Return the bytes of voxels that a file can hold behind `offset`.

    Args:
        path: the file.
        packed: whether it is compressed by deflate (gzip, zlib).
        offset: bytes before the voxels, unpacked ones for a wholly compressed file.
    """
    length = path.stat().st_size
    return length * MOST_PACKED - offset if packed else length - offset


def check_packed(path: Path, expected: int, offset: int = 0) -> None:
    """Unpack compressed voxels to verify their checksum, without keeping them.

    Args:
        path: the file, packed by gzip or zlib.
        expected: bytes that it must unpack to at least.
        offset: where the packed part of the file begins.

    Raises:
        ValueError: it is cut short or corrupt, or is huge and all of one value.
    """
    try:
        length = _unpacked_length(path, offset)
    except zlib.error as error:
        raise ValueError(
            f"{path} cannot be read as a medical image: it is damaged ({error}), cut short or "
            "changed on its way. Copy or download it again."
        ) from error
    if length < expected:
        raise ValueError(
            f"{path} is cut short: it unpacks to {_amount(length)} of the {_amount(expected)} that "
            "its header claims. Copy or convert it again."
        )
    if length > 500 * BLOCK and length > 1000 * path.stat().st_size:
        raise ValueError(
            f"{path} is constant: {_amount(length)} of one value, packed into "
            f"{_amount(path.stat().st_size)}. There is nothing to register in it."
        )


def _unpacked_length(path: Path, offset: int) -> int:
    """Return how many bytes a file unpacks to; zlib.error if it is cut short or corrupt."""
    length, unpack = 0, zlib.decompressobj(wbits=GZIP_OR_ZLIB)
    with path.open("rb") as file:
        file.seek(offset)
        while block := file.read(BLOCK):
            while block:
                if unpack.eof:  # gzip files may be joined
                    unpack = zlib.decompressobj(wbits=GZIP_OR_ZLIB)
                length += len(unpack.decompress(block, BLOCK))
                block = unpack.unconsumed_tail or unpack.unused_data.lstrip(b"\0")
    if not unpack.eof:
        length += len(unpack.flush())
    if not unpack.eof:
        raise zlib.error("it ends before its checksum")
    return length


def check_place(image: Any, path: object) -> None:
    """Check position, voxel size and axes of an image in memory; see ``check_space``.

    Args:
        image: SimpleITK's.
        path: what to call it in messages.
    """
    dims = image.GetDimension()
    axes = np.reshape(image.GetDirection(), (dims, dims))
    check_space(path, image.GetSpacing(), image.GetOrigin(), axes)


def check_space(
    path: object,
    spacing_mm: ArrayLike,
    origin_mm: ArrayLike,
    axes: np.ndarray | None,
) -> None:
    """Raise ValueError unless position, voxel size and axes are ones that a scan can have.

    Args:
        path: of the file, for messages.
        spacing_mm: voxel sizes.
        origin_mm: of the first voxel.
        axes: (n, n), its columns the directions of the axes; None where the header does not say.
    """
    if not np.all(np.isfinite(origin_mm)) or np.any(np.abs(origin_mm) > FARTHEST_MM):
        raise ValueError(
            f"{path} has its origin at {_listed(origin_mm)} mm, which is nowhere; mend the header "
            "of the file, or convert it again."
        )
    good = np.isfinite(spacing_mm) & (np.abs(spacing_mm) >= SMALLEST_MM)
    if not np.all(good & (np.abs(spacing_mm) <= LARGEST_MM)):
        raise ValueError(
            f"{path} has voxels of {_listed(spacing_mm)} mm, expected {SMALLEST_MM:g} to "
            f"{LARGEST_MM:g} mm; mend the header of the file (in which unit is it written?)."
        )
    if axes is None:
        return
    if not np.isfinite(axes).all() or not 1e-6 < abs(np.linalg.det(axes)) < 1e6:
        raise ValueError(
            f"{path} has axes {np.round(axes, 4).tolist()} that span no volume; mend the header "
            "of the file, or convert it again."
        )


def _listed(values: ArrayLike) -> str:
    return "(" + ", ".join(f"{value:g}" for value in np.ravel(values)) + ")"


def _amount(num_bytes: float) -> str:
    """Return a number of bytes in a fitting unit."""
    for unit in ("bytes", "KB", "MB", "GB"):
        if num_bytes < 1000:
            return f"{num_bytes:.3g} {unit}"
        num_bytes /= 1000
    return f"{num_bytes:.3g} TB"
