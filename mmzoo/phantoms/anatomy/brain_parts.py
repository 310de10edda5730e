"""What lies within and below the cerebrum, and the tumour; millimetres.

Places and sizes are those of adults; all but the tumour in the cerebrum's own frame.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from mmzoo.phantoms.anatomy import shapes
from mmzoo.phantoms.anatomy.brain_cortex import CENTRE_MM
from mmzoo.phantoms.fields import SplineNoise
from mmzoo.phantoms.imaging.render import Layer

# Control points and radii of tubes on the right: x across, y forwards, z upwards.
CAUDATE = np.array(
    [[13, 30, 2, 5.5], [14, 26, 9, 6.5], [17, 12, 18, 4.5], [20, -8, 22, 3], [25, -24, 14, 2]]
)
LATERAL = np.array(
    [
        *[[8, 37, 6, 3], [8, 28, 12, 4.5], [9, 8, 20, 4.5], [14, -14, 20, 5]],
        *[[23, -30, 11, 6], [25, -48, 4, 2.5]],
    ]
)
TEMPORAL_HORN = np.array(
    [[23, -30, 10, 4.5], [30, -20, -6, 3], [31, -2, -18, 2.2], [30, 10, -22, 2]]
)
STEM = np.array(
    [[0, -4, -6, 11], [0, -3, -18, 11], [0, 3, -31, 13], [0, -4, -52, 7.5], [0, -9, -90, 6]]
)


def nuclei(points: np.ndarray) -> list[Layer]:
    """Return caudate nuclei, putamina, pallida and thalami of both sides."""
    right = shapes.mirrored(points)
    bodies = {
        "putamen": shapes.ellipsoid(right, (26, 11, 3), (5, 16, 10)),
        "pallidum": shapes.ellipsoid(right, (19.5, 8, 0), (3.5, 9, 6)),
        "thalamus": shapes.ellipsoid(right, (10.5, -5, 4), (8, 14, 9)),
        "caudate": _tube(right, CAUDATE),
    }
    return [Layer(tissue, level, "deep nuclei") for tissue, level in bodies.items()]


def ventricles(points: np.ndarray, wider_mm: float) -> Layer:
    """Return the lateral, third and fourth ventricles; ``wider_mm`` for the lateral ones."""
    right = shapes.mirrored(points)
    lateral = shapes.union(_tube(right, LATERAL), _tube(right, TEMPORAL_HORN), 2.0) - wider_mm
    third = shapes.ellipsoid(points, (0, 2, 1), (2.2, 13, 9))
    fourth = shapes.ellipsoid(points, (0, -14, -34), (6, 4.5, 10))
    # A wall is left between the lateral ones.
    lateral = np.maximum(lateral, 1.2 - right[..., 0])
    return Layer("csf", np.minimum.reduce([lateral, third, fourth]), "ventricles")


def cerebellum(points: np.ndarray, leaves: SplineNoise) -> list[Layer]:
    """Return its cortex, with thin fissures that turn about the brain stem, and white matter."""
    right = shapes.mirrored(points)
    body = shapes.ellipsoid(right, (19, -32, -42), (31, 28, 22))
    body = shapes.union(body, shapes.ellipsoid(points, (0, -33, -40), (14, 24, 21)), 6.0)
    y, z = points[..., 1] + 12, points[..., 2] + 38
    wander = 0.12 * leaves(points)
    away = np.hypot(y, z)
    fissures = away / 9 * np.abs(np.sin(9 * (np.arctan2(z, -y) + wander))) - 0.5
    cortex = np.maximum(body, -np.maximum(fissures, -(body + 7.0)))
    white = np.maximum(body + 9.0 + 3.0 * leaves(points), cortex + 1.5)
    return [Layer("cerebellar cortex", cortex), Layer("cerebellar white matter", white)]


def stem(points: np.ndarray) -> Layer:
    """Return midbrain, pons and medulla."""
    return Layer("brain stem", _tube(points, STEM))


@dataclass(frozen=True)
class Tumour:
    """A tumour of the white matter: core, rim, and the oedema that it causes.

    Attributes:
        centre: its middle.
        radii: along its own axes.
        axes: these, in rows.
        rim_mm: thickness of the rim.
        reach_mm: how far the oedema goes beyond it, on average.
        lumps, fingers: noises of space: what makes its outline and that of the oedema uneven.
    """

    centre: np.ndarray
    radii: np.ndarray
    axes: np.ndarray
    rim_mm: float
    reach_mm: float
    lumps: SplineNoise
    fingers: SplineNoise

    @classmethod
    def random(cls, rng, radii: np.ndarray) -> "Tumour":
        """Draw one of 14 to 28 mm in either half of a cerebrum of these radii."""
        place = rng.uniform((0.32, -0.45, 0.0), (0.55, 0.45, 0.4)) * [rng.choice([-1, 1]), 1, 1]
        return cls(
            centre=CENTRE_MM + place * radii,
            radii=rng.uniform(7, 14) * rng.uniform(0.8, 1.2, 3),
            axes=Rotation.from_euler("xyz", rng.uniform(-90, 90, 3), degrees=True).as_matrix(),
            rim_mm=rng.uniform(1.5, 3.0),
            reach_mm=rng.uniform(5, 11),
            lumps=SplineNoise(rng, 6.0),
            fingers=SplineNoise(rng, 7.0),
        )

    def pushed(self, points: np.ndarray) -> np.ndarray:
        """Return where the tissue at points (..., 3) would be without the tumour.

        Towards its centre by a share that falls with the distance; it does not fold.
        """
        away = points - self.centre
        reach = 2.5 * float(np.mean(self.radii))
        share = 0.3 * np.exp(-np.sum((away / reach) ** 2, axis=-1, keepdims=True))
        return (points - share * away).astype(points.dtype)

    def layers(self, points, hull, white, spared) -> list[Layer]:
        """Return oedema, rim and core at points (..., 3).

        Args:
            points: in millimetres.
            hull: level set of the cerebrum, which holds the tumour.
            white: level set of the white matter, along which the oedema spreads.
            spared: level set of what neither enters.
        """
        own = np.einsum("...i,ji->...j", points - self.centre, self.axes).astype(np.float32)
        size = float(np.mean(self.radii))
        mass = shapes.ellipsoid(own, (0, 0, 0), self.radii) + 0.15 * size * self.lumps(points)
        spread = mass - self.reach_mm * (1 + 0.6 * self.fingers(points))
        mass = np.maximum.reduce([mass, hull + 1.0, 1.0 - spared])
        oedema = np.maximum.reduce([spread, white, 0.5 - spared])
        return [
            Layer("oedema", oedema, "tumour"),
            Layer("tumour rim", mass, "tumour"),
            Layer("tumour core", mass + self.rim_mm, "tumour"),
        ]


def _tube(points: np.ndarray, control: np.ndarray) -> np.ndarray:
    return shapes.tube(points, control[:, :3], control[:, 3])
