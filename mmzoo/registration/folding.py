"""The guard against folding: a field is mended until its Jacobian determinant is positive."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mmzoo.metrics import jacobian_determinant
from mmzoo.registration.deform import WEIGHTS, Lattice, centres, descend
from mmzoo.registration.level import Level
from mmzoo.registration.settings import Settings

SMALLEST = 0.05  # determinant, at any voxel of the finest level
ROUNDS, STEPS = 2, 20  # of bending raised fourfold each time
SHRINK = 0.9


def smallest_determinant(lattice: Lattice, shape) -> float:
    """Return the smallest Jacobian determinant of x + u(x), by central differences.

    Args:
        lattice: its control points.
        shape: of the grid over the box on which it is looked at.
    """
    field = lattice.field(centres(shape, lattice.edges_mm))
    ddf = field / (lattice.edges_mm / shape)
    return float(jacobian_determinant(ddf).min())


def unfolded(lattice: Lattice, level: Level, settings: Settings) -> tuple[Lattice, dict]:
    """Return control points whose field does not fold, and what was done for it.

    Where the smallest determinant is below `SMALLEST`, some steps are made with bending charged
    four times as much, then sixteen times; a field that still folds is shrunk as a whole by tenths,
    which ends at the latest where nothing moves.

    Returns:
        The control points, and `smallest_before`, `smallest_determinant` and `mended` (a sentence,
        empty where nothing was to do).
    """
    shape = level.fixed.shape
    before = now = smallest_determinant(lattice, shape)
    done: list[str] = []
    times = 1
    while now < SMALLEST and len(done) < ROUNDS:
        times *= 4
        weight = WEIGHTS[settings.loss] if settings.weight is None else settings.weight
        stiffer = replace(settings, weight=times * max(weight, 1.0))
        start = lattice.coefficients
        lattice = replace(
            lattice, coefficients=descend(level, start, lattice.edges_mm, stiffer, STEPS)
        )
        now = smallest_determinant(lattice, shape)
        done.append(f"bending charged {times} times as much")
    shrunk = 1.0
    while now < SMALLEST:
        shrunk *= SHRINK
        lattice = replace(lattice, coefficients=np.float32(SHRINK) * lattice.coefficients)
        now = smallest_determinant(lattice, shape)
    if shrunk < 1:
        done.append(f"displacements shrunk to {100 * shrunk:.0f} %")
    found = {"smallest_before": before, "smallest_determinant": now, "mended": ", ".join(done)}
    return lattice, found
