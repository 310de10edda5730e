"""Cine phantom: a short-axis stack of one heart at end-diastole and at end-systole.

The heart of the heart phantom, with the sizes of end-systole, in its chest; the stack's frame lies
along its left ventricle: axis 1 away from the right ventricle, axis 2 upwards in the picture,
axis 3 from the base to the apex, its origin in the middle of the ventricle at end-diastole. (The
files say so as if it were right, anterior, superior: as those of public cine data, they do not know
how the stack lies in the body.) Voxels are slabs, as thick as the slices lie apart.
"""

from dataclasses import dataclass, replace

import numpy as np

from mmzoo.phantoms.anatomy.heart import Heart
from mmzoo.phantoms.fields import SplineDeformation, SplineNoise
from mmzoo.phantoms.imaging.cine_scan import TABLES, acquire
from mmzoo.phantoms.imaging.render import Layer
from mmzoo.phantoms.motion.beat import beat
from mmzoo.phantoms.motion.transforms import Chain, invert

__all__ = ["FIELDS", "FIXED", "LABELS", "MOVING", "TABLES", "Cine", "acquire", "draw"]

LABELS = ("left ventricle cavity", "myocardium", "right ventricle")
MOVING, FIXED = ("ed",), "es"
PAIRING = "same"
PLANES = ("long axis, upright", "long axis, level", "short axis")
SIZE, MULTIPLES, SMALLEST = (128, 128, 12), (16, 16, 1), (16, 16, 6)
SLABS = (1, 1, 3)
EDGES_MM = (192.0, 192.0, 120.0)


@dataclass(frozen=True)
class Cine:
    """One person's heart in the stack's frame; call ``layers`` at points of end-systole.

    Attributes:
        heart: as it is at end-systole, in its chest.
        origin_mm: the stack's origin in the chest.
        axes: the stack's axes in the chest, in rows.
        motion: from points at end-diastole to points at end-systole.
        grains: noises of space, fine and coarse.
        coil: seed of the receive coil's gain, which both states share.
    """

    heart: Heart
    origin_mm: np.ndarray
    axes: np.ndarray
    motion: Chain
    grains: tuple[SplineNoise, ...]
    coil: int

    centre_mm = (0.0, 0.0, 0.0)

    @classmethod
    def random(cls, rng) -> "Cine":
        """Draw a person."""
        heart = _at_end_systole(Heart.random(rng), rng)
        descent = rng.uniform(10, 16) * heart.scale
        origin, axes = _stack(heart, descent)
        tremor = SplineDeformation(rng, (0, 0, 0), 200.0, 40.0, 2.0)
        return cls(
            heart=heart,
            origin_mm=origin,
            axes=axes,
            motion=Chain((*beat(rng, heart, descent), tremor)),
            grains=tuple(SplineNoise(rng, spacing_mm) for spacing_mm in (4.0, 12.0)),
            coil=int(rng.integers(2**32)),
        )

    def layers(self, points: np.ndarray) -> list[Layer]:
        """Return the layers at points (..., 3) of the stack, in millimetres, in painting order."""
        chest = self.origin_mm + np.einsum("...i,ij->...j", points, self.axes)
        layers = self.heart.layers(chest.astype(np.float32))
        return [layer if layer.label in LABELS else replace(layer, label=None) for layer in layers]

    def texture(self, points: np.ndarray, modality: str) -> np.ndarray:
        """Return the grain of the tissues, the same in both states."""
        return np.sqrt(0.5) * sum(grain(points) for grain in self.grains)


def _at_end_systole(heart: Heart, rng) -> Heart:
    """Return a heart with a small, thick left ventricle, a small right one and full atria."""
    return replace(
        heart,
        radius=rng.uniform(17, 22.5),
        wall=rng.uniform(10.5, 14),
        length=rng.uniform(62, 76),
        right_width=rng.uniform(45, 53),
        left_atrium=1.1 * heart.left_atrium,
        right_atrium=1.1 * heart.right_atrium,
        # Gentler than in the heart phantom, so that the beat follows the ventricle's axis.
        deformations=(SplineDeformation(rng, heart.valves_mm, 300.0, 50.0, 5.0),),
    )


def _stack(heart: Heart, descent: float):
    """Return origin and axes of the stack in the chest: along the ventricle, as it is deformed."""
    apex = heart.valves_mm + heart.scale * heart.length * heart.frame[2]
    aside = heart.valves_mm + 40.0 * heart.frame[0]
    valves, apex, aside = invert(
        Chain(heart.deformations), np.stack([heart.valves_mm, apex, aside])
    )
    along = (apex - valves) / np.linalg.norm(apex - valves)
    across = valves - aside - np.dot(valves - aside, along) * along
    across /= np.linalg.norm(across)
    origin = 0.5 * (valves - descent * along + apex)
    return origin, np.stack([across, np.cross(along, across), along])


def _field_of_view(person: Cine):
    """Return centre and edges of the box: both ventricles, from the atria to beyond the apex."""
    return (-14.0, 0.0, -4.0), EDGES_MM


FIELDS = {"heart": _field_of_view}

draw = Cine.random  # a person
