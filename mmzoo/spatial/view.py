"""Volumes reoriented for display, and the one place that says how slices are drawn.

Every picture is in the radiological convention: seen from the patient's feet or face, so that the
patient's right is on the left; sagittal slices look from the left, the face on the left. The ends
of the axes are marked: R and L, A and P, S and I.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from nibabel.affines import voxel_sizes
from nibabel.orientations import (
    apply_orientation,
    axcodes2ornt,
    inv_ornt_aff,
    io_orientation,
    ornt_transform,
)

# (name, axis cut through, then the axes drawn to the right and upwards) in RAS order
PLANES = (("axial", 2, 0, 1), ("coronal", 1, 0, 2), ("sagittal", 0, 1, 2))
ENDS = ("LR", "PA", "IS")  # of the axes that point right, anterior, superior


@dataclass(frozen=True)
class Turn:
    """Reorients arrays of one grid to the nearest right-anterior-superior (RAS) axes.

    Attributes:
        orientation: (3, 2), nibabel's transform from the grid's axes to RAS.
        spacing_mm: voxel size in the order of the RAS axes.
    """

    orientation: np.ndarray
    spacing_mm: tuple[float, ...]

    @classmethod
    def from_affine(cls, affine: np.ndarray) -> Turn:
        """Return the turn that a NIfTI affine, (4, 4), needs."""
        orientation = ornt_transform(io_orientation(affine), axcodes2ornt("RAS"))
        spacing = np.empty(3)
        spacing[orientation[:, 0].astype(int)] = voxel_sizes(affine)
        return cls(orientation, tuple(float(step) for step in spacing))

    def volume(self, volume: np.ndarray) -> np.ndarray:
        """Turn a volume (dim1, dim2, dim3)."""
        return apply_orientation(volume, self.orientation)

    def affine(self, affine: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """Return voxel to RAS mm, (4, 4), of a turned volume; `shape` is that before."""
        return affine @ inv_ornt_aff(self.orientation, shape)

    def field(self, ddf: np.ndarray) -> np.ndarray:
        """Turn a field (dim1, dim2, dim3, 3): its grid, and its components too."""
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

    @property
    def marks(self) -> dict[str, str]:
        """Letters at the left, right, bottom and top edge of the slice."""
        across, along = ENDS[self.right], ENDS[self.up]
        return {"left": across[1], "right": across[0], "bottom": along[0], "top": along[1]}

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


MARK_PLACES = {"left": (0.02, 0.5), "right": (0.98, 0.5), "bottom": (0.5, 0.02), "top": (0.5, 0.98)}
ALIGNED = {"left": ("left", "center"), "right": ("right", "center")}
ALIGNED |= {"bottom": ("center", "bottom"), "top": ("center", "top")}


def frame_slice(axis: Any, plane: Plane, size: float = 7.0) -> None:
    """Give axes of matplotlib the slice's extent, no ticks, and the marks of its four ends.

    Args:
        axis: axes that show a slice of `plane`, or are going to.
        plane: which one.
        size: of the letters, points.
    """
    axis.set(xticks=[], yticks=[], xlim=plane.extent[:2], ylim=plane.extent[2:])
    axis.spines[:].set_visible(False)
    ground = {"facecolor": "black", "edgecolor": "none", "alpha": 0.45, "pad": 0.8}
    for side, letter in plane.marks.items():
        across, along = ALIGNED[side]
        text = axis.text(*MARK_PLACES[side], letter, transform=axis.transAxes, ha=across, va=along)
        text.set(color="#ffe27a", fontsize=size, fontweight="bold", bbox=ground)
        text.set_gid(f"mark-{side}")


def show_slice(axis: Any, plane: Plane, image: np.ndarray, **options: Any) -> None:
    """Show a slice as `Plane.slice` gives it, in greys of [0, 1] unless `options` say otherwise.

    Args:
        axis: axes of matplotlib.
        plane: the slice's.
        image: (rows upwards, columns to the right), maybe with colours behind.
        options: of `Axes.imshow`.
    """
    greys: dict[str, Any] = {"cmap": "gray", "interpolation": "bilinear"}
    if "norm" not in options:
        greys |= {"vmin": 0, "vmax": 1}
    axis.imshow(image, **{"origin": "lower", "extent": plane.extent, **greys, **options})


def window(image: np.ndarray) -> tuple[float, float]:
    """Return a robust grey-scale window: the 0.5th and 99.5th percentile."""
    low, high = (float(value) for value in np.percentile(image, (0.5, 99.5)))
    return (low, high) if high > low else (float(image.min()), float(image.min()) + 1.0)


def grey(image: np.ndarray, like: np.ndarray | None = None) -> np.ndarray:
    """Scale an image to grey values in [0, 1] by its `window`, or by that of another image."""
    low, high = window(image if like is None else like)
    return np.clip((image - low) / (high - low), 0.0, 1.0)
