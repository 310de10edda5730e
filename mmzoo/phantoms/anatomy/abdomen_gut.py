"""Stomach, bowels, what they hold and the gas in them, for the abdomen phantom."""

from dataclasses import dataclass

import numpy as np

from mmzoo.phantoms.anatomy import shapes
from mmzoo.phantoms.imaging.render import Layer

Way = tuple[np.ndarray, np.ndarray]

STOMACH = [(-54, -20, -36), (-62, 2, -62), (-54, 32, -92), (-28, 48, -118), (26, 34, -124)]
DUODENUM = [(28, 28, -124), (50, 8, -122), (52, -12, -146), (44, -20, -172), (-14, -16, -172)]
COLON = [
    *[(90, -24, -250), (94, -16, -205), (84, 12, -168), (42, 50, -172), (0, 60, -182)],
    *[(-44, 54, -168), (-92, 6, -112), (-100, -34, -150), (-96, -36, -250)],
]


@dataclass(frozen=True)
class Gut:
    """One person's stomach and bowels, as centres (n, 3) and radii (n,) in the organs' frame.

    Attributes:
        stomach, duodenum, colon, loops: the ways.
        gas: parts of colon and loops that hold gas.
        bubble: how far forward the gas in the stomach begins.
    """

    stomach: Way
    duodenum: Way
    colon: Way
    loops: Way
    gas: Way
    bubble: float

    @classmethod
    def random(cls, rng) -> "Gut":
        """Draw how full they are, and how the loops lie."""
        full = rng.uniform(0.7, 1.15)
        stomach = _wander(rng, STOMACH, 5.0), np.array([31, 36, 32, 23, 10]) * full
        colon = _haustra(_wander(rng, COLON, 7.0), rng.uniform(18, 26), rng.uniform(24, 32))
        loops = shapes.sample_curve(_serpentine(rng), rng.uniform(10, 14))
        return cls(
            stomach=shapes.sample_curve(*stomach),
            duodenum=shapes.sample_curve(_wander(rng, DUODENUM, 4.0), rng.uniform(9, 12)),
            colon=colon,
            loops=loops,
            gas=_join(_some(rng, colon, 0.5), _some(rng, loops, 0.25)),
            bubble=rng.uniform(15, 45),
        )

    def stomach_outline(self, points: np.ndarray) -> np.ndarray:
        """Return the level set of the stomach, without its wall, at points (..., 3)."""
        return shapes.beads(points, *self.stomach)

    def layers(self, points: np.ndarray, cavity: np.ndarray) -> list[Layer]:
        """Return walls, contents and gas in the cavity, in painting order."""
        stomach = self.stomach_outline(points)
        duodenum, colon, loops, gas = (
            shapes.beads(points, *way) for way in (self.duodenum, self.colon, self.loops, self.gas)
        )
        # Gas rises to the front of people who lie on their backs.
        bubble = shapes.intersection(stomach + 1.0, self.bubble - points[..., 1])
        layers = [
            Layer("bowel wall", loops),
            Layer("bowel fluid", loops + 3.0),
            Layer("bowel wall", duodenum),
            Layer("bowel fluid", duodenum + 3.0),
            Layer("bowel wall", colon),
            Layer("stool", colon + 2.5),
            Layer("air", shapes.intersection(gas, np.minimum(colon + 3.0, loops + 3.5))),
            Layer("bowel wall", stomach - 4.0),
            Layer("stomach", stomach),
            Layer("air", bubble),
        ]
        inside = cavity + 3.0
        return [Layer(layer.tissue, shapes.intersection(layer.level, inside)) for layer in layers]


def _wander(rng, control, amount: float) -> np.ndarray:
    return np.array(control, float) + rng.normal(0, amount, (len(control), 3))


def _haustra(control, radius: float, length: float) -> Way:
    """Return a way whose radius swells and shrinks along it, as the colon's does."""
    centres, _ = shapes.sample_curve(control, radius)
    along = 1.5 * np.arange(len(centres))
    return centres, radius * (1 + 0.14 * np.sin(2 * np.pi * along / length))


def _serpentine(rng) -> np.ndarray:
    """Return a path to and fro through the lower abdomen, row by row, never the same twice."""
    across = np.linspace(-76, 66, 6)
    path: list[tuple] = []
    for z in np.arange(-136, -268, -26):
        for y in (-12, 14, 40, 64):
            path += [(x, y, z) for x in (across if len(path) % 12 == 0 else across[::-1])]
    return _wander(rng, path, 5.5)


def _some(rng, way: Way, share: float) -> Way:
    """Return some stretches of a way, moved to its front and thinner: the gas in it."""
    centres, radii = way
    stretch = np.arange(len(centres)) // 24
    chosen = rng.random(stretch[-1] + 1)[stretch] < share
    chosen[0] = True  # never nothing at all
    return (centres + radii[:, None] * [0, 0.45, 0])[chosen], 0.65 * radii[chosen]


def _join(first: Way, second: Way) -> Way:
    return np.concatenate([first[0], second[0]]), np.concatenate([first[1], second[1]])
