"""Several bones that move rigidly, and what lies between them that follows.

V. Arsigny, X. Pennec, N. Ayache, Polyrigid and polyaffine transformations, Medical Image Analysis 9
(2005) 507-523: rigid motions M_k are cut into small steps exp(log(M_k) / n), which are averaged at
each point with weights that add up to one. Here weights follow the bones on their way,

    w_k ~ 1 / e_k^2,  e_k = distance to bone k as it then lies, less a margin, at least 0,

so that within the margin round a bone its own motion alone is left, exactly. One step moves two
bones towards each other by a part of the gap between them, so it does not fold, nor does the chain.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import expm, logm
from scipy.ndimage import distance_transform_edt, map_coordinates, spline_filter

from mmzoo.phantoms.fields import SplineDeformation
from mmzoo.spatial.grid import Grid

STEPS = 2
ORDER = 2  # of the splines that interpolate distances: smooth, and faster than cubic ones
REACH_MM = (5.0, 11.0)  # where a level set is believed, and where no more
SMALLEST_MM2 = 1e-9  # instead of a division by zero


class Clearance:
    """Distance to a bone less a margin, zero within it; constant outside its grid.

    Args:
        level: (dim1, dim2, dim3) level set of the bone, about right within ``REACH_MM[1]`` of it.
        grid: where the level set is sampled, with cubic voxels.
        margin_mm: what is taken off the distance.
    """

    def __init__(self, level: np.ndarray, grid: Grid, margin_mm: float):
        # Counted from voxel to voxel far away, where half a voxel does not matter.
        far = distance_transform_edt(level > 0, grid.spacing_mm) - 0.5 * grid.spacing_mm[0]
        near_mm, far_mm = REACH_MM
        share = np.clip((level - near_mm) / (far_mm - near_mm), 0, 1)
        distance = np.maximum(level + share * (far - level), -grid.spacing_mm[0])
        self.coefficients = spline_filter(distance.astype(np.float64) - margin_mm, order=ORDER)
        self.grid = grid

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Return it at points (..., 3) in millimetres, (...) float64."""
        index = np.moveaxis((points - self.grid.origin_mm) / self.grid.spacing_mm, -1, 0)
        found = map_coordinates(
            self.coefficients, index, order=ORDER, prefilter=False, mode="nearest"
        )
        return np.maximum(found, 0)


class Polyrigid:
    """Motion of points in which every bone moves rigidly.

    Args:
        bones: the clearance of each, as they lie after the motion.
        motions: (num_bones, 4, 4), each bone's motion, of points in millimetres.
    """

    def __init__(self, bones: tuple[Clearance, ...], motions: np.ndarray):
        logs = [np.real(logm(motion)) for motion in motions]
        self.bones = bones
        self.step = np.stack([expm(log / STEPS) for log in logs])
        self.left = np.stack([[expm(log * (1 - k / STEPS)) for log in logs] for k in range(STEPS)])

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Return the moved points, same shape and type."""
        moved = points
        for left in self.left:
            ends = [bone(_apply(way, moved)) for bone, way in zip(self.bones, left, strict=True)]
            shares = zip(_shares(ends), self.step, strict=True)
            moved = sum(share[..., None] * _apply(step, moved) for share, step in shares)
        return moved.astype(points.dtype)


@dataclass(frozen=True)
class Give:
    """Displacement of soft tissue that fades towards bones and leaves them where they are.

    Attributes:
        bones: the clearance of each.
        bend: the displacement far from bones.
        reach_mm: how far from a bone it is in full.
    """

    bones: tuple[Clearance, ...]
    bend: SplineDeformation
    reach_mm: float

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Return the moved points, same shape and type."""
        clear = sum(1 / (bone(points) ** 2 + SMALLEST_MM2) for bone in self.bones) ** -0.5
        share = np.clip(clear / self.reach_mm, 0, 1)[..., None]
        share = share**2 * (3 - 2 * share)
        return (points + share * (self.bend(points) - points)).astype(points.dtype)


def _shares(ends: list[np.ndarray]) -> list[np.ndarray]:
    """Return a weight for each clearance, which together are one."""
    weights = [1 / (end**2 + SMALLEST_MM2) for end in ends]
    total = sum(weights)
    return [weight / total for weight in weights]


def _apply(motion: np.ndarray, points: np.ndarray) -> np.ndarray:
    return np.einsum("ij,...j->...i", motion[:3, :3], points) + motion[:3, 3]
