"""Lumbar spine phantom: CT and T1-weighted MR of one person in two poses, with rigid bones.

As the data of van Ulsen (Multi-modal deep learning based 3D image registration for osseous
anatomies, Delft University of Technology, 2022, section 3.1) are after the first, rigid step, in
which L5 was aligned: L5 is nearly at rest, and L4 and L3 are off by growing amounts, for the spine
bends at its discs. Every bone moves exactly rigidly, and what lies between follows. The thesis does
not say which of the two images is the moving one; here it is CT, as its synthetic CT from MR wants.
World coordinates are RAS millimetres; the origin is the middle of L4.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial.transform import Rotation

from mmzoo.phantoms.anatomy.spine_bones import KINDS, Place, Sacrum, Vertebra
from mmzoo.phantoms.anatomy.spine_soft import Trunk
from mmzoo.phantoms.fields import SplineDeformation, SplineNoise
from mmzoo.phantoms.imaging.render import Layer
from mmzoo.phantoms.imaging.spine_scan import TABLES, acquire
from mmzoo.phantoms.motion.polyrigid import Clearance, Give, Polyrigid
from mmzoo.phantoms.motion.transforms import Chain
from mmzoo.spatial.grid import Grid

__all__ = ["FIELDS", "FIXED", "LABELS", "MOVING", "TABLES", "Spine", "acquire", "draw"]

LABELS = ("L3", "L4", "L5")
MOVING, FIXED = ("ct",), "mr"
PAIRING = "same"
SIZE = (64, 96, 96)

ORDER = ("L5", "L4", "L3", "L2", "L1", "T12", "T11")
# What moves as one: all above L3 goes with L2.
BLOCKS = (*LABELS, "above", "sacrum")
REGION = Grid.centred((0.0, -20.0, 20.0), (3.0, 3.0, 3.0), (56, 64, 112))
MARGIN_MM = 2.1


@dataclass(frozen=True)
class Spine:
    """One person as in the MR image.

    Attributes:
        vertebrae: by name, see ``ORDER``.
        sacrum: with the pelvis.
        trunk: the soft tissues.
        shape: deformation that gives the person a shape of its own.
        ways: by name of ``BLOCKS``, (4, 4), motion from the MR image to the CT image.
        bend: displacement of soft tissue from the CT image to the MR image, away from bones.
        grains: noises of space: fine and coarse.
    """

    vertebrae: dict[str, Vertebra]
    sacrum: Sacrum
    trunk: Trunk
    shape: SplineDeformation
    ways: dict[str, np.ndarray]
    bend: SplineDeformation
    grains: tuple[SplineNoise, ...]

    centre_mm = (0.0, 0.0, 0.0)

    @classmethod
    def random(cls, rng) -> "Spine":
        """Draw a person."""
        scale = rng.uniform(0.92, 1.08)
        places = _curve(rng, scale)
        droop = rng.uniform(8, 24)
        vertebrae = {name: Vertebra(KINDS[name], places[name], droop) for name in ORDER}
        return cls(
            vertebrae=vertebrae,
            sacrum=Sacrum(places["sacrum"]),
            trunk=Trunk.random(rng, vertebrae, places["sacrum"]),
            shape=SplineDeformation(rng, (0.0, 0.0, 0.0), 360.0, 45.0, 4.0),
            ways=_ways(rng, vertebrae),
            bend=SplineDeformation(rng, (0.0, 0.0, 0.0), 360.0, 40.0, 4.0),
            grains=tuple(SplineNoise(rng, spacing_mm) for spacing_mm in (2.5, 7.0)),
        )

    @property
    def rigid_motions(self) -> dict[str, np.ndarray]:
        """By label, (4, 4) of RAS millimetres: where a point of the fixed bone is in the moving."""
        return {name: self.ways[name] for name in LABELS}

    @cached_property
    def motion(self) -> Chain:
        """From points of the CT image to points of the MR image."""
        levels = self.bones(REGION.points())
        bones = tuple(Clearance(levels[name], REGION, MARGIN_MM) for name in BLOCKS)
        motions = np.stack([np.linalg.inv(self.ways[name]) for name in BLOCKS])
        return Chain((Polyrigid(bones, motions), Give(bones, self.bend, 15.0)))

    def bones(self, points: np.ndarray) -> dict[str, np.ndarray]:
        """Return the level set of each of ``BLOCKS`` at points (..., 3)."""
        return self._bones(self.shape(points))

    def _bones(self, points):
        levels = {name: bone.level(points) for name, bone in self.vertebrae.items()}
        above = np.minimum.reduce([levels[name] for name in ORDER[3:]])
        labelled = {name: levels[name] for name in LABELS}
        return labelled | {"above": above, "sacrum": self.sacrum.level(points)}

    def layers(self, points: np.ndarray) -> list[Layer]:
        """Return the layers at points (..., 3), RAS millimetres, in painting order."""
        points = self.shape(points)
        layers = self.trunk.layers(points)
        for name, level in self._bones(points).items():
            label = name if name in LABELS else None
            layers += [Layer("cortical bone", level, label), Layer("marrow", level + 1.6, label)]
        return layers

    def texture(self, points: np.ndarray, modality: str) -> np.ndarray:
        """Return the grain of the tissues, the same in both images."""
        return np.sqrt(0.5) * sum(grain(points) for grain in self.grains)


def _curve(rng, scale: float) -> dict[str, Place]:
    """Return where the bones stand: upwards from L4 and downwards, hollow-backed as in lying."""
    hollow = rng.uniform(0.8, 1.15)
    tilts = dict(zip(ORDER, hollow * np.array([13, 5, -2, -7, -10, -11, -10]), strict=True))
    tilts["sacrum"] = hollow * 27.0
    centres = {"L4": np.zeros(3)}
    for lower, upper in zip(ORDER[1:], ORDER[2:], strict=False):
        centres[upper] = centres[lower] + _apart(lower, upper, tilts, scale)
    centres["L5"] = -_apart("L5", "L4", tilts, scale)
    centres["sacrum"] = centres["L5"] - _apart("sacrum", "L5", tilts, scale)
    return {name: Place(centres[name], _axes(tilts[name]), scale) for name in centres}


def _apart(lower: str, upper: str, tilts: dict[str, float], scale: float) -> np.ndarray:
    """Return the way from one body's middle to that above it: two half bodies and a disc."""
    halves = [KINDS[name].radii[2] if name in KINDS else 12.0 for name in (lower, upper)]
    ways = [_axes(tilts[name])[2] for name in (lower, upper)]
    return scale * sum((half + 5.0) * way for half, way in zip(halves, ways, strict=True))


