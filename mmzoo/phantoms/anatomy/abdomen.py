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
from mmzoo.phantoms.anatomy.thorax import Thorax, grow_tree
from mmzoo.phantoms.fields import SplineDeformation
from mmzoo.phantoms.imaging.abdomen_scan import TABLES, acquire
from mmzoo.phantoms.imaging.render import Layer

__all__ = ["FIELDS", "FIXED", "LABELS", "MOVING", "TABLES", "Abdomen", "acquire", "draw"]

LABELS = ("liver", "spleen", "right kidney", "left kidney")
MOVING, FIXED = ("t1", "t2"), "ct"
FIELDS = {"liver": ("liver",), "abdomen": LABELS, "body": None}

# Where the chest's frame has the dome of the diaphragm, on average.
DOME_MM = -47.0
# The way of the inferior vena cava in the organs' frame.
CAVA = [(16, -8, 16), (21, -30, -14), (22, -34, -80), (18, -30, -250)]
AVERAGE_WIDTH_MM, AVERAGE_DEPTH_MM = 132.0, 89.0


@dataclass(frozen=True)
class Kidney:
    """One kidney in the organs' frame.

    Attributes:
        side: 1 right, -1 left.
        centre: its middle.
        radii: across, front to back, along.
        axes: its own axes in rows: towards the side, forwards, along.
    """

    side: int
    centre: np.ndarray
    radii: np.ndarray
    axes: np.ndarray

    @classmethod
    def random(cls, rng, side: int) -> "Kidney":
        """Draw one: 10 to 12.5 cm long, the right one lower as a rule."""
        height = -128.0 if side > 0 else -112.0
        turn = [rng.normal(-10, 4), side * rng.normal(14, 5), side * rng.normal(35, 10)]
        along = rng.uniform(51, 61)
        return cls(
            side=side,
            centre=np.array([side * 66.0, -58.0, height]) + rng.normal(0, [5, 4, 9]),
            radii=along * np.array([rng.uniform(0.49, 0.56), rng.uniform(0.42, 0.5), 1.0]),
            axes=Rotation.from_euler("xyz", turn, degrees=True).as_matrix().T,
        )

    def outline(self, points: np.ndarray) -> np.ndarray:
        """Return the level set of the bean without its hilum."""
        return shapes.ellipsoid(self._own(points), (0, 0, 0), self.radii)

    def layers(self, points: np.ndarray) -> list[Layer]:
        """Return cortex, pyramids, the fat of the sinus and the pelvis."""
        own, outline = self._own(points), self.outline(points)
        across, _, along = self.radii
        hilum = (-0.75 * self.side * across, 0.0, 0.0)
        sinus = shapes.ellipsoid(own, hilum, 0.5 * self.radii * np.array([1.5, 0.62, 0.85]))
        pelvis = shapes.ellipsoid(own, hilum, (0.5 * across, 6.0, 0.22 * along))
        angle = np.arctan2(own[..., 2] / along, self.side * own[..., 0] / across + 0.7)
        columns = 2.5 * np.cos(14 * angle) + 0.5
        pyramids = shapes.intersection(outline + 8.0, columns, 2.0)
        bean = shapes.subtraction(outline, sinus, 3.0)
        name = LABELS[2 if self.side > 0 else 3]
        return [
            Layer("fat", outline - 5.0),
            Layer("kidney cortex", bean, name),
            Layer("kidney medulla", shapes.subtraction(pyramids, sinus), name),
            Layer("urine", pelvis),
        ]

    def _own(self, points):
        return np.einsum("...i,ji->...j", points - self.centre, self.axes).astype(np.float32)


