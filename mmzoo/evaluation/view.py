"""Volumes turned to the viewer: anatomical orientation and slices through a structure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from nibabel.affines import voxel_sizes
from nibabel.orientations import apply_orientation, axcodes2ornt, io_orientation, ornt_transform

# (name, axis cut through, then the axes drawn to the right and upwards) in RAS order
PLANES = (("axial", 2, 0, 1), ("coronal", 1, 0, 2), ("sagittal", 0, 1, 2))


@dataclass(frozen=True)
class Turn:
    """Turns arrays of one grid to the nearest right-anterior-superior (RAS) axes.

    Attributes:
        orientation: (3, 2), nibabel's transform from the grid's axes to RAS.
        spacing_mm: voxel size in the order of the RAS axes.
    """

    orientation: np.ndarray
    spacing_mm: tuple[float, ...]

    @classmethod
    def from_affine(cls, affine: np.ndarray) -> Turn:
        """Read the turn off a NIfTI affine, (4, 4)."""
        orientation = ornt_transform(io_orientation(affine), axcodes2ornt("RAS"))
        spacing = np.empty(3)
        spacing[orientation[:, 0].astype(int)] = voxel_sizes(affine)
        return cls(orientation, tuple(float(step) for step in spacing))

    def volume(self, volume: np.ndarray) -> np.ndarray:
        """Turn a volume (dim1, dim2, dim3)."""
        return apply_orientation(volume, self.orientation)

    def field(self, ddf: np.ndarray) -> np.ndarray:
        """Turn a field (dim1, dim2, dim3, 3): its grid, and the axes its components mean."""
        turned = np.stack([self.volume(ddf[..., i]) for i in range(3)], axis=-1)
        result = np.empty_like(turned)
        for source, (target, sign) in enumerate(self.orientation):
            result[..., int(target)] = sign * turned[..., source]
        return result


@dataclass(frozen=True)
class Plane:
    """One slice plane of RAS-turned volumes.

    Attributes:
        name: "axial", "coronal" or "sagittal".
        cut: axis cut through.
        right: axis drawn from left to right.
        up: axis drawn upwards.
        index: slice number on `cut`.
        extent: (left, right, bottom, top) in mm; patient's right, or front, is on the left
            (radiological convention).
    """

    name: str
    cut: int
    right: int
    up: int
    index: int
    extent: tuple[float, float, float, float]

    def slice(self, volume: np.ndarray) -> np.ndarray:
        """Return the slice, (rows upwards, columns to the right)."""
        image = np.take(volume, self.index, axis=self.cut)
        return image[::-1].T  # two axes are left, `right` before `up`

    def centres(self, volume_shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Return the voxel centres in mm along both drawn axes."""
        left, right, bottom, top = self.extent
        columns, rows = volume_shape[self.right], volume_shape[self.up]
        step_x, step_y = (right - left) / columns, (top - bottom) / rows
        return (
            left + step_x * (np.arange(columns) + 0.5),
            bottom + step_y * (np.arange(rows) + 0.5),
        )


def planes_through(
    centre: tuple[float, ...], shape: tuple[int, ...], spacing_mm: tuple[float, ...]
) -> list[Plane]:
    """Return the three orthogonal planes through a voxel of a RAS-turned grid."""
    planes = []
    for name, cut, right, up in PLANES:
        extent = (0.0, shape[right] * spacing_mm[right], 0.0, shape[up] * spacing_mm[up])
        planes.append(Plane(name, cut, right, up, round(centre[cut]), extent))
    return planes


def window(image: np.ndarray) -> tuple[float, float]:
    """Return a robust grey-scale window: the 0.5th and 99.5th percentile."""
    low, high = (float(value) for value in np.percentile(image, (0.5, 99.5)))
    return (low, high) if high > low else (float(image.min()), float(image.min()) + 1.0)
