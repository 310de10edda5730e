"""A deformation of a given size, for the pairs of Deform-GAN (Zhang et al. 2020, section 3.1).

The paper has "random shift, rotation, scaling and elastic deformation", up to 40 voxels, and no
more. Here: two elastic B-splines, coarse and fine, then a scaling, a rotation and a shift, each
one to one by itself; all are drawn in proportion to the size, and the largest displacement over the
brain is made to be that size.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from mmzoo.phantoms.fields import SplineDeformation
from mmzoo.phantoms.motion.transforms import Chain, Rigid, invert

# Shares of the size, and the distance from the centre at which angles and scalings reach theirs.
SHIFT, TURN, SCALING, COARSE, FINE = 0.3, 0.25, 0.15, 0.6, 0.35
ARM_MM = 75.0
ROUNDS = 12


@dataclass(frozen=True)
class Scaling:
    """Scaling along each axis about the origin.

    Attributes:
        factors: one for each axis.
    """

    factors: np.ndarray

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Return the moved points, same shape and type."""
        return (points * self.factors).astype(points.dtype)


def random_motion(seed: int, size_mm: float, points: np.ndarray) -> Chain:
    """Return a motion from the moving state to the fixed one.

    Args:
        seed: of the motion; the same at all sizes gives motions that are much alike.
        size_mm: largest length of the true field at the points, to one in a hundred; zero for none.
        points: (n, 3) of the fixed state, in millimetres.

    Raises:
        ValueError: no motion of this size was found.
    """
    if not size_mm:
        return Chain(())
    points, strength_mm = points.astype(np.float64), size_mm
    for _ in range(ROUNDS):
        motion = _motion(seed, strength_mm)
        largest_mm = np.linalg.norm(invert(motion, points) - points, axis=-1).max()
        if abs(largest_mm / size_mm - 1) < 0.01:
            return motion
        strength_mm *= size_mm / largest_mm
    raise ValueError(f"no motion of {size_mm:.1f} mm was found; use a smaller `motion`.")


def _motion(seed: int, strength_mm: float) -> Chain:
    rng = np.random.default_rng(seed)
    shift, turn, scaling = np.clip(rng.standard_normal((3, 3)), -2, 2) * strength_mm
    coarse, fine = (
        SplineDeformation(rng, (0, 0, 0), 320.0, spacing_mm, share * strength_mm)
        for spacing_mm, share in ((56.0, COARSE), (32.0, FINE))
    )
    rotation = Rotation.from_rotvec(TURN * turn / ARM_MM).as_matrix()
    factors = np.exp(SCALING * scaling / ARM_MM)
    return Chain((coarse, fine, Scaling(factors), Rigid(rotation, np.zeros(3), SHIFT * shift)))