@dataclass(frozen=True)
class Liver:
    """One liver in the organs' frame.

    Attributes:
        underside: outward normal of the plane that it rests on.
        hilum: a point of that plane.
        length: how far the right lobe reaches down.
        reach: how far the left lobe reaches across.
        bed: centre of the stomach's bed behind the left lobe.
        bed_radii: its radii.
        fissure: where the fissure between the lobes meets the front, along the first axis.
        notch: half its width.
        gallbladder: radii of the gallbladder.
        portal, veins: centres (n, 3) and radii (n,) of the vessels.
    """

    underside: np.ndarray
    hilum: np.ndarray
    length: float
    reach: float
    bed: np.ndarray
    bed_radii: np.ndarray
    fissure: float
    notch: float
    gallbladder: np.ndarray
    portal: tuple[np.ndarray, np.ndarray]
    veins: tuple[np.ndarray, np.ndarray]

    @classmethod
    def random(cls, rng) -> "Liver":
        """Draw one: 1 to 2 litres, from tall with a short left lobe (-1) to flat and wide (1)."""
        wide = rng.uniform(-1, 1)
        hilum = np.array([38.0, 0.0, -97.0 + 9 * wide]) + rng.normal(0, [5, 8, 7])
        right = (hilum + [10, -6, 8], np.array([0.9, -0.1, 0.3]), 6.0)
        left = (hilum + [-12, 6, 14], np.array([-0.6, 0.5, 0.6]), 5.0)
        confluence = np.array([22.0, -34.0, -18.0])
        ways = np.array([[0.85, -0.1, -0.5], [0.55, 0.55, -0.6], [-0.35, 0.8, -0.45]])
        veins = [(confluence + 12 * way, way, 5.5) for way in ways]
        return cls(
            underside=np.array([-0.45 + 0.2 * wide, -0.2, -0.8]) + rng.normal(0, [0.08, 0.2, 0.05]),
            hilum=hilum,
            length=164 - 20 * wide + rng.uniform(-15, 15),
            reach=75 + 40 * wide + rng.uniform(-20, 20),
            bed=np.array([-68.0, -54.0, -52.0]) + rng.normal(0, 9, 3),
            bed_radii=np.array([70.0, 58.0, 80.0]) * rng.uniform(0.75, 1.15, 3),
            fissure=rng.uniform(-4, 20),
            notch=rng.uniform(2.0, 5.0),
            gallbladder=rng.uniform((10, 10, 25), (15, 15, 38)),
            portal=grow_tree(rng, [right, left], 30.0, 3),
            veins=grow_tree(rng, veins, 34.0, 3),
        )

    def outline(self, points: np.ndarray, cavity: np.ndarray) -> np.ndarray:
        """Return the level set of the liver in the cavity under the diaphragm."""
        beneath = shapes.half_space(points, self.hilum, self.underside)
        lowest = -self.length - points[..., 2]
        leftmost = -self.reach - points[..., 0] - 0.4 * (points[..., 2] + 40)
        bed = shapes.ellipsoid(points, self.bed, self.bed_radii)
        spine = shapes.super_ellipse(points, (0.0, -72.0), (36.0, 34.0), 2.5)
        porta = shapes.ellipsoid(points, self.hilum + [-8, -8, -6], (30.0, 16.0, 20.0))
        fissure = shapes.ellipsoid(
            points, (self.fissure, 40.0, self.hilum[2] + 12), (self.notch, 34.0, 34.0)
        )
        level = shapes.intersection(cavity, beneath, 14.0)
        level = shapes.intersection(level, lowest, 30.0)
        level = shapes.intersection(level, leftmost, 30.0)
        for hollow, rounding in ((bed, 22.0), (spine, 12.0), (porta, 10.0), (fissure, 4.0)):
            level = shapes.subtraction(level, hollow, rounding)
        return level

    def layers(self, points: np.ndarray, outline: np.ndarray) -> list[Layer]:
        """Return liver, its vessels and the gallbladder."""
        inside = outline + 3.0
        portal, veins = (shapes.beads(points, *tree) for tree in (self.portal, self.veins))
        low = self.hilum + [2.0, 34.0, -6.0 - 0.5 * self.gallbladder[2]]
        pouch = shapes.ellipsoid(points, low, self.gallbladder)
        return [
            Layer("liver", outline, "liver"),
            Layer("portal vein", shapes.intersection(portal, inside), "liver"),
            Layer("hepatic vein", shapes.intersection(veins, inside), "liver"),
            Layer("bowel wall", pouch - 2.0),
            Layer("bile", pouch),
        ]


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


def draw(rng) -> Abdomen:
    """Draw a person."""
    return Abdomen.random(rng)
