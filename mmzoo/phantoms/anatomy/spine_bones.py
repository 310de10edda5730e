"""Bones of a lumbar spine, as level sets in millimetres: vertebrae, and sacrum with pelvis.

Each is built in a frame of its own (axis 1 to the right, 2 forwards, 3 up along the spine, origin
in the middle of its body) and stands where a person's curve puts it. Sizes are adults', from
textbooks of anatomy, in millimetres, but for one: joints of the processes are 5 to 8 mm wide,
against 2 to 4 in people, so that what lies between two bones has room to give way.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from mmzoo.phantoms.anatomy import shapes


@dataclass(frozen=True)
class VertebraKind:
    """What differs along the spine.

    Attributes:
        radii: half width, depth and height of the body.
        wing: how far the transverse processes reach to the side.
        stout: their radius, where they begin.
        spread: half distance of the upper articular processes.
        wedge: by how much the body is higher in front, a millimetre forwards.
    """

    radii: tuple[float, float, float]
    wing: float
    stout: float
    spread: float
    wedge: float = 0.0


KINDS = {
    "T11": VertebraKind((19.5, 15.5, 12.0), 26.0, 4.0, 18.0),
    "T12": VertebraKind((20.5, 15.8, 12.5), 27.0, 4.0, 18.0),
    "L1": VertebraKind((21.5, 16.0, 13.0), 38.0, 4.0, 18.5),
    "L2": VertebraKind((22.5, 16.5, 13.3), 42.0, 4.2, 19.0),
    "L3": VertebraKind((23.5, 17.0, 13.5), 47.0, 4.4, 19.5, 0.01),
    "L4": VertebraKind((24.5, 17.3, 13.5), 44.0, 4.6, 21.0, 0.02),
    "L5": VertebraKind((26.0, 17.5, 13.2), 42.0, 6.5, 23.5, 0.06),
}


@dataclass(frozen=True)
class Place:
    """Where a bone stands.

    Attributes:
        centre: its frame's origin.
        axes: its frame's axes, in rows.
        scale: its size against an average adult's.
    """

    centre: np.ndarray
    axes: np.ndarray
    scale: float

    def to_own(self, points: np.ndarray) -> np.ndarray:
        """Return points of the world in the bone's frame."""
        # einsum, not @: a BLAS may sum in another order with another number of threads.
        own = np.einsum("...i,ji->...j", points - self.centre, self.axes) / self.scale
        return own.astype(np.float32)

    def to_world(self, *own: float) -> np.ndarray:
        """Return a point of the bone's frame in the world."""
        return self.centre + self.scale * np.asarray(own) @ self.axes

    def level(self, shape, points: np.ndarray, lower, upper) -> np.ndarray:
        """Return the level set of a shape within a box, at most ``shapes.FAR_MM``."""
        own = self.to_own(points)
        margin = shapes.FAR_MM / self.scale
        near = np.all((own > np.subtract(lower, margin)) & (own < np.add(upper, margin)), axis=-1)
        level = np.full(points.shape[:-1], shapes.FAR_MM, np.float32)
        level[near] = np.minimum(self.scale * shape(own[near]), shapes.FAR_MM)
        return level


