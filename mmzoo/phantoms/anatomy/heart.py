"""Heart phantom: four chambers, myocardium and great vessels in a chest, for CT and MR.

The left ventricle is a thick cup whose mouth, the plane of the valves, carries the heart's own
frame: axis u towards the right ventricle, v downwards and back, w along the cup to the apex. The
right ventricle wraps round the cup, the atria sit behind the plane, the aorta leaves its middle and
the pulmonary artery crosses in front. Sizes are normal adults' at end-diastole, in millimetres,
drawn per person; a smooth deformation then makes every heart a shape of its own.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from mmzoo.phantoms.anatomy import shapes
from mmzoo.phantoms.anatomy.thorax import Thorax
from mmzoo.phantoms.fields import SplineDeformation
from mmzoo.phantoms.imaging.heart_scan import TABLES, acquire
from mmzoo.phantoms.imaging.render import Layer

__all__ = ["FIELDS", "FIXED", "LABELS", "MOVING", "TABLES", "Heart", "acquire", "draw"]

LABELS = (
    "left ventricle cavity",
    "myocardium",
    "right ventricle",
    "left atrium",
    "right atrium",
    "aorta",
    "pulmonary artery",
)
MOVING, FIXED = ("mr",), "ct"
FIELDS = {"heart": LABELS, "chest": None, "cavity": LABELS[:1], "myocardium": LABELS[1:2]}

# Axes of the heart's frame in the chest of an average person: u, v and w in rows.
_W = np.array([-0.60, 0.60, -0.53]) / np.linalg.norm([-0.60, 0.60, -0.53])
_U = np.array([0.79, 0.51, -0.31]) - np.dot([0.79, 0.51, -0.31], _W) * _W
_U = _U / np.linalg.norm(_U)
MEAN_FRAME = np.stack([_U, np.cross(_W, _U), _W])
MEAN_VALVES_MM = np.array([-20.0, 10.0, 2.0])


@dataclass(frozen=True)
class Heart:
    """One person's heart and chest; call it for the layers on a grid's points.

    Attributes:
        valves_mm: middle of the left ventricle's mouth in the chest.
        frame: u, v and w in rows, in the chest.
        scale: size of everything against an average adult's.
        radius, length, wall: left ventricle's cavity and the thickness of its wall.
        oval: ratio of the left ventricle's width along u to that along v.
        right_width, right_length: right ventricle, from the middle of the septum.
        left_atrium, right_atrium: radii along u, v and w.
        aorta, pulmonary: radii of the vessels.
        arch: height of the aortic arch above the valves.
        fat: thickness of the fat round the heart.
        thorax: the chest round it.
        deformations: smooth displacements, coarse to fine.
    """

    valves_mm: np.ndarray
    frame: np.ndarray
    scale: float
    radius: float
    length: float
    wall: float
    oval: float
    right_width: float
    right_length: float
    left_atrium: np.ndarray
    right_atrium: np.ndarray
    aorta: float
    pulmonary: float
    arch: float
    fat: float
    thorax: Thorax
    deformations: tuple[SplineDeformation, ...]

    # Boxes that hold the heart, and the chest at the heart's height, of the largest person.
    search_edges_mm = (240.0, 220.0, 260.0)
    body_centre_mm = (0.0, -12.0, 0.0)
    body_edges_mm = (400.0, 300.0, 240.0)

    @classmethod
    def random(cls, rng) -> "Heart":
        """Draw a person."""
        turn = Rotation.from_euler("xyz", np.clip(rng.normal(0, 9, 3), -18, 18), degrees=True)
        valves = MEAN_VALVES_MM + rng.normal(0, 4, 3)
        return cls(
            valves_mm=valves,
            frame=turn.apply(MEAN_FRAME),
            scale=rng.uniform(0.88, 1.12),
            radius=rng.uniform(19, 28),
            length=rng.uniform(70, 90),
            wall=rng.uniform(8.5, 13),
            oval=rng.uniform(0.88, 1.12),
            right_width=rng.uniform(48, 62),
            right_length=rng.uniform(0.75, 0.95),
            left_atrium=np.array([27.0, 25.0, 24.0]) * rng.uniform(0.8, 1.2, 3),
            right_atrium=np.array([24.0, 28.0, 25.0]) * rng.uniform(0.8, 1.2, 3),
            aorta=rng.uniform(12, 17),
            pulmonary=rng.uniform(11, 15),
            arch=rng.uniform(78, 100),
            fat=rng.uniform(3, 9),
            thorax=Thorax.random(rng),
            deformations=(
                SplineDeformation(rng, valves, 420.0, 60.0, 9.0),
                SplineDeformation(rng, valves, 260.0, 30.0, 5.0),
            ),
        )

    @property
    def centre_mm(self) -> np.ndarray:
        """About the middle of the heart."""
        return self.valves_mm + [0.0, 5.0, 10.0]

    def layers(self, points: np.ndarray, organ_only: bool = False) -> list[Layer]:
        """Return the layers at the points (..., 3) in painting order.

        Args:
            points: RAS millimetres.
            organ_only: leave out the chest, for finding where the heart is.
        """
        for deformation in self.deformations:
            points = deformation(points)
        behind = [] if organ_only else self.thorax.behind_heart(points)
        return behind + self.chambers(points)

    def chambers(self, points: np.ndarray) -> list[Layer]:
        """Return heart and great vessels, at points that the deformations have moved already."""
        # einsum, not @: a BLAS may sum in another order with another number of threads.
        local = np.einsum("...i,ji->...j", points - self.valves_mm, self.frame) / self.scale
        local = local.astype(np.float32)
        egg, cup, cavity = self._left_ventricle(local)
        right, right_wall = self._right_ventricle(local, egg)
        left_atrium, right_atrium = self._atria(local)
        vessels = {name: way(points) for name, way in self._vessels().items()}
        outline = np.minimum.reduce([cup, right_wall, left_atrium - 2, right_atrium - 2])
        trunks = np.minimum(vessels["aorta"], vessels["pulmonary artery"])
        return [
            Layer("fat", self.scale * shapes.union(outline, trunks, 12.0) - self.fat),
            Layer("vein", vessels["veins"]),
            Layer("vein blood", vessels["cavae"]),
            Layer("myocardium", self.scale * right_wall),
            Layer("myocardium", self.scale * np.minimum(left_atrium - 2, right_atrium - 2)),
            Layer("right blood", self.scale * right_atrium, "right atrium"),
            Layer("left blood", self.scale * left_atrium, "left atrium"),
            Layer("myocardium", self.scale * cup, "myocardium"),
            Layer("right blood", self.scale * right, "right ventricle"),
            Layer("vessel wall", trunks - 1.5),
            Layer("pulmonary blood", vessels["pulmonary branches"]),
            Layer("pulmonary blood", vessels["pulmonary artery"], "pulmonary artery"),
            Layer("left blood", vessels["descending aorta"]),
            Layer("left blood", vessels["aorta"], "aorta"),
            Layer("left blood", self.scale * cavity, "left ventricle cavity"),
            Layer("myocardium", self.scale * self._papillary(local), keeps_label=True),
        ]

    def _left_ventricle(self, local):
        """Return the outer egg, the egg cut open to a cup, and the cavity, cut as well."""
        centre = (0.0, 0.0, 0.24 * self.length)
        inner = np.array([self.radius * self.oval, self.radius / self.oval, 0.76 * self.length])
        mouth = shapes.half_space(local, (0, 0, 0), (0, 0, -1))
        egg = shapes.ellipsoid(local, centre, inner + self.wall * np.array([1, 1, 0.8]))
        cavity = shapes.ellipsoid(local, centre, inner)
        cup = shapes.intersection(egg, mouth, 4.0)
        return egg, cup, shapes.intersection(cavity, mouth, 3.0)

    def _right_ventricle(self, local, egg):
        """Return cavity and cavity with its thin wall: a crescent round the egg, and its outlet."""
        long = self.right_length * self.length
        body = shapes.ellipsoid(
            local, (0.42 * self.right_width, 4.0, 0.1 * long), (self.right_width * 0.72, 36.0, long)
        )
        outlet = shapes.ellipsoid(local, (24.0, -32.0, 6.0), (17.0, 20.0, 24.0))
        body = shapes.union(body, outlet, 14.0)
        mouth = shapes.half_space(local, (40, 0, -4), (0.35, 0.1, -1))
        cavity = shapes.subtraction(shapes.intersection(body, mouth, 6.0), egg, 3.0)
        wall = shapes.intersection(body - 3.5, mouth - 3.0, 6.0)
        return cavity, wall

    def _atria(self, local):
        behind = shapes.half_space(local, (0, 0, -3.0), (0, 0, 1))
        left = shapes.ellipsoid(local, (-6.0, 6.0, -0.9 * self.left_atrium[2]), self.left_atrium)
        appendage = shapes.ellipsoid(local, (-30.0, -20.0, -8.0), (14.0, 9.0, 9.0))
        left = shapes.intersection(shapes.union(left, appendage, 10.0), behind, 4.0)
        right = shapes.ellipsoid(local, (50.0, 6.0, -20.0), self.right_atrium)
        auricle = shapes.ellipsoid(local, (44.0, -24.0, -12.0), (14.0, 11.0, 12.0))
        right = shapes.union(right, auricle, 10.0)
        return left, shapes.subtraction(right, left - 3.0, 3.0)

    def _papillary(self, local):
        """Two muscles that stand in the cavity, from the wall's lower half towards the mouth."""
        muscles = []
        for angle in (0.75 * np.pi, 1.45 * np.pi):
            aside = 0.62 * self.radius * np.array([np.cos(angle), np.sin(angle)])
            centre = (*aside, 0.48 * self.length)
            muscles.append(shapes.ellipsoid(local, centre, (4.0, 4.0, 0.2 * self.length)))
        return np.minimum(*muscles)

    def _world(self, *local):
        return self.valves_mm + self.scale * np.asarray(local) @ self.frame

    def _vessels(self):
        """Return, by name, functions from points to level sets, in millimetres of the chest."""
        root, x0 = self._world(14, -12, -6), self.valves_mm
        rise = root + [10.0, 6.0, 26.0]
        top = x0 + [2.0, 0.0, self.arch]
        ascending = [self._world(9, -8, 6), root, rise, x0 + [20, 16, 0.62 * self.arch], top]
        radii = self.aorta * np.array([0.95, 1.12, 1.05, 1.0, 0.95])
        descent = [top, x0 + [-8, -32, self.arch - 4], [-24, -56, 62], [-24, -58, 10]]
        descent += [[-20, -56, -60], [-12, -56, -170]]
        valve, fork = self._world(22, -42, -2), x0 + [-6, -6, 54]
        trunk = [self._world(23, -34, 6), valve, 0.5 * (valve + fork) + [-4, 6, 4], fork]
        left = [fork, fork + [-22, -16, 4], fork + [-44, -32, -8]]
        right = [fork, fork + [24, -8, -4], fork + [62, -16, -8]]
        return {
            "aorta": _tubes((ascending, radii)),
            "descending aorta": _tubes((descent, 0.82 * self.aorta)),
            "pulmonary artery": _tubes((trunk, self.pulmonary)),
            "pulmonary branches": _tubes(
                (left, 0.75 * self.pulmonary), (right, 0.75 * self.pulmonary)
            ),
            "cavae": _tubes((self._cava(-14.0, 1.0), 9.5), (self._cava(16.0, -1.0), 11.0)),
            "veins": _tubes(*self._pulmonary_veins()),
        }

    def _cava(self, v, up):
        start = self._world(54, v, -22)
        if up > 0:
            return [start, start + [0, -2, 40], [22, start[1] - 4, 100], [24, start[1], 170]]
        return [start, start + [-4, -4, -34], [18, start[1] - 16, -100], [14, -30, -170]]

    def _pulmonary_veins(self):
        middle = self._world(-6, 6, -0.9 * self.left_atrium[2])
        offsets = [[44, -14, 20], [44, -24, -14], [-46, -12, 20], [-44, -30, -12]]
        return [([middle, middle + np.multiply(0.5, off), middle + off], 6.0) for off in offsets]


def _tubes(*ways):
    """Return a function from points to the level set of several tubes together."""
    return lambda points: np.minimum.reduce(
        [shapes.tube(points, np.array(way, float), radius) for way, radius in ways]
    )


draw = Heart.random  # a person
