"""Abdomen phantom: liver, spleen and kidneys among the other organs, for CT and T1 and T2 MR.

The organs' frame has its origin in the middle of the body at the height of the dome of the
diaphragm; it is stretched to each person's width, depth and height. The liver is what lies under
the right dome, cut from below by a slanting plane, from behind by the bed of the stomach and by
the spine, and notched by fissure, porta, gallbladder and kidney: a large right lobe, and a left one
that tapers across the midline. Sizes are adults', from anatomy textbooks' ranges, in millimetres,
drawn per person; smooth deformations then make every liver a shape of its own.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from mmzoo.phantoms.anatomy import shapes
from mmzoo.phantoms.anatomy.abdomen_gut import Gut
from mmzoo.phantoms.anatomy.abdomen_organs import LABELS, Kidney, Liver
from mmzoo.phantoms.anatomy.thorax import Thorax
from mmzoo.phantoms.fields import SplineDeformation
from mmzoo.phantoms.imaging.abdomen_scan import TABLES, acquire
from mmzoo.phantoms.imaging.render import Layer

__all__ = ["FIELDS", "FIXED", "LABELS", "MOVING", "TABLES", "Abdomen", "acquire", "draw"]

MOVING, FIXED = ("t1", "t2"), "ct"
FIELDS = {"liver": ("liver",), "abdomen": LABELS, "body": None}

# Where the chest's frame has the dome of the diaphragm, on average.
DOME_MM = -47.0
# The way of the inferior vena cava in the organs' frame.
CAVA = [(16, -8, 16), (21, -30, -14), (22, -34, -80), (18, -30, -250)]
AVERAGE_WIDTH_MM, AVERAGE_DEPTH_MM = 132.0, 89.0


@dataclass(frozen=True)
class Abdomen:
    """One person's abdomen; call ``layers`` for the layers on a grid's points.

    Attributes:
        thorax: ribs, wall, lungs and spine.
        tall: height of everything against an average adult's.
        left_dome: how much lower the left dome of the diaphragm is.
        liver, kidneys, gut: the organs.
        spleen_centre, spleen_radii, spleen_axes: spleen, its axes in rows.
        aorta, cava: radii of the large vessels.
        frame_deformation: smooth displacement of everything.
        deformations: further ones of the organs alone, coarse to fine.
    """

    thorax: Thorax
    tall: float
    left_dome: float
    liver: Liver
    kidneys: tuple[Kidney, Kidney]
    gut: Gut
    spleen_centre: np.ndarray
    spleen_radii: np.ndarray
    spleen_axes: np.ndarray
    aorta: float
    cava: float
    frame_deformation: SplineDeformation
    deformations: tuple[SplineDeformation, ...]

    # Boxes that hold the organs, and the trunk from the lungs' base to the pelvis.
    centre_mm = (0.0, -5.0, DOME_MM - 92.0)
    search_edges_mm = (310.0, 230.0, 250.0)
    body_centre_mm = (0.0, -14.0, DOME_MM - 90.0)
    body_edges_mm = (400.0, 300.0, 270.0)

    @classmethod
    def random(cls, rng) -> "Abdomen":
        """Draw a person."""
        spleen_turn = rng.normal([30, 25, 15], [10, 8, 10])
        centre = cls.centre_mm
        return cls(
            thorax=Thorax.random(rng),
            tall=rng.uniform(0.9, 1.1),
            left_dome=rng.uniform(5, 25),
            liver=Liver.random(rng),
            kidneys=(Kidney.random(rng, 1), Kidney.random(rng, -1)),
            gut=Gut.random(rng),
            spleen_centre=np.array([-92.0, -44.0, -72.0]) + rng.normal(0, 5, 3),
            spleen_radii=rng.uniform((30, 38, 48), (42, 50, 64)),
            spleen_axes=Rotation.from_euler("xyz", spleen_turn, degrees=True).as_matrix().T,
            aorta=rng.uniform(8.5, 11.5),
            cava=rng.uniform(9, 13),
            frame_deformation=SplineDeformation(rng, centre, 480.0, 90.0, 6.0),
            deformations=(
                SplineDeformation(rng, centre, 420.0, 85.0, 36.0),
                SplineDeformation(rng, centre, 340.0, 45.0, 14.0),
            ),
        )

    def layers(self, points: np.ndarray, organ_only: bool = False) -> list[Layer]:
        """Return the layers at the points (..., 3) in painting order.

        Args:
            points: RAS millimetres, in the frame of the chest.
            organ_only: only what has a label, for finding where it is.
        """
        frame = self.frame_deformation(points)
        local = self._local(frame)
        inner = self.thorax.inside_ribs(frame)
        below = self._below_diaphragm(local)
        organs = self._labelled(local, shapes.intersection(inner + 2.0, below + 3.0, 8.0))
        if organ_only:
            return [layer for layer in organs if layer.label]
        return [
            Layer("air", np.full(inner.shape, -1e3, np.float32)),
            *self._wall(frame, local, inner, below),
            *self._behind(frame, local),
            *self.gut.layers(local, shapes.intersection(inner, below)),
            *self._vessels(local),
            *organs,
        ]

    def _local(self, frame):
        """Return the points in the frame of the organs."""
        width = self.thorax.half_width_mm / AVERAGE_WIDTH_MM
        depth = self.thorax.half_depth_mm / AVERAGE_DEPTH_MM
        origin = np.array([0, 0, self.thorax.diaphragm_mm], np.float32)
        for deformation in self.deformations:
            frame = deformation(frame)
        return (frame - origin) / np.array([width, depth, self.tall], np.float32)

    def _below_diaphragm(self, local):
        right = shapes.ellipsoid(local, (56.0, -6.0, -100.0), (84.0, 90.0, 100.0))
        left = shapes.ellipsoid(local, (-62.0, -8.0, -100.0), (78.0, 88.0, 100.0 - self.left_dome))
        return shapes.union(shapes.union(right, left, 30.0), local[..., 2] + 108.0, 30.0)

    def _wall(self, frame, local, inner, below):
        """Wall, ribs above the costal margin, lungs, base of the heart, diaphragm, inner fat."""
        backward = local[..., 1] + 10
        margin = -168 + np.where(backward > 0, 0.0172, 0.0048) * backward**2
        ribs = [
            Layer(layer.tissue, np.maximum(layer.level, margin - local[..., 2]))
            for layer in self.thorax.ribs(frame, inner)
        ]
        heart = shapes.ellipsoid(local, (-28.0, 18.0, 24.0), (58.0, 46.0, 38.0))
        return [
            *self.thorax.wall(frame, inner),
            *ribs,
            *self.thorax.lungs(frame, inner, below),
            Layer("fat", heart - 5.0),
            Layer("muscle", heart),
            Layer("vein", heart + 11.0),
            Layer("muscle", shapes.intersection(below - 3.0, inner)),
            Layer("fat", shapes.intersection(below, inner)),
        ]

    def _behind(self, frame, local):
        """Muscles beside the spine, and the spine, larger in the loins than in the chest."""
        muscles = []
        for side in (-1, 1):
            psoas = [(side * 22, -70, -105), (side * 33, -64, -150), (side * 44, -56, -240)]
            square = [(side * 58, -86, -120), (side * 66, -84, -240)]
            crus = [(side * 14, -52, -40), (side * 12, -46, -90), (side * 9, -50, -150)]
            muscles += [_tube(local, psoas, [6, 15, 21]), _tube(local, square, 11)]
            muscles += [_tube(local, crus, [4, 6, 4])]
        canal = np.array([0, -96, 0], np.float32)
        spine = self.thorax.spine((frame - canal - np.float32([0, 5, 0])) / 1.15 + canal)
        return [
            Layer("muscle", np.minimum.reduce(muscles)),
            *(Layer(layer.tissue, 1.15 * layer.level) for layer in spine),
        ]

    def _vessels(self, local):
        """Pancreas and the large vessels but the vena cava, which lies in a groove of the liver."""
        hilum = self.liver.hilum
        pancreas = [(36, 2, -140), (14, 6, -122), (-24, -8, -110), (-72, -36, -92)]
        aorta = [(-17, -58, 40), (-14, -44, -30), (-8, -36, -110), (-8, -30, -250)]
        portal = [(14, -8, -128), (24, -4, -106), tuple(hilum)]
        splenic = [(14, -8, -128), (-24, -20, -112), (-72, -44, -90)]
        mesenteric = [(14, -8, -128), (10, 6, -170), (2, 16, -235)]
        artery = [(-8, -30, -118), (-4, -6, -140), (-2, 10, -235)]
        renal = [_tube(local, [(7, -30, -122), kidney.centre], 3.5) for kidney in self.kidneys]
        veins = [_tube(local, way, 6.0) for way in (portal, splenic, mesenteric)]
        return [
            Layer("pancreas", _tube(local, pancreas, [17, 11, 11, 8])),
            Layer("portal vein", np.minimum.reduce(veins)),
            Layer("hepatic vein", np.minimum.reduce(renal)),
            Layer("artery", np.minimum(_tube(local, aorta, self.aorta), _tube(local, artery, 3.5))),
        ]

    def _labelled(self, local, cavity):
        kidneys = [kidney.outline(local) for kidney in self.kidneys]
        beside = np.minimum(*kidneys)
        liver = self.liver.outline(local, cavity)
        liver = shapes.subtraction(liver, beside - 4.0, 10.0)
        own = np.einsum("...i,ji->...j", local - self.spleen_centre, self.spleen_axes)
        spleen = shapes.ellipsoid(own.astype(np.float32), (0, 0, 0), self.spleen_radii)
        spleen = shapes.intersection(spleen, cavity, 8.0)
        for hollow in (beside - 4.0, self.gut.stomach_outline(local), liver - 3.0):
            spleen = shapes.subtraction(spleen, hollow, 8.0)
        return [
            *self.kidneys[0].layers(local),
            *self.kidneys[1].layers(local),
            Layer("spleen", spleen, "spleen"),
            *self.liver.layers(local, liver),
            Layer("hepatic vein", _tube(local, CAVA, self.cava)),
        ]


def _tube(points, control, radii):
    return shapes.tube(points, np.array(control, float), radii)


draw = Abdomen.random  # a person
