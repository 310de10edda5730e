"""Sampling grids: positions of voxels in millimetres.

World coordinates are RAS millimetres (+x right, +y anterior, +z superior), as in NIfTI.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

# Grids whose axes are multiples of this can be halved four times, as MMRegNet and others ask.
MULTIPLE = 16

Counts = Sequence[int] | np.ndarray  # three whole numbers


@dataclass(frozen=True)
class Grid:
    """Axis-aligned voxel grid in RAS millimetres.

    Attributes:
        shape: number of voxels along each axis (dim1, dim2, dim3).
        spacing_mm: distance between voxel centres along each axis.
        origin_mm: centre of voxel (0, 0, 0).
    """

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    origin_mm: tuple[float, float, float]

    @classmethod
    def covering(cls, lower_mm: ArrayLike, upper_mm: ArrayLike, shape: Counts) -> "Grid":
        """Return the grid whose voxels, edges included, fill the box from lower to upper."""
        lower, upper = np.asarray(lower_mm, float), np.asarray(upper_mm, float)
        spacing = (upper - lower) / np.asarray(shape)
        origin = lower + spacing / 2
        return cls(_ints(shape), _floats(spacing), _floats(origin))

    @classmethod
    def centred(cls, centre_mm: ArrayLike, spacing_mm: ArrayLike, shape: Counts) -> "Grid":
        """Return the grid of a given spacing whose middle is at ``centre_mm``."""
        half = np.asarray(shape) * np.asarray(spacing_mm, float) / 2
        return cls.covering(np.asarray(centre_mm) - half, np.asarray(centre_mm) + half, shape)

    def refined(self, counts: Counts) -> "Grid":
        """Return the grid of the same box with each voxel divided into so many along each axis."""
        lower = np.array(self.origin_mm) - np.array(self.spacing_mm) / 2
        upper = lower + np.array(self.spacing_mm) * self.shape
        if all(count == 1 for count in counts):
            return self
        return Grid.covering(lower, upper, np.array(self.shape) * counts)

    @property
    def affine(self) -> np.ndarray:
        """Voxel index to RAS millimetres, (4, 4)."""
        affine = np.diag([*self.spacing_mm, 1.0])
        affine[:3, 3] = self.origin_mm
        return affine

    def points(self) -> np.ndarray:
        """Return the voxel centres in millimetres, (dim1, dim2, dim3, 3) float32."""
        axes = [
            origin + spacing * np.arange(size)
            for origin, spacing, size in zip(
                self.origin_mm, self.spacing_mm, self.shape, strict=True
            )
        ]
        return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).astype(np.float32)


def check_size(
    size: Sequence[int],
    multiples: Sequence[int] = (MULTIPLE,) * 3,
    smallest: Sequence[int] = (MULTIPLE,) * 3,
) -> None:
    """Raise ValueError unless a network can halve a grid of this size as often as it must.

    Args:
        size: voxels along each axis, or nothing.
        multiples: what each axis must be a multiple of: 16 to be halved four times, 1 where
            networks do not down-sample, as through the slices of a stack.
        smallest: fewest voxels along each axis.
    """
    axes = list(zip(size, multiples, smallest, strict=False))
    if all(length >= least and length % step == 0 for length, step, least in axes):
        return
    fitting = tuple(max(least, -(-int(n) // step) * step) for n, step, least in axes)
    if set(multiples) == {MULTIPLE}:
        wanted = f"multiples of {MULTIPLE}, so that networks can halve it four times"
    else:
        wanted = f"multiples of {tuple(multiples)} and at least {tuple(smallest)}"
    raise ValueError(f"`size` must be {wanted}, got {tuple(size)}; use {fitting}.")


def round_up(size: Sequence[int]) -> tuple[int, ...]:
    """Return the next size a network can halve four times."""
    return tuple(max(1, -(-int(length) // MULTIPLE)) * MULTIPLE for length in size)


def _ints(values: Iterable) -> tuple:
    return tuple(int(value) for value in values)


def _floats(values: Iterable) -> tuple:
    return tuple(float(value) for value in values)
