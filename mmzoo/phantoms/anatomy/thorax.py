"""Chest, for phantoms in and below it: wall, ribs, spine, lungs, diaphragm, upper abdomen.

World coordinates are RAS millimetres; the origin is the middle of the chest at the height of the
heart's valves. Sizes are those of adults, from anatomy atlases, rounded.
"""

from dataclasses import dataclass

import numpy as np

from mmzoo.phantoms.anatomy import shapes
from mmzoo.phantoms.imaging.render import Layer

Tip = tuple[np.ndarray, np.ndarray, float]


@dataclass(frozen=True)
class Thorax:
    """One person's chest.

    Attributes:
        half_width_mm: inside of the rib cage, right and left.
        half_depth_mm: inside of the rib cage, front and back.
        fat_mm: thickness of the fat under the skin.
        diaphragm_mm: height of the liver's dome against the heart's valves.
        rib_phase_mm: height of a rib at the front.
        lung_tree: centres (n, 3) and radii (n,) of the lungs' vessels.
    """

    half_width_mm: float
    half_depth_mm: float
    fat_mm: float
    diaphragm_mm: float
    rib_phase_mm: float
    lung_tree: tuple[np.ndarray, np.ndarray]

    @classmethod
    def random(cls, rng) -> "Thorax":
        """Draw an adult's chest."""
        return cls(
            half_width_mm=rng.uniform(122, 142),
            half_depth_mm=rng.uniform(82, 96),
            fat_mm=rng.uniform(7, 22),
            diaphragm_mm=rng.uniform(-54, -40),
            rib_phase_mm=rng.uniform(0, 30),
            lung_tree=_lung_tree(rng),
        )

    def behind_heart(self, points: np.ndarray) -> list[Layer]:
        """Return the layers that the heart is painted over, air first."""
        inner = self.inside_ribs(points)
        below = self._below_diaphragm(points)
        return [
            Layer("air", np.full(inner.shape, -1e3, np.float32)),
            *self.wall(points, inner),
            *self.ribs(points, inner),
            *self.lungs(points, inner, below),
            *self._abdomen(points, inner, below),
            *self._mediastinum(points, inner, below),
            *self.spine(points),
        ]

    def inside_ribs(self, points: np.ndarray) -> np.ndarray:
        """Return the level set of all within the ring of ribs and wall, without ends."""
        radii = (self.half_width_mm, self.half_depth_mm)
        return shapes.super_ellipse(points, (0.0, -5.0), radii, 2.3)

    def wall(self, points: np.ndarray, inner: np.ndarray) -> list[Layer]:
        """Return skin, fat and muscle round the inner surface, outside to inside."""
        radii = (self.half_width_mm + 17, self.half_depth_mm + 15)
        muscle = shapes.super_ellipse(points, (0.0, -8.0), radii, 2.5)
        for side in (-1, 1):
            back = shapes.super_ellipse(points, (side * 32.0, -96.0), (36.0, 26.0), 2.0)
            muscle = shapes.union(muscle, back, 15.0)
        # More fat in front than at the back, as lying on a table leaves it.
        fat = muscle - self.fat_mm * (1 + 0.3 * np.tanh(points[..., 1] / 60))
        return [
            Layer("skin", fat - 2.0),
            Layer("fat", fat),
            Layer("muscle", muscle),
            Layer("fat", inner - 3.0),
        ]

    def ribs(self, points: np.ndarray, inner: np.ndarray) -> list[Layer]:
        """Return tilted hoops, bone behind and at the sides, cartilage in front, and sternum."""
        forward = (points[..., 1] + 5) / self.half_depth_mm
        height = points[..., 2] + 32 * forward - self.rib_phase_mm
        across = (np.mod(height, 29.0) - 14.5) / 7.0
        depth = (inner - 4.5) / 4.0
        hoop = 4.0 * (np.sqrt(across**2 + depth**2) - 1)
        cartilage = 0.75 * self.half_depth_mm - 5 - points[..., 1]
        sternum_front = 8.0 + self.half_depth_mm - 8.0
        sternum = shapes.super_ellipse(points, (0.0, sternum_front), (17.0, 6.0), 3.0)
        return [
            Layer("cortical bone", shapes.subtraction(hoop, cartilage)),
            Layer("marrow", shapes.subtraction(hoop + 1.5, cartilage)),
            Layer("cartilage", shapes.intersection(hoop, cartilage)),
            Layer("cortical bone", shapes.intersection(sternum, -points[..., 2] - 55)),
            Layer("marrow", shapes.intersection(sternum + 1.7, -points[..., 2] - 53)),
        ]

    def lungs(self, points: np.ndarray, inner: np.ndarray, below: np.ndarray) -> list[Layer]:
        """Return lungs with vessels: all within the ribs that is not below the diaphragm."""
        lungs = shapes.subtraction(inner, below - 3.0, 4.0)
        centres, radii = self.lung_tree
        vessels = shapes.intersection(shapes.beads(points, centres, radii), lungs + 4.0)
        return [Layer("lung", lungs), Layer("vein", vessels)]

    def _below_diaphragm(self, points):
        top = self.diaphragm_mm
        left = shapes.ellipsoid(points, (-66.0, -5.0, top - 84), (78.0, 92.0, 74.0))
        return shapes.union(self._liver(points), left, 12.0)

    def _liver(self, points):
        return shapes.ellipsoid(points, (48.0, 0.0, self.diaphragm_mm - 72), (98.0, 90.0, 72.0))

    def _abdomen(self, points, inner, below):
        top = self.diaphragm_mm
        stomach = shapes.ellipsoid(points, (-58.0, 25.0, top - 62), (46.0, 44.0, 44.0))
        # Air rises to the front of a stomach whose owner lies on the back.
        bubble = shapes.intersection(stomach + 3, 38.0 - points[..., 1])
        spleen = shapes.ellipsoid(points, (-88.0, -48.0, top - 62), (34.0, 36.0, 44.0))
        inside = inner + 1.0
        organs = [
            ("muscle", below - 3.0),
            ("fat", below),
            ("liver", self._liver(points)),
            ("spleen", spleen),
            ("muscle", stomach),
            ("stomach", stomach + 3),
            ("air", bubble),
        ]
        return [Layer(name, shapes.intersection(level, inside)) for name, level in organs]

    def _mediastinum(self, points, inner, below):
        """Fat between the lungs, with windpipe, its two main branches and gullet."""
        column = shapes.super_ellipse(points, (2.0, 5.0), (31.0, 74.0), 2.4)
        column = shapes.intersection(shapes.intersection(column, inner), -below + 3.0, 5.0)
        windpipe = [(6, -22, 170), (4, -27, 95), (3, -30, 72)]
        right = [(3, -30, 72), (20, -34, 58), (48, -38, 42)]
        left = [(3, -30, 72), (-18, -36, 56), (-46, -40, 40)]
        branches = [(windpipe, 9.0), (right, 6.5), (left, 6.0)]
        airway = np.minimum.reduce([shapes.tube(points, way, size) for way, size in branches])
        gullet = shapes.tube(points, [(2, -40, 170), (-2, -46, 60), (-8, -44, -70)], 7.0)
        return [
            Layer("fat", column),
            Layer("muscle", gullet),
            Layer("muscle", airway - 1.5),
            Layer("air", airway),
        ]

    def spine(self, points: np.ndarray) -> list[Layer]:
        """Return bodies with discs between them, canal with cord, arch and spinous process."""
        body = shapes.super_ellipse(points, (0.0, -74.0), (18.0, 15.0), 2.4)
        # Discs 6 mm thick, every 27 mm.
        disc = 3.0 - np.abs(np.mod(points[..., 2] + 4, 27.0) - 13.5)
        vertebra = shapes.intersection(body, disc, 3.0)
        arch = shapes.super_ellipse(points, (0.0, -97.0), (15.0, 13.0), 2.2)
        canal = shapes.super_ellipse(points, (0.0, -96.0), (9.5, 8.5), 2.0)
        process = shapes.super_ellipse(points, (0.0, -115.0), (4.0, 14.0), 3.0)
        wings = shapes.super_ellipse(points, (0.0, -96.0), (36.0, 5.5), 3.0)
        behind = shapes.union(shapes.union(arch, process, 5.0), wings, 5.0)
        behind = shapes.intersection(behind, disc - 3.0, 4.0)
        bone = shapes.union(vertebra, behind)
        return [
            Layer("disc", body),
            Layer("cortical bone", bone),
            Layer("marrow", bone + 1.8),
            Layer("fluid", canal),
            Layer("cord", canal + 4.0),
        ]


