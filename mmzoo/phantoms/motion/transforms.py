"""Motion between two states of one person, and the true field that follows from it.

The anatomy is drawn in the fixed state. A motion D takes points of the moving state to where the
same tissue lies in the fixed one, so the moving image is painted from anatomy(D(y)). What is at x
in the fixed image is then at D^-1(x) in the moving one: warped(x) = moving(x + u(x)) asks for

    D(x + u(x)) = x,

which ``invert`` solves at each point. Motions are built of steps that do not fold one by one, so
their chain does not fold either and has one inverse.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mmzoo.spatial.grid import Grid

Mapping = Callable[[np.ndarray], np.ndarray]  # points (..., 3) in millimetres to points

CHUNK = 100_000  # points at a time, for memory
MAX_STEPS = 60
LONGEST_STEP_MM = 8.0
HASTY_STEPS = 20  # then half steps: where a motion changes abruptly, whole ones may go to and fro
DIFFERENCE_MM = 0.01


@dataclass(frozen=True)
class Chain:
    """Several mappings as one, the first first.

    Attributes:
        steps: mappings of points in millimetres.
    """

    steps: tuple[Mapping, ...]

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Return the mapped points, same shape and type."""
        for step in self.steps:
            points = step(points)
        return points


@dataclass(frozen=True)
class Rigid:
    """Rotation about a centre, then a shift.

    Attributes:
        rotation: (3, 3).
        centre_mm: what the rotation leaves in place.
        shift_mm: along each axis.
    """

    rotation: np.ndarray
    centre_mm: np.ndarray
    shift_mm: np.ndarray

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Return the moved points, same shape and type."""
        turned = np.einsum("...i,ji->...j", points - self.centre_mm, self.rotation)
        return (turned + self.centre_mm + self.shift_mm).astype(points.dtype)


def inverse_field(mapping: Mapping, grid: Grid, where: np.ndarray) -> np.ndarray:
    """Return the field u with mapping(x + u(x)) = x, in voxels of a grid that both states share.

    Args:
        mapping: of the moving state to the fixed one.
        grid: of both images.
        where: (dim1, dim2, dim3) bool, voxels of the fixed image to solve for.

    Returns:
        (dim1, dim2, dim3, 3) float32; NaN elsewhere, and where x + u(x) is in no voxel of the grid.
    """
    index = np.argwhere(where)
    points = index * np.array(grid.spacing_mm) + grid.origin_mm
    there = (invert(mapping, points) - grid.origin_mm) / grid.spacing_mm
    inside = np.all((there >= -0.5) & (there <= np.array(grid.shape) - 0.5), axis=-1)
    ddf = np.full((*grid.shape, 3), np.nan, np.float32)
    ddf[where] = np.where(inside[:, None], there - index, np.nan)
    return ddf


def invert(mapping: Mapping, points: np.ndarray, tolerance_mm: float = 1e-4) -> np.ndarray:
    """Return where points come from: mapping(result) = points, by Newton's method.

    Args:
        mapping: smooth, without folds, and no further than some centimetres from the identity.
        points: (..., 3) in millimetres.
        tolerance_mm: largest distance from a point to where its origin is mapped.

    Returns:
        (..., 3), float64.

    Raises:
        ValueError: where it does not converge, as for a mapping that folds.
    """
    flat = np.reshape(points, (-1, 3)).astype(np.float64)
    chunks = np.array_split(flat, max(1, -(-len(flat) // CHUNK)))
    found = [_newton(mapping, chunk, tolerance_mm) for chunk in chunks]
    return np.concatenate(found).reshape(np.shape(points))


def _newton(mapping: Mapping, targets: np.ndarray, tolerance_mm: float) -> np.ndarray:
    found, active = targets.copy(), np.arange(len(targets))
    for count in range(MAX_STEPS):
        there = mapping(found[active])
        far = np.linalg.norm(there - targets[active], axis=-1) > tolerance_mm
        active, there = active[far], there[far]
        if not active.size:
            return found
        slope, miss = _jacobian(mapping, found[active], there), there - targets[active]
        step = np.linalg.solve(slope, miss[..., None])[..., 0]
        length = np.linalg.norm(step, axis=-1, keepdims=True)
        whole = step * np.minimum(1, LONGEST_STEP_MM / length)
        found[active] -= whole if count < HASTY_STEPS else 0.5 * whole
    raise ValueError(
        f"the motion cannot be inverted at {active.size} of {len(targets)} points, such as "
        f"{targets[active[0]].round(1)} mm; it must be smooth and must not fold."
    )


def _jacobian(mapping: Mapping, points: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Return d mapping_i / d point_j, (n, 3, 3), by differences from what the points map to."""
    steps = DIFFERENCE_MM * np.eye(3)
    columns = [mapping(points + step) - there for step in steps]
    return np.stack(columns, axis=-1) / DIFFERENCE_MM
