"""Kidneys and liver of the abdomen phantom, in the organs' frame of `abdomen.py`."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from mmzoo.phantoms.anatomy import shapes
from mmzoo.phantoms.anatomy.thorax import grow_tree
from mmzoo.phantoms.imaging.render import Layer

LABELS = ("liver", "spleen", "right kidney", "left kidney")


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