def _lung_tree(rng, num_generations: int = 6):
    """Return centres and radii of branching vessels that leave each hilum outwards."""
    trees = []
    for side in (-1.0, 1.0):
        trunk = (np.array([side * 30.0, -30.0, 34.0]), np.array([side, -0.1, -0.2]), 6.5)
        trees.append(grow_tree(rng, [trunk], 32.0, num_generations))
    centres, radii = zip(*trees, strict=True)
    return np.concatenate(centres), np.concatenate(radii)


def grow_tree(rng, tips: list[Tip], length: float, num_generations: int):
    """Return centres (n, 3) and radii (n,) of vessels that branch at random, for ``shapes.beads``.

    Args:
        rng: source of the directions.
        tips: where the tree starts: (end, direction, radius) of each trunk, in millimetres.
        length: of the first branches; later ones are shorter and thinner.
        num_generations: how often they branch: in three, later in two.
    """
    centres, radii = [], []
    for generation in range(num_generations):
        reach, twigs = length * 0.88**generation, 3 if generation < 3 else 2
        tips = [twig for tip in tips for twig in _branch(rng, *tip, reach, twigs)]
        steps = np.arange(-reach, 0, 1.5)[:, None]
        for end, direction, radius in tips:
            centres.append(end + steps * direction)
            radii.append(np.full(len(steps), radius))
    return np.concatenate(centres), np.concatenate(radii)


def _branch(rng, start, direction, radius, length, twigs):
    """Return the next vessels, each as (end, direction, radius)."""
    turned = direction + rng.normal(0, 0.6, (twigs, 3))
    turned /= np.linalg.norm(turned, axis=1, keepdims=True)
    return [(start + length * way, way, 0.72 * radius) for way in turned]