def _axes(tilt: float) -> np.ndarray:
    """Return a bone's axes in rows; a positive tilt, in degrees, leans it forwards."""
    return Rotation.from_euler("x", -tilt, degrees=True).as_matrix().T


def _ways(rng, vertebrae: dict[str, Vertebra]) -> dict[str, np.ndarray]:
    """Return each block's motion from the MR image to the CT image, from L5 upwards."""
    sign = rng.choice([-1, 1])
    turn, shift = np.clip(rng.normal(0, 0.35, (2, 3)), -0.7, 0.7)
    ways = {"L5": _about(vertebrae["L5"].place.centre, turn, shift)}
    joints = (("L5", "L4", 1.0), ("L4", "L3", 2.0), ("L3", "above", 2.0))
    for lower, upper, degrees in joints:
        ways[upper] = ways[lower] @ _joint(rng, vertebrae[lower], sign * degrees)
    below = _about(vertebrae["L5"].place.to_world(0, 0, -18), [-0.6 * sign, 0, 0], np.zeros(3))
    return ways | {"sacrum": ways["L5"] @ below}


def _joint(rng, lower: Vertebra, degrees: float) -> np.ndarray:
    """Return a bend of about so many degrees, with a little turn, at the disc above a vertebra."""
    turn = rng.uniform(0.5, 1.5) * degrees * np.array([1, 0, 0]) + rng.normal(0, 0.4, 3)
    disc = lower.place.to_world(0, 0, lower.kind.radii[2] + 5.0)
    return _about(disc, turn, np.clip(rng.normal(0, 0.25, 3), -0.5, 0.5))


def _about(centre: np.ndarray, degrees, shift_mm: np.ndarray) -> np.ndarray:
    """Return the (4, 4) of a turn about a centre and a shift."""
    way = np.eye(4)
    way[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    way[:3, 3] = centre + shift_mm - way[:3, :3] @ centre
    return way


def _crop(person: Spine):
    """Return centre and edges of a box round L3 to L5."""
    middle = np.mean([person.vertebrae[name].place.centre for name in LABELS], axis=0)
    return middle + [0.0, -22.0, 0.0], (112.0, 168.0, 168.0)


def _trunk(person: Spine):
    """Return centre and edges of the box that the thesis crops: the whole depth of the body."""
    return (0.0, 10.0, 0.0), (96.0, 320.0, 320.0)


FIELDS = {"vertebrae": _crop, "trunk": _trunk}

draw = Spine.random  # a person
