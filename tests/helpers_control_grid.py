"""A blob at one resolution, and control points over it, with and without folding."""

import numpy as np

from mmzoo.registration.control_grid import ControlGrid
from mmzoo.registration.pyramid import Level, margin

SHAPE, COUNTS = (24, 20, 22), (6, 5, 6)
SPACING = np.array([2.0, 2.5, 2.0])
EDGES = SPACING * SHAPE


def level() -> Level:
    grid = np.moveaxis(np.indices(SHAPE), 0, -1) * SPACING
    blob = np.exp(-(((grid - EDGES / 2) / 14) ** 2).sum(-1)).astype(np.float32)
    wide = np.pad(blob, [(n, n) for n in margin(SPACING, SHAPE)])
    moving = np.stack([wide, np.ones_like(wide)], axis=-1)
    return Level(blob, moving, np.ones(SHAPE, np.float32), SPACING)


def control_grid(folds: bool) -> ControlGrid:
    coefficients = np.random.default_rng(0).normal(0, 0.4, (*COUNTS, 3)).astype(np.float32)
    if folds:
        coefficients[1, 2, 2, 0] += 45
    return ControlGrid(coefficients, EDGES)
