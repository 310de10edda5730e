"""Points through a transform, and through its inverse, by Newton's method.

`mmzoo.phantoms.motion.transforms.invert` stays apart: it takes many points at once, which ITK does
not, and the last bits of its steps are in the phantoms' files.
"""

import numpy as np
import SimpleITK as sitk

EXACT_MM = 1e-3  # residual of an inverted point
STEP_MM = 0.05  # of the finite differences
ROUNDS = 50


def transform_points(transform: sitk.Transform, points: np.ndarray) -> np.ndarray:
    """Return where points of the fixed image lie in the moving one, (n, 3), LPS mm."""
    return np.array([transform.TransformPoint(point) for point in points.tolist()]).reshape(-1, 3)


def invert_points(transform: sitk.Transform, points: np.ndarray) -> np.ndarray:
    """Return the points that a transform maps to given points, by Newton's method.

    Args:
        transform: any, made for points of the fixed image.
        points: (n, 3), LPS mm, in the moving image.

    Returns:
        (n, 3), LPS mm; exact to a thousandth of a mm.

    Raises:
        ValueError: for points without a preimage; says which.
    """
    found = points.copy()
    gap = transform_points(transform, found) - points
    for _ in range(ROUNDS):
        todo = np.flatnonzero(np.linalg.norm(gap, axis=1) > EXACT_MM)
        if not len(todo):
            return found
        _step(transform, points, found, gap, todo)
    raise ValueError(
        f"{len(todo)} of {len(points)} points have no place in the fixed image that the transform "
        f"takes to them, the first in line {todo[0] + 2}: {points[todo[0]].round(2).tolist()} (LPS "
        "mm); do they lie outside the images?"
    )


def _step(
    transform: sitk.Transform,
    points: np.ndarray,
    found: np.ndarray,
    gap: np.ndarray,
    todo: np.ndarray,
) -> None:
    """Move some points by a Newton step, halved as long as it overshoots."""
    here = found[todo]
    slopes = [
        (transform_points(transform, here + STEP_MM * unit)
         - transform_points(transform, here - STEP_MM * unit)) / (2 * STEP_MM)
        for unit in np.eye(3)
    ]  # fmt: skip
    steps = np.linalg.solve(np.stack(slopes, axis=-1), gap[todo][..., None])[..., 0]
    share = np.ones((len(todo), 1))
    for _ in range(6):
        tried = here - share * steps
        left = transform_points(transform, tried) - points[todo]
        worse = np.linalg.norm(left, axis=1) > np.linalg.norm(gap[todo], axis=1)
        if not worse.any():
            break
        share[worse] /= 2
    found[todo], gap[todo] = tried, left
