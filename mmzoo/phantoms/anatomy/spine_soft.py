"""Soft tissues round a lumbar spine: wall, muscles, vessels, bowel, discs and the spinal canal."""

from dataclasses import dataclass

import numpy as np

from mmzoo.phantoms.anatomy import shapes
from mmzoo.phantoms.anatomy.spine_bones import Place, Vertebra
from mmzoo.phantoms.fields import SplineNoise
from mmzoo.phantoms.imaging.render import Layer


@dataclass(frozen=True)
class Trunk:
    """One person's soft tissues, in the frame of the spine.

    Attributes:
        vertebrae: by name, from below upwards.
        sacrum: where it stands.
        fat_mm: thickness of the fat under the skin.
        psoas, back: sizes of the muscles against an average adult's.
        aorta, cava: radii.
        septa, bowel: noises of space.
    """

    vertebrae: dict[str, Vertebra]
    sacrum: Place
    fat_mm: float
    psoas: float
    back: float
    aorta: float
    cava: float
    septa: SplineNoise
    bowel: SplineNoise

    @classmethod
    def random(cls, rng, vertebrae: dict[str, Vertebra], sacrum: Place) -> "Trunk":
        """Draw an adult's."""
        return cls(
            vertebrae=vertebrae,
            sacrum=sacrum,
            fat_mm=rng.uniform(7, 24),
            psoas=rng.uniform(0.8, 1.2),
            back=rng.uniform(0.85, 1.1),
            aorta=rng.uniform(7.5, 10.5),
            cava=rng.uniform(9, 12),
            septa=SplineNoise(rng, 9.0),
            bowel=SplineNoise(rng, 26.0),
        )

    def layers(self, points: np.ndarray) -> list[Layer]:
        """Return the layers at points (..., 3) in painting order, air first."""
        return [
            *self._wall(points),
            *self._bowel(points),
            *self._muscles(points),
            *self._vessels(points),
            *self._discs(points),
            *self._canal(points),
        ]

    def _wall(self, points):
        muscle = shapes.super_ellipse(points, (0.0, 14.0), (150.0, 100.0), 2.5)
        furrow = shapes.super_ellipse(points, (0.0, -98.0), (9.0, 12.0), 2.0)
        muscle = shapes.subtraction(muscle, furrow, 14.0)
        fat = muscle - self.fat_mm
        inside = shapes.super_ellipse(points, (0.0, 22.0), (132.0, 84.0), 2.4)
        return [
            Layer("air", np.full(fat.shape, -1e3, np.float32)),
            Layer("skin", fat - 2.0),
            Layer("fat", fat),
            Layer("muscle", muscle),
            Layer("fat", inside),
        ]

    def _bowel(self, points):
        """Return loops in front, with gas at some places."""
        inside = shapes.super_ellipse(points, (0.0, 62.0), (118.0, 40.0), 2.6)
        loops = 9.0 * (self.bowel(points) - 0.1)
        gas = np.maximum(loops + 15.0, inside + 4.0)
        return [Layer("bowel", np.maximum(loops, inside)), Layer("gas", gas)]

    def _muscles(self, points):
        half = shapes.mirrored(points)
        psoas = self._psoas(half)
        loin = shapes.super_ellipse(half, (66.0, -24.0), (17.0, 14.0), 2.2)
        erector = shapes.super_ellipse(half, (39.0, -58.0), (31.0 * self.back, 23.0), 2.5)
        inner = shapes.super_ellipse(half, (13.0, -54.0), (13.0, 22.0 * self.back), 2.2)
        # Fat between the bundles, which run along, a little inside the outline.
        streaks = 4.0 * np.abs(self.septa(points * np.float32([1, 1, 0.3]))) - 0.4
        streaks = np.maximum(streaks, np.minimum(erector, inner) + 2.0)
        return [
            Layer("fat", np.minimum(erector, inner) - 3.0),
            Layer("muscle", loin),
            Layer("muscle", np.minimum(erector, inner)),
            Layer("fat", streaks),
            Layer("muscle", psoas),
        ]

    def _psoas(self, half):
        way = [(25, -6, 95), (34, -4, 40), (43, 2, -10), (50, 12, -60), (56, 30, -120)]
        radii = self.psoas * np.array([7.0, 13.0, 18.0, 19.0, 16.0])
        return shapes.tube(half, np.array(way, float), radii)

    def _vessels(self, points):
        """Return aorta and vena cava with their branches to the legs, in front of the bodies."""
        fork = self._front("L4", 0.0, 11.0)
        aorta = [self._front(name, -9.0, 11.0) for name in ("T11", "L1", "L2", "L3")] + [fork]
        cava = [self._front(name, 15.0, 10.0) for name in ("T11", "L1", "L2", "L3", "L4")]
        join = self._front("L5", 10.0, 8.0)
        arteries = [shapes.tube(points, np.array(aorta), self.aorta)]
        veins = [shapes.tube(points, np.array([*cava, join]), self.cava)]
        for side in (-1.0, 1.0):
            leg = fork + [side * 32.0, 6.0, -62.0]
            way = np.array([fork, 0.5 * (fork + leg) + [0, 4, 0], leg])
            arteries.append(shapes.tube(points, way, 0.62 * self.aorta))
            leg = join + [side * 36.0, -6.0, -58.0]
            veins.append(shapes.tube(points, np.array([join, leg]), 0.65 * self.cava))
        blood = np.minimum.reduce(arteries + veins)
        return [Layer("muscle", blood - 1.2), Layer("blood", blood)]

    def _front(self, name, aside, before):
        place, depth = self.vertebrae[name].place, self.vertebrae[name].kind.radii[1]
        return place.to_world(0, depth + before, 0) + [aside, 0, 0]

    def _discs(self, points):
        rings, cores = [], []
        for upper in self.vertebrae.values():
            ring, core = _disc(points, upper)
            rings.append(ring)
            cores.append(core)
        return [
            Layer("annulus", np.minimum.reduce(rings)),
            Layer("nucleus", np.minimum.reduce(cores)),
        ]

    def _canal(self, points):
        """Return epidural fat, the sac of fluid, the roots in it and those that leave it."""
        names = list(self.vertebrae)
        behind = {name: -self.vertebrae[name].kind.radii[1] - 9.5 for name in names}
        way = [self.sacrum.to_world(0, -32, -40), self.sacrum.to_world(0, -27, 2)]
        way += [self.vertebrae[name].place.to_world(0, behind[name], 0) for name in names]
        way = np.array(way)
        sac = shapes.tube(points, way, 7.2)
        roots = []
        for across, back in [(-4, -2), (-2, -4), (0, -4.5), (2, -4), (4, -2), (-3, 1), (3, 1)]:
            roots.append(shapes.tube(points, way + [across, back, 0.0], 0.9))
        roots += [self._leaving(points, name, behind[name]) for name in names]
        return [
            Layer("fat", shapes.tube(points, way + [0.0, -1.5, 0.0], 9.5)),
            Layer("fluid", sac),
            Layer("root", np.minimum.reduce(roots)),
        ]

    def _leaving(self, points, name, behind):
        """Return the two roots that leave under the pedicles of a vertebra."""
        place = self.vertebrae[name].place
        ways = [
            [(side * x, behind + y, z) for x, y, z in ((4, 0, 4), (15, 0, -6), (28, 6, -20))]
            for side in (-1, 1)
        ]
        world = [np.array([place.to_world(*point) for point in way]) for way in ways]
        return np.minimum(*[shapes.tube(points, way, 2.2) for way in world])


def _disc(points, upper: Vertebra):
    """Return ring and core of the disc under a vertebra; the bodies are painted over its ends."""
    width, depth, height = upper.kind.radii
    own = upper.place.to_own(points)
    middle = own[..., 2] + height + 5.0
    side = shapes.super_ellipse(own, (0.0, 0.0), (width + 0.5, depth + 0.5), 2.4)
    back = shapes.super_ellipse(own, (0.0, -depth - 7.0), (13.0, 8.0), 2.0)
    ring = shapes.intersection(shapes.subtraction(side, back, 4.0), np.abs(middle) - 8.0)
    centred = np.stack([own[..., 0], own[..., 1] + 1.5, middle], axis=-1)
    core = shapes.ellipsoid(centred, (0, 0, 0), (0.62 * width, 0.6 * depth, 5.5))
    return upper.place.scale * ring, upper.place.scale * core