@dataclass(frozen=True)
class Vertebra:
    """One vertebra.

    Attributes:
        kind: its sizes.
        place: where it stands.
        droop: slope of its spinous process, downwards.
    """

    kind: VertebraKind
    place: Place
    droop: float

    def level(self, points: np.ndarray) -> np.ndarray:
        """Return the level set at points (..., 3) of the world."""
        return self.place.level(self.shape, points, (-52, -78, -36), (52, 22, 26))

    def shape(self, own: np.ndarray) -> np.ndarray:
        """Return the level set at points of the own frame: body, pedicles, arch and processes."""
        half = shapes.mirrored(own)
        behind = -self.kind.radii[1]
        pedicle = shapes.capsule(half, (12.0, behind + 4, 4.5), (14.0, behind - 12, 4.0), 6.0, 4.6)
        arch = shapes.union(self._lamina(half), self._processes(half), 2.0)
        arch = shapes.union(arch, self._spinous(own), 3.0)
        bone = shapes.union(self.body(own), pedicle, 3.0)
        return shapes.union(bone, arch, 2.5)

    def body(self, own: np.ndarray) -> np.ndarray:
        """Return the level set of the body: a drum with a waist, hollow ends and a flat back."""
        width, depth, height = self.kind.radii
        x, y, z = np.moveaxis(own, -1, 0)
        side = shapes.super_ellipse(own, (0.0, 0.0), (width, depth), 2.4)
        side = side + 1.8 * np.clip(1 - (z / height) ** 2, 0, 1)
        back = shapes.super_ellipse(own, (0.0, -depth - 6.0), (13.0, 8.0), 2.0)
        hollow = 1.4 * np.exp(-((x / width) ** 2 + (y / depth) ** 2) / 0.35)
        ends = np.abs(z) - height - self.kind.wedge * y + hollow
        return shapes.intersection(shapes.subtraction(side, back, 4.0), ends, 3.0)

    def _lamina(self, half):
        behind = -self.kind.radii[1]
        turned = _turn(half, (5.5, behind - 20.5, -6.0), (-14.0, 0.0, -32.0))
        plate = shapes.ellipsoid(turned, (0, 0, 0), (9.5, 3.8, 9.0))
        neck = shapes.capsule(half, (14.0, behind - 12, 3.0), (8.0, behind - 19, -4.0), 4.4, 3.8)
        return shapes.union(plate, neck, 4.0)

    def _processes(self, half):
        """Return transverse process, upper and lower articular process of one side."""
        behind, spread = -self.kind.radii[1], self.kind.spread
        tip = (self.kind.wing - 3.0, behind - 18, 7.0)
        wing = shapes.capsule(half, (14.0, behind - 11, 4.0), tip, self.kind.stout, 3.2)
        root = (16.0, behind - 12, 5.0)
        upper = shapes.capsule(half, root, (spread + 1.0, behind - 14, 16.0), 4.2, 3.4)
        # Where the upper ones of the next vertebra leave room for it.
        lower = shapes.capsule(
            half, (7.5, behind - 21, -6.0), (spread - 12.0, behind - 24, -18.0), 3.8, 3.2
        )
        return np.minimum(wing, np.minimum(upper, lower))

    def _spinous(self, own):
        behind = -self.kind.radii[1]
        turned = _turn(own, (0.0, behind - 37.0, -10.5), (self.droop, 0.0, 0.0))
        blade = shapes.ellipsoid(turned, (0, 0, 0), (9.0, 19.5, 10.0))
        return shapes.intersection(blade, np.abs(turned[..., 0]) - 3.7, 3.0)


@dataclass(frozen=True)
class Sacrum:
    """Sacrum and the parts of the pelvis beside it.

    Attributes:
        place: where its first body stands.
    """

    place: Place

    def level(self, points: np.ndarray) -> np.ndarray:
        """Return the level set at points (..., 3) of the world."""
        return self.place.level(self.shape, points, (-110, -70, -110), (110, 25, 45))

    def shape(self, own: np.ndarray) -> np.ndarray:
        """Return the level set at points of the own frame."""
        half = shapes.mirrored(own)
        top = shapes.super_ellipse(own, (0.0, 0.0), (25.0, 16.5), 2.4)
        top = shapes.intersection(top, np.abs(own[..., 2] + 2.0) - 13.0, 3.0)
        row = [(0, -3, -18), (0, -12, -42), (0, -30, -68), (0, -42, -96)]
        radii = (15.0, 13.0, 10.0, 6.0)
        lower = np.minimum.reduce(
            [shapes.capsule(own, row[k], row[k + 1], radii[k], radii[k + 1]) for k in range(3)]
        )
        wing = shapes.ellipsoid(half, (30.0, -8.0, -20.0), (24.0, 15.0, 26.0))
        ilium = _turn(half, (72.0, -22.0, -14.0), (0.0, 14.0, -42.0))
        ilium = shapes.ellipsoid(ilium, (0, 0, 0), (9.0, 42.0, 52.0))
        crest = shapes.capsule(own, (0, -36, -20), (0, -44, -62), 5.0, 4.0)
        roof = shapes.capsule(half, (16, -24, -14), (2, -36, -22), 5.0, 4.5)
        joint = shapes.capsule(half, (20, -20, -8), (25, -33, 8), 5.0, 3.6)
        bone = shapes.union(shapes.union(top, lower, 6.0), wing, 6.0)
        bone = shapes.subtraction(bone, self._canal(own), 2.0)
        parts = shapes.union(shapes.union(crest, roof, 3.0), joint, 2.0)
        return np.minimum(shapes.union(bone, parts, 2.0), ilium)

    def _canal(self, own):
        return shapes.capsule(own, (0, -26, 6), (0, -34, -60), 8.0, 4.0)


def _turn(points, centre, degrees):
    """Return points about a centre, along axes that are turned by so much about x, y and z."""
    axes = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix().T
    local = points - np.asarray(centre, np.float32)
    return np.einsum("...i,ji->...j", local, axes).astype(np.float32)
