"""Brain phantom: T1 and T2 of one person with a tumour, skull-stripped, one of them deformed.

The setting of Deform-GAN (Zhang et al. 2020, section 3.1): brains with a tumour, whose T1 and T2
lie on each other, one of them then shifted, turned, scaled and bent, which gives the true field.
Where it differs: the phantom deforms the anatomy, the paper the image after the scan, so that here
noise and the coil's gain do not move along.

World coordinates are RAS millimetres, from the middle of the cerebrum.
"""

from dataclasses import dataclass

import numpy as np

from mmzoo.phantoms.anatomy import shapes
from mmzoo.phantoms.anatomy.brain_cortex import RADII_MM, Cortex
from mmzoo.phantoms.anatomy.brain_parts import Tumour, cerebellum, nuclei, stem, ventricles
from mmzoo.phantoms.fields import SplineDeformation, SplineNoise
from mmzoo.phantoms.imaging.brain_scan import TABLES, acquire
from mmzoo.phantoms.imaging.render import Layer, is_tissue
from mmzoo.phantoms.motion.brain_motion import random_motion
from mmzoo.phantoms.motion.transforms import Chain
from mmzoo.spatial.grid import Grid

__all__ = [
    "FIELDS",
    "FIXED",
    "LABELS",
    "MOTION_MM",
    "MOVING",
    "TABLES",
    "WORSENED",
    "Brain",
    "acquire",
    "draw",
]

LABELS = ("tumour", "ventricles", "cortical grey matter", "deep nuclei")
MOVING, FIXED = ("t1",), "t2"
PAIRING = "same"
SIZE, MULTIPLES = (112, 128, 96), (8, 8, 8)
MOTION_MM = 15.0
WORSENED = True
EDGES_MM = (168.0, 192.0, 160.0)


@dataclass(frozen=True)
class Brain:
    """One person's brain as T2 shows it.

    Attributes:
        scale: of everything but the tumour.
        shape: steps that give the person a shape of their own.
        cortex: its folds.
        leaves: noise of space for the folds of the cerebellum.
        fluid_mm: by how much the ventricles are wider than in a young person.
        tumour: with its oedema.
        motion: from points of T1 to points of T2; see ``brain_motion``.
        grains: noises of space: what both modalities show, what T1 and what T2 shows alone.
        coil: seed of the receive coil's gain, which both modalities share.
    """

    scale: float
    shape: Chain
    cortex: Cortex
    leaves: SplineNoise
    fluid_mm: float
    tumour: Tumour
    motion: Chain
    grains: dict[str, SplineNoise]
    coil: int

    centre_mm = (0.0, 0.0, 0.0)

    @classmethod
    def random(cls, rng, motion_mm: float) -> "Brain":
        """Draw a person; the size of the motion changes nothing else."""
        scale = rng.uniform(0.92, 1.0)
        bends = [
            SplineDeformation(rng, (0, 0, 0), 260.0, *bend) for bend in ((56.0, 5.0), (20.0, 2.2))
        ]
        drawn = {
            "scale": scale,
            "shape": Chain(tuple(bends)),
            "cortex": Cortex.random(rng),
            "leaves": SplineNoise(rng, 9.0),
            "fluid_mm": rng.uniform(-0.5, 2.0),
            "tumour": Tumour.random(rng, scale * np.array(RADII_MM)),
            "grains": {name: SplineNoise(rng, 3.5) for name in ("both", *TABLES)},
            "coil": int(rng.integers(2**32)),
        }
        seed, size_mm = int(rng.integers(2**32)), rng.uniform(0.8, 1.0) * motion_mm
        still = cls(**drawn, motion=Chain(()))
        return cls(**drawn, motion=random_motion(seed, size_mm, still.points()))

    def points(self, step_mm: float = 10.0) -> np.ndarray:
        """Return points (n, 3) all over the brain, in millimetres."""
        counts = [int(edge / step_mm) for edge in EDGES_MM]
        points = Grid.centred(_field_of_view(self)[0], [step_mm] * 3, counts).points()
        return points[~is_tissue(self.layers(points), "air")]

    def layers(self, points: np.ndarray) -> list[Layer]:
        """Return the layers at points (..., 3), RAS millimetres, in painting order."""
        own = (self.shape(self.tumour.pushed(points)) / self.scale).astype(np.float32)
        hull = self.cortex.hull(own)
        pial = self.cortex.pial(own, hull)
        white = pial + self.cortex.thickness_mm
        deep, fluid = nuclei(own), ventricles(own, self.fluid_mm)
        below = [*cerebellum(own, self.leaves), stem(own)]
        meninges = hull
        for layer in below:
            meninges = shapes.union(meninges, layer.level, 14.0)
        grey = np.minimum.reduce([layer.level for layer in deep])
        spared = np.minimum.reduce([grey, fluid.level, *[layer.level for layer in below]])
        return [
            Layer("air", np.full(points.shape[:-1], -1e3, np.float32)),
            Layer("csf", meninges - 1.5),
            Layer("grey matter", pial, "cortical grey matter"),
            Layer("white matter", white),
            *deep,
            *below,
            fluid,
            *self.tumour.layers(points, hull, white, spared),
        ]

    def texture(self, points: np.ndarray, modality: str) -> np.ndarray:
        """Return the grain of the tissues, half of which the other modality shows too."""
        return np.sqrt(0.5) * (self.grains["both"](points) + self.grains[modality](points))


def _field_of_view(person: Brain):
    """Return centre and edges of a box round the brain, with room for the motion."""
    return (0.0, 0.0, -2.0), EDGES_MM


FIELDS = {"brain": _field_of_view}

draw = Brain.random  # a person
