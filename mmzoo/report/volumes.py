"""Volumes as pictures in text: axial slices side by side, as JPEG or PNG, which browsers unpack."""

import base64
import io
import math

import numpy as np

QUALITY = 82  # of JPEG: greys are off by 1.5 of 255 on average
BLOCK = 8  # JPEG's: slices begin at its borders, so that none runs into the next


def packed(volume: np.ndarray, *, exact: bool) -> dict:
    """Return a volume for a page.

    Args:
        volume: (dim1, dim2, dim3) or (dim1, dim2, dim3, 3), uint8.
        exact: as PNG; else as JPEG, a tenth of the size.

    Returns:
        "url" of the picture, "columns" of slices, "tile" in pixels.
    """
    from PIL import Image

    sheet, columns, tile = mosaic(volume)
    picture, memory = Image.fromarray(sheet), io.BytesIO()
    if exact:
        picture.save(memory, "PNG", compress_level=6)
    else:
        picture.save(memory, "JPEG", quality=QUALITY)
    url = data_url(memory.getvalue(), "png" if exact else "jpeg")
    return {"url": url, "columns": columns, "tile": tile}


def data_url(picture: bytes, kind: str = "png") -> str:
    """Return a picture, a whole file of a kind, as an address that holds it."""
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"


def mosaic(volume: np.ndarray) -> tuple[np.ndarray, int, list[int]]:
    """Return the slices along the last axis of space side by side, (rows, columns) of dim2, dim1.

    Returns:
        The sheet, how many slices are in a row of it, and (width, height) of a slice with what is
        added to reach a multiple of `BLOCK`.
    """
    size = volume.shape[:3]
    added = [(0, -n % BLOCK) for n in size[:2]]
    columns = math.ceil(math.sqrt(size[2] * size[1] / size[0]))
    rows = math.ceil(size[2] / columns)
    rest = [(0, 0)] * (volume.ndim - 3)
    tiles = np.pad(volume, [*added, (0, rows * columns - size[2]), *rest], mode="edge")
    width, height = tiles.shape[:2]
    tiles = tiles.reshape(width, height, rows, columns, *volume.shape[3:])
    sheet = np.moveaxis(tiles, (2, 1, 3, 0), (0, 1, 2, 3))
    whole = sheet.reshape(rows * height, columns * width, *volume.shape[3:])
    return np.ascontiguousarray(whole), columns, [width, height]


def bytes_of(volume: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return values from `low` to `high` as 0 to 255."""
    scaled = (volume - low) * (255 / (high - low)) + 0.5
    return np.clip(scaled, 0, 255).astype(np.uint8)


def shrunk(volume: np.ndarray, factors: tuple[int, ...]) -> np.ndarray:
    """Return means of blocks of voxels; a last block that is not whole is filled from its edge."""
    if max(factors) == 1:
        return volume
    fill = [(0, -n % factor) for n, factor in zip(volume.shape, factors, strict=False)]
    rest = volume.shape[3:]
    whole = np.pad(volume, fill + [(0, 0)] * len(rest), mode="edge")
    shape = [n // factor for n, factor in zip(whole.shape, factors, strict=False)]
    split = [part for pair in zip(shape, factors, strict=True) for part in pair]
    return whole.reshape(*split, *rest).mean(axis=(1, 3, 5), dtype=np.float32)


def factors_to(shape: tuple[int, ...], spacing_mm, most: int) -> tuple[int, ...]:
    """Return block sizes that leave at most so many voxels, the finest axes joined first."""
    factors = np.ones(3, int)
    while np.prod(np.ceil(np.array(shape[:3]) / factors)) > most:
        factors[np.argmin(factors * spacing_mm)] += 1
    return tuple(int(n) for n in factors)
