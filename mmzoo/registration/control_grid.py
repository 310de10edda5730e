"""The B-spline control-point grid: its field, and voxel positions in units of its spacing."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ControlGrid:
    """B-spline control points over the box.

    Attributes:
        coefficients: (n1, n2, n3, 3) float32, mm along the fixed image's axes.
        edges_mm: (3,), of the box.
    """

    coefficients: np.ndarray
    edges_mm: np.ndarray

    @property
    def spacing_mm(self) -> np.ndarray:
        """Distance of control points along each axis."""
        return self.edges_mm / self.coefficients.shape[:3]

    def field(self, points_mm: Sequence[np.ndarray]) -> np.ndarray:
        """Return the displacement, mm, on a grid of positions (from the corner) along each axis.

        Returns:
            (dim1, dim2, dim3, 3) float64; edge values are repeated outside the box.
        """
        from mmzoo.ops.bspline import bspline_matrix

        field = self.coefficients.astype(np.float64)
        for axis, (points, step) in enumerate(zip(points_mm, self.spacing_mm, strict=True)):
            matrix = bspline_matrix(points / step - 0.5, field.shape[axis])
            field = np.moveaxis(np.tensordot(matrix, field, axes=(1, axis)), 0, axis)
        return field


def centres(shape: Sequence[int], edges_mm: np.ndarray) -> list[np.ndarray]:
    """Return the voxel centres along each axis, mm from the box's corner."""
    return [(np.arange(n) + 0.5) * edge / n for n, edge in zip(shape, edges_mm, strict=True)]


def among_controls(
    shape: Sequence[int], edges_mm: np.ndarray, counts: Sequence[int]
) -> tuple[list[np.ndarray], np.ndarray]:
    """Return voxel centres in control-point coordinates, and the spacing of the control points.

    Returns:
        Positions along each axis, in spacings from the first control point, and (3,), mm.
    """
    spacing = edges_mm / np.array(counts)
    lines = zip(centres(shape, edges_mm), spacing, strict=True)
    return [points / step - 0.5 for points, step in lines], spacing
