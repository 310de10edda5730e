"""One breast, and the lesion in it; each in the frame of the chest, millimetres."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from mmzoo.phantoms.anatomy import shapes
from mmzoo.phantoms.anatomy.thorax import Thorax, grow_tree
from mmzoo.phantoms.fields import SplineNoise
from mmzoo.phantoms.imaging.render import Layer


@dataclass(frozen=True)
class BreastKind:
    """What both breasts of a person have in common.

    Attributes:
        radii: across, forwards, along.
        density: share of glands: from -0.4, next to fatty, to 1.0, very dense.
        spread: size of the glands' cone within the breast.
    """

    radii: np.ndarray
    density: float
    spread: float


@dataclass(frozen=True)
class Breast:
    """One breast.

    Attributes:
        centre: middle of its base on the chest's wall.
        axes: its own axes in rows, the second towards the nipple.
        radii: along them.
        kind: see there.
        lobules, ragged, septa: noises of space.
        ducts, vessels: centres (n, 3) and radii (n,).
    """

    centre: np.ndarray
    axes: np.ndarray
    radii: np.ndarray
    kind: BreastKind
    lobules: SplineNoise
    ragged: SplineNoise
    septa: SplineNoise
    ducts: tuple[np.ndarray, np.ndarray]
    vessels: tuple[np.ndarray, np.ndarray]

    @staticmethod
    def random_kind(rng) -> BreastKind:
        """Draw what both breasts share: a third to a whole litre each."""
        return BreastKind(
            radii=np.array([rng.uniform(58, 70), rng.uniform(68, 104), rng.uniform(58, 72)]),
            density=rng.uniform(-0.4, 0.9),
            spread=rng.uniform(0.58, 0.74),
        )

    @classmethod
    def random(cls, rng, side: int, thorax: Thorax, kind: BreastKind) -> "Breast":
        """Draw one on the wall of a chest; ``side`` is 1 for the right, -1 for the left."""
        turn = Rotation.from_euler("xz", [rng.normal(0, 4), side * rng.normal(-9, 4)], degrees=True)
        axes = turn.as_matrix().T
        radii = kind.radii * rng.uniform(0.93, 1.07, 3)
        across = side * rng.uniform(72, 80)
        centre = np.array([across, _front(thorax, across) - 4.0, rng.normal(-8, 5)])
        tip = centre + radii[1] * axes[1]
        ways = Rotation.from_euler("xz", rng.uniform(-35, 35, (9, 2)), degrees=True).apply(-axes[1])
        mouth = centre + [side * 48.0, 4.0, 46.0]
        inwards = (tip - mouth) / np.linalg.norm(tip - mouth)
        return cls(
            centre=centre,
            axes=axes,
            radii=radii,
            kind=kind,
            lobules=SplineNoise(rng, 6.5),
            ragged=SplineNoise(rng, 15.0),
            septa=SplineNoise(rng, 13.0),
            ducts=grow_tree(rng, [(tip - 6 * axes[1], way, 2.6) for way in ways], 17.0, 3),
            vessels=grow_tree(rng, [(mouth, inwards, 3.4)], 26.0, 4),
        )

    def layers(self, points: np.ndarray, surface: np.ndarray) -> list[Layer]:
        """Return skin, fat and what is in it, over a chest whose fat ends at ``surface``."""
        own = self.own(points)
        dome = shapes.ellipsoid(own, (0, 0, 0), self.radii)
        outline = shapes.union(surface, dome, 24.0)
        inside = np.maximum(outline, dome)
        tip = shapes.ellipsoid(own, (0, self.radii[1] + 1.0, 0), (6.0, 6.0, 6.0))
        septa = np.maximum(7.0 * np.abs(self.septa(points)) - 0.5, inside + 1.0)
        vessels = np.maximum(shapes.beads(points, *self.vessels), outline + 3.0)
        ducts = np.maximum(shapes.beads(points, *self.ducts), inside + 3.0)
        return [
            Layer("skin", outline - 2.0),
            Layer("nipple", tip),
            Layer("fat", outline),
            Layer("fat", inside, "breast fat"),
            Layer("septum", septa, "breast fat"),
            Layer("gland", self._gland(points, own, inside), "fibroglandular tissue"),
            Layer("duct", ducts, "fibroglandular tissue"),
            Layer("breast vessel", vessels, "breast fat"),
        ]

    def own(self, points: np.ndarray) -> np.ndarray:
        """Return points in the breast's own frame."""
        return np.einsum("...i,ji->...j", points - self.centre, self.axes).astype(np.float32)

    def _gland(self, points, own, inside):
        """Return the cone behind the nipple, its edge ragged, with the lobules of fat left out."""
        cone = shapes.ellipsoid(
            own, (0, 0.4 * self.radii[1], 0), self.kind.spread * self.radii * [1.0, 0.95, 1.0]
        )
        ragged = cone + 7.0 * self.ragged(points)
        # More fat between the lobules towards the edge of the cone.
        left_out = 5.0 * (self.lobules(points) - self.kind.density) + 0.08 * cone
        return np.maximum.reduce([ragged, left_out, inside + 5.0])


