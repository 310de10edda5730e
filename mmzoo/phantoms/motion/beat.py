"""Contraction of the heart: steps from end-diastole to end-systole, none of which folds.

In the frame of a short-axis stack (millimetres, axis 3 along the left ventricle from base to apex,
axis 1 away from the right ventricle, origin in the middle of the ventricle at end-diastole):

* the left ventricle wrings: base and apex turn against each other about its axis;
* it squeezes: the area within a circle about the axis goes from A to A - k A / (1 + (A / a)^3), in
  units of the cavity's, so the cavity empties, the wall thickens and keeps its volume within about
  10 %, and what is far away stays;
* the right ventricle's outer wall comes closer to the septum, its upper and lower ends to each
  other;
* the base comes down towards the apex, which stays.

Sizes of the motion are those of healthy and moderately ill adults in textbooks of physiology.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mmzoo.phantoms.anatomy.heart import Heart

# Where the shift of area is largest falls, in the cavity's areas: beyond the wall's inner half.
TURN = 1.35


@dataclass(frozen=True)
class Ventricle:
    """Left ventricle at end-diastole in the stack's frame, in millimetres.

    Attributes:
        length: from the plane of the valves to the cavity's apex.
        radius: of the cavity where it is widest.
    """

    length: float
    radius: float

    def height(self, points: np.ndarray) -> np.ndarray:
        """Return the distance from the plane of the valves, towards the apex."""
        return points[..., 2] + self.length / 2

    def within(self, height: np.ndarray) -> np.ndarray:
        """Return about one from base to apex, and less and less beyond."""
        return _step(height + 14, 7.0) * _step(self.length + 6 - height, 5.0)

    def width(self, height: np.ndarray) -> np.ndarray:
        """Return the radius of the cavity, which tapers towards the apex."""
        return self.radius * (
            0.38 + 0.62 * np.exp(-(((height - 0.2 * self.length) / (0.66 * self.length)) ** 4))
        )


@dataclass(frozen=True)
class Wring:
    """Turn about the axis: ``base`` and ``apex`` in radians, fading away from the heart."""

    ventricle: Ventricle
    base: float
    apex: float

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Return the turned points, same shape and type."""
        height = self.ventricle.height(points)
        share = np.clip(height / self.ventricle.length, -0.5, 1.5)
        share = share**2 * (3 - 2 * share) * (share > 0) * (share < 1) + (share >= 1)
        far = np.exp(-(points[..., 0] ** 2 + points[..., 1] ** 2) / 45.0**2)
        angle = (self.base + (self.apex - self.base) * share) * far * self.ventricle.within(height)
        x, y = points[..., 0], points[..., 1]
        turned = [np.cos(angle) * x - np.sin(angle) * y, np.sin(angle) * x + np.cos(angle) * y]
        return np.stack([*turned, points[..., 2]], axis=-1).astype(points.dtype)


@dataclass(frozen=True)
class Squeeze:
    """Shift towards the axis; ``strength`` k below one."""

    ventricle: Ventricle
    strength: float

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Return the shifted points, same shape and type."""
        height = self.ventricle.height(points)
        area = (points[..., 0] ** 2 + points[..., 1] ** 2) / self.ventricle.width(height) ** 2
        strength = self.strength * self.ventricle.within(height)
        ratio = np.sqrt(1 - strength / (1 + (area / TURN) ** 3))[..., None]
        return np.concatenate([ratio * points[..., :2], points[..., 2:]], -1).astype(points.dtype)

    def cavity_ratio(self) -> float:
        """Return the cavity's radius afterwards in units of that before."""
        return float(np.sqrt(1 - self.strength / (1 + TURN**-3)))


@dataclass(frozen=True)
class Shift:
    """Shift along one axis, by so many millimetres as a function of the points says."""

    axis: int
    amount: Callable[[np.ndarray], np.ndarray]

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Return the shifted points, same shape and type."""
        moved = points.copy()
        moved[..., self.axis] += self.amount(points).astype(points.dtype)
        return moved


def beat(rng, heart: Heart, descent: float) -> tuple[Callable[[np.ndarray], np.ndarray], ...]:
    """Return the steps from end-diastole to end-systole.

    Args:
        rng: source of their sizes.
        heart: at end-systole, without deformations.
        descent: of the base, in millimetres.
    """
    strength = rng.uniform(0.57, 0.8)
    ratio = Squeeze(Ventricle(1.0, 1.0), strength).cavity_ratio()
    ventricle = Ventricle(
        length=heart.scale * heart.length + descent, radius=heart.scale * heart.radius / ratio
    )
    septum = ventricle.radius + 0.6 * heart.scale * heart.wall
    shift = rng.uniform(10, 15) * heart.scale
    outer = 1.14 * heart.scale * heart.right_width + shift

    def right(points, middle):
        """Return one on the right ventricle's side, that of negative values along axis 1."""
        aside = -points[..., 0]
        side = _step(aside - middle, 7.0) * _step(outer + 36.0 - aside, 12.0)
        return side * ventricle.within(ventricle.height(points))

    def inwards(points):
        share = right(points, 0.5 * (septum + outer))
        return shift * share * np.exp(-((points[..., 1] / 55.0) ** 2))

    def together(points):
        share = right(points, septum)
        return -0.3 * points[..., 1] * share * np.exp(-((points[..., 1] / 50.0) ** 2))

    def down(points):
        height = ventricle.height(points)
        reach = np.where(height > 0, ventricle.length + 6, 75.0)
        share = np.cos(0.5 * np.pi * np.clip(height / reach, -1, 1)) ** 2
        aside = (points[..., 0] + 30.0) ** 2 + points[..., 1] ** 2
        return descent * share * np.exp(-aside / 75.0**2)

    turns = np.deg2rad([rng.uniform(-6, -2), rng.uniform(5, 11)])
    return (
        Wring(ventricle, *turns),
        Squeeze(ventricle, strength),
        Shift(0, inwards),
        Shift(1, together),
        Shift(2, down),
    )


def _step(distance: np.ndarray, width: float) -> np.ndarray:
    """Return a smooth step from zero to one at zero, steepest there: 1 / (4 width)."""
    return 0.5 * (1 + np.tanh(distance / (2 * width)))
