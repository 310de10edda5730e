"""Breast phantom: one person lying prone, before and after contrast agent.

The chest and heart of the heart phantom, from which two breasts hang forwards: fat with fibrous
septa, fibroglandular tissue that is a ragged cone behind the nipple, full of lobules of fat, ducts
that branch from the nipple, vessels from the side of the chest, and in one of them a lesion, smooth
or with spicules. Between the two series the person breathes and shifts a little, and soft tissue
gives way. World coordinates are the chest's, in RAS millimetres, whose front is y.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from mmzoo.phantoms.anatomy import shapes
from mmzoo.phantoms.anatomy.breast_parts import Breast, Lesion
from mmzoo.phantoms.anatomy.heart import Heart
from mmzoo.phantoms.fields import SplineDeformation, SplineNoise
from mmzoo.phantoms.imaging.breast_scan import TABLES, acquire
from mmzoo.phantoms.imaging.render import Layer
from mmzoo.phantoms.motion.transforms import Chain, Rigid, invert

__all__ = ["FIELDS", "FIXED", "LABELS", "MOVING", "TABLES", "Prone", "acquire", "draw"]

LABELS = ("fibroglandular tissue", "lesion", "breast fat", "pectoral muscle")
MOVING, FIXED = ("post",), "pre"
PAIRING = "same"
SIZE = (96, 96, 96)


@dataclass(frozen=True)
class Prone:
    """One person before contrast agent.

    Attributes:
        heart: heart and chest.
        breasts: right and left.
        lesion: in the first or second of them, as ``side`` says.
        side: of the lesion, 0 right, 1 left.
        motion: from points of the series after contrast agent to points of that before.
        grains: noises of space: fine, coarse, and that of the agent's patches.
        coil: seed of the receive coil's gain, which both series share.
    """

    heart: Heart
    breasts: tuple[Breast, Breast]
    lesion: Lesion
    side: int
    motion: Chain
    grains: tuple[SplineNoise, ...]
    coil: int

    @classmethod
    def random(cls, rng) -> "Prone":
        """Draw a person."""
        heart = Heart.random(rng)
        # Gentler than in the heart phantom: what hangs from the chest is bent along.
        gentle = SplineDeformation(rng, heart.valves_mm + [0, 60, 0], 420.0, 60.0, 6.0)
        heart = replace(heart, deformations=(gentle,))
        kind = Breast.random_kind(rng)
        right = Breast.random(rng, 1, heart.thorax, kind)
        left = Breast.random(rng, -1, heart.thorax, kind)
        side = int(rng.integers(2))
        return cls(
            heart=heart,
            breasts=(right, left),
            lesion=Lesion.random(rng, (right, left)[side]),
            side=side,
            motion=_motion(rng, heart),
            grains=tuple(SplineNoise(rng, spacing_mm) for spacing_mm in (3.5, 9.0, 7.0)),
            coil=int(rng.integers(2**32)),
        )

    @property
    def centre_mm(self) -> np.ndarray:
        """Middle of the breast with the lesion."""
        return self.middle(self.breasts[self.side].centre + [0, 30, 0])

    def middle(self, point: np.ndarray) -> np.ndarray:
        """Return where a point of the chest is once the person's shape is given to it."""
        return invert(Chain(self.heart.deformations), point)

    def layers(self, points: np.ndarray) -> list[Layer]:
        """Return the layers at points (..., 3), RAS millimetres, in painting order."""
        points = Chain(self.heart.deformations)(points)
        chest = self.heart.thorax.behind_heart(points)
        wall = next(k for k, layer in enumerate(chest) if layer.tissue == "muscle")
        surface = chest[wall - 1].level
        soft = [layer for breast in self.breasts for layer in breast.layers(points, surface)]
        inner = [replace(layer, label=None) for layer in self.heart.chambers(points)]
        pectoral = [self._pectoral(points, chest[wall].level, side) for side in (1, -1)]
        lesion = self.lesion.layers(points)
        return chest[:wall] + soft + lesion + pectoral + chest[wall:] + inner

    def texture(self, points: np.ndarray, modality: str) -> np.ndarray:
        """Return the grain of the tissues; after contrast agent, mostly that of its patches."""
        fine, coarse, patches = (grain(points) for grain in self.grains)
        grain = np.sqrt(0.5) * (fine + coarse)
        return grain if modality == FIXED else 0.6 * grain + 0.8 * patches

    def _pectoral(self, points, wall, side):
        slab = shapes.ellipsoid(points, (side * 66.0, 72.0, 28.0), (62.0, 52.0, 88.0))
        level = shapes.intersection(wall - 9.0, slab, 8.0)
        return Layer("muscle", level, "pectoral muscle")


@dataclass(frozen=True)
class Breath:
    """Rise of the chest's wall: forwards and outwards, less and less away from it.

    Attributes:
        rise_mm: of the wall in front.
        wall_mm: where it is along y.
        reach_mm: distance from the wall at which little of it is left.
    """

    rise_mm: float
    wall_mm: float
    reach_mm: float

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Return the moved points, same shape and type."""
        x, y, z = np.moveaxis(points, -1, 0)
        depth = np.exp(-(((y - self.wall_mm) / self.reach_mm) ** 2))
        height = 1 - 0.5 * np.tanh((z + 20) / 60)
        shift = self.rise_mm * depth * height * np.exp(-((x / 170) ** 2))
        moved = points.copy()
        moved[..., 1] += shift.astype(points.dtype)
        return moved


def _motion(rng, heart: Heart) -> Chain:
    """Return the steps from the later series to the earlier one; none of them folds."""
    front = 0.75 * heart.thorax.half_depth_mm
    centre = np.array([0.0, front, 0.0])
    turn = Rotation.from_euler("xyz", np.clip(rng.normal(0, 1.0, 3), -2, 2), degrees=True)
    shift = np.clip(rng.normal(0, [1.2, 1.8, 1.8]), -4, 4)
    middle = centre + [0, 40, 0]
    return Chain(
        (
            Breath(rng.choice([-1, 1]) * rng.uniform(1.5, 5), front, 55.0),
            SplineDeformation(rng, middle, 380.0, 48.0, 4.5),
            SplineDeformation(rng, middle, 340.0, 24.0, 2.2),
            Rigid(turn.as_matrix(), centre, shift),
        )
    )


def _one(person: Prone):
    """Return centre and edges of a box round the breast with the lesion and its chest wall."""
    return person.centre_mm, (160.0, 160.0, 160.0)


def _both(person: Prone):
    """Return centre and edges of a box round both breasts, and the chest behind them."""
    middle = np.mean([breast.centre for breast in person.breasts], axis=0)
    return middle + [0.0, 20.0, 0.0], (352.0, 192.0, 176.0)


FIELDS = {"breast": _one, "breasts": _both}

draw = Prone.random  # a person