@dataclass(frozen=True)
class Lesion:
    """A mass.

    Attributes:
        centre: its middle.
        radii: along its own axes.
        axes: these, in rows.
        lumps: noise of space that makes its outline uneven.
        spicules: centres (n, 3) and radii (n,), or None for a smooth one.
    """

    centre: np.ndarray
    radii: np.ndarray
    axes: np.ndarray
    lumps: SplineNoise
    spicules: tuple[np.ndarray, np.ndarray] | None

    @classmethod
    def random(cls, rng, breast: Breast) -> "Lesion":
        """Draw one within a breast's glands: 13 to 26 mm across, with spicules in two of three."""
        place = breast.radii * rng.uniform((-0.38, 0.15, -0.38), (0.38, 0.6, 0.38))
        centre = breast.centre + place @ breast.axes
        size = rng.uniform(6.5, 13)
        return cls(
            centre=centre,
            radii=size * rng.uniform(0.8, 1.2, 3),
            axes=Rotation.from_euler("xyz", rng.uniform(-90, 90, 3), degrees=True).as_matrix(),
            lumps=SplineNoise(rng, 5.0),
            spicules=_spicules(rng, centre, size) if rng.uniform() < 2 / 3 else None,
        )

    def layers(self, points: np.ndarray) -> list[Layer]:
        """Return rim and core."""
        own = np.einsum("...i,ji->...j", points - self.centre, self.axes).astype(np.float32)
        mass = shapes.ellipsoid(own, (0, 0, 0), self.radii)
        mass += 0.12 * float(np.mean(self.radii)) * self.lumps(points)
        whole = mass
        if self.spicules:
            whole = shapes.union(mass, shapes.beads(points, *self.spicules), 2.0)
        core = mass + 0.35 * float(np.mean(self.radii))
        return [Layer("lesion rim", whole, "lesion"), Layer("lesion core", core, "lesion")]


def _front(thorax: Thorax, across: float) -> float:
    """Return where the muscle of the chest's wall ends in front, so far from the middle."""
    share = abs(across) / (thorax.half_width_mm + 17)
    return (thorax.half_depth_mm + 15) * (1 - share**2.5) ** (1 / 2.5) - 8.0


def _spicules(rng, centre, size: float):
    """Return centres and radii of straight threads that leave a mass in all directions."""
    ways = rng.normal(size=(14, 3))
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    along = np.arange(0.6, rng.uniform(1.6, 2.2), 0.08)
    centres = centre + size * along[:, None, None] * ways
    radii = np.broadcast_to(np.interp(along, (0.6, 2.2), (2.2, 0.7))[:, None], centres.shape[:2])
    return centres.reshape(-1, 3), radii.ravel()
