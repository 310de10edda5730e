"""The folded cortex of the cerebrum: its hull, and the sulci and fissures that go in from there.

Sulci are sheets that run from the hull inwards. Where they start is where random waves of about
one length cross zero, a labyrinth of lines about half a wavelength apart, which is how far real
sulci lie apart. Everything is in the cerebrum's own frame, millimetres.
"""

from dataclasses import dataclass

import numpy as np

from mmzoo.phantoms.anatomy import shapes
from mmzoo.phantoms.fields import SplineDeformation, SplineNoise

CENTRE_MM, RADII_MM = (0.0, -2.0, 3.0), (66.0, 83.0, 61.0)
DEEPEST_MM = 26.0
SULCUS_MM, FISSURE_MM = 0.7, 0.8  # half their widths


@dataclass(frozen=True)
class Waves:
    """Sum of plane waves of one length in random directions.

    Attributes:
        vectors: (n, 3), radians per millimetre.
        phases: (n,).
    """

    vectors: np.ndarray
    phases: np.ndarray

    @classmethod
    def random(cls, rng, length_mm: float, count: int = 32) -> "Waves":
        """Draw some."""
        ways = rng.normal(size=(count, 3))
        ways *= 2 * np.pi / length_mm / np.linalg.norm(ways, axis=1, keepdims=True)
        return cls(ways.astype(np.float32), rng.uniform(0, 2 * np.pi, count).astype(np.float32))

    def distance(self, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
        """Return how far points (n, 3) of a surface are from where the sum is zero, along it.

        For one wave sin(k d) it is d, from value and slope: arctan(k |value| / |slope|) / k.
        """
        value, slope = np.zeros(len(points), np.float32), np.zeros_like(points)
        for vector, phase in zip(self.vectors, self.phases, strict=True):
            angle = points @ vector + phase
            value += np.sin(angle)
            slope += np.cos(angle)[:, None] * vector
        slope -= np.sum(slope * normals, axis=1, keepdims=True) * normals
        number = float(np.linalg.norm(self.vectors[0]))
        return np.arctan2(number * np.abs(value), np.linalg.norm(slope, axis=1)) / number


@dataclass(frozen=True)
class Cortex:
    """The cortex of one person.

    Attributes:
        waves: where the sulci are.
        bends: of the sulci, which do not go straight in.
        depths: noise of space: how deep they are.
        thickness_mm: of the grey matter.
    """

    waves: Waves
    bends: SplineDeformation
    depths: SplineNoise
    thickness_mm: float

    @classmethod
    def random(cls, rng) -> "Cortex":
        """Draw one."""
        waves = Waves.random(rng, rng.uniform(26, 30))
        bends = SplineDeformation(rng, CENTRE_MM, 220.0, 16.0, 4.5)
        return cls(waves, bends, SplineNoise(rng, 18.0), rng.uniform(2.4, 3.0))

    def hull(self, points: np.ndarray) -> np.ndarray:
        """Return the level set of the cerebrum with its sulci filled."""
        top = shapes.ellipsoid(points, CENTRE_MM, RADII_MM)
        hull = shapes.intersection(top, -26.0 - points[..., 2], 24.0)
        for side in (1, -1):
            temporal = shapes.ellipsoid(points, (42 * side, 4, -26), (21, 41, 22))
            hull = shapes.union(hull, temporal, 5.0)
        return hull

    def pial(self, points: np.ndarray, hull: np.ndarray) -> np.ndarray:
        """Return the level set of the cerebrum without its sulci and fissures."""
        sulci = np.full(hull.shape, shapes.FAR_MM, np.float32)
        near = (hull > -DEEPEST_MM) & (hull < 4)
        sulci[near] = self._sheets(points[near], hull[near])
        middle = np.abs(points[..., 0]) - FISSURE_MM
        bridge = shapes.ellipsoid(points, (0, 0, 4), (22, 42, 28))
        return np.maximum.reduce([hull, -sulci, -np.maximum(middle, -bridge), -_lateral(points)])

    def _sheets(self, points, hull):
        """Return the level set of the sulci at points (n, 3), with none close to the nuclei."""
        centred = self.bends(points) - np.asarray(CENTRE_MM, np.float32)
        radii = np.asarray(RADII_MM, np.float32)
        share = np.linalg.norm(centred / radii, axis=1)
        normals = centred / radii**2
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        # Seen from the middle, so that sheets go inwards, where they lie closer to each other.
        aside = share * self.waves.distance(centred / share[:, None], normals)
        depth = np.clip(15.0 + 5.0 * self.depths(points), 4, DEEPEST_MM - 4)
        core = shapes.ellipsoid(points, (0, 2, 4), (38, 48, 27))
        return np.maximum.reduce([aside - SULCUS_MM, -(hull + depth), -core])


def _lateral(points: np.ndarray) -> np.ndarray:
    """Return the level set of the fissures above the temporal lobes, down to the insulae."""
    x, y, z = np.moveaxis(points, -1, 0)
    rise = -3.0 - 0.36 * y
    return np.maximum.reduce([0.94 * np.abs(z - rise) - 1.6, 37.0 - np.abs(x), np.abs(y - 2) - 32])
