"""Soft shapes: level sets in millimetres, negative inside, about the distance to the surface.

A level set is enough to paint a tissue with partial volume (``coverage``), to grow it by so many
millimetres (subtract them) and to combine it with others (``union``, ``intersection``,
``subtraction``), with edges that are rounded by ``rounding_mm``.
Points are (..., 3) in millimetres; level sets are (...).
"""

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.spatial import cKDTree

# Level set of a point too far from a tube to matter: larger than any layer that is put round one.
FAR_MM = 14.0


def ellipsoid(points: np.ndarray, centre, radii) -> np.ndarray:
    """Ellipsoid along the axes of the points' frame; first order in the distance."""
    scaled = (points - np.asarray(centre, np.float32)) / np.asarray(radii, np.float32)
    norm, slope = _length(scaled), _length(scaled / np.asarray(radii, np.float32))
    return norm * (norm - 1) / np.maximum(slope, 1e-6)


def mirrored(points: np.ndarray) -> np.ndarray:
    """Return points with those on the left put on the right, for shapes that come twice."""
    return np.concatenate([np.abs(points[..., :1]), points[..., 1:]], axis=-1)


def super_ellipse(points: np.ndarray, centre, radii, power: float) -> np.ndarray:
    """Cylinder along axis 3 whose outline is a superellipse; distance along the ray to its axis."""
    centred = points[..., :2] - np.asarray(centre, np.float32)
    x, y = np.moveaxis(np.abs(centred / np.asarray(radii, np.float32)), -1, 0)
    norm = (x**power + y**power) ** (1 / power)
    return _length(centred) * (1 - 1 / np.maximum(norm, 1e-3))


def half_space(points: np.ndarray, point, normal) -> np.ndarray:
    """Everything behind a plane; ``normal`` points out of it."""
    normal = np.asarray(normal, np.float32) / np.float32(np.linalg.norm(normal))
    return np.einsum("...i,i->...", points - np.asarray(point, np.float32), normal)


def capsule(points: np.ndarray, start, end, start_radius: float, end_radius: float) -> np.ndarray:
    """Straight tube with round ends, whose radius changes evenly from start to end."""
    start, way = np.asarray(start, np.float32), np.subtract(end, start).astype(np.float32)
    local = points - start
    share = np.clip(np.einsum("...i,i->...", local, way) / np.dot(way, way), 0, 1)
    radius = start_radius + (end_radius - start_radius) * share
    return _length(local - share[..., None] * way) - radius


def tube(points: np.ndarray, control: np.ndarray, radii) -> np.ndarray:
    """Tube along a smooth curve through control points, its radius following along.

    Args:
        points: (..., 3) in millimetres.
        control: (num_control, 3) in millimetres, in order along the curve.
        radii: one radius, or one for each control point, in millimetres.

    Returns:
        Level set, at most ``FAR_MM`` away from the tube.
    """
    curve, radius = sample_curve(np.asarray(control, float), radii)
    return beads(points, curve, radius)


def sample_curve(control: np.ndarray, radii, step_mm: float = 1.5):
    """Return points (n, 3) and radii (n,) about ``step_mm`` apart along a cubic spline."""
    chords = np.linalg.norm(np.diff(control, axis=0), axis=1)
    knots = np.concatenate([[0], np.cumsum(chords)])
    where = np.linspace(0, knots[-1], int(knots[-1] / step_mm) + 2)
    radii = np.broadcast_to(np.asarray(radii, float), len(control))
    return CubicSpline(knots, control)(where), np.interp(where, knots, radii)


def beads(points: np.ndarray, centres: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Union of balls, taken from the nearest centre; dense centres make tubes and trees."""
    reach = float(np.max(radii)) + FAR_MM
    lower, upper = centres.min(0) - reach, centres.max(0) + reach
    near = np.logical_and.reduce(
        [(points[..., i] > lower[i]) & (points[..., i] < upper[i]) for i in range(3)]
    )
    level = np.full(points.shape[:-1], FAR_MM, np.float32)
    distance, index = cKDTree(centres).query(points[near], distance_upper_bound=reach)
    radius = np.append(radii, 0.0)[index]
    level[near] = np.minimum(np.where(np.isinf(distance), reach, distance) - radius, FAR_MM)
    return level


def union(first: np.ndarray, second: np.ndarray, rounding_mm: float = 0.0) -> np.ndarray:
    """Smallest of two level sets; ``rounding_mm`` fills the crease between them."""
    return -intersection(-first, -second, rounding_mm)


def intersection(first: np.ndarray, second: np.ndarray, rounding_mm: float = 0.0) -> np.ndarray:
    """Largest of two level sets; ``rounding_mm`` rounds off the edge between them."""
    if not rounding_mm:
        return np.maximum(first, second)
    blend = np.clip(1 - np.abs(first - second) / rounding_mm, 0, None)
    return np.maximum(first, second) + blend**2 * rounding_mm / 4


def subtraction(first: np.ndarray, second: np.ndarray, rounding_mm: float = 0.0) -> np.ndarray:
    """Take the second shape out of the first."""
    return intersection(first, -second, rounding_mm)


def coverage(level: np.ndarray, voxel_mm: float) -> np.ndarray:
    """Share of each voxel inside the shape, in [0, 1]: partial volume for a locally flat edge."""
    return np.clip(0.5 - level / voxel_mm, 0, 1)


def _length(vectors: np.ndarray) -> np.ndarray:
    # Several times faster than np.linalg.norm along a short last axis.
    return np.sqrt(np.einsum("...i,...i->...", vectors, vectors))
