"""The guard against folding: a field is mended until its Jacobian determinant is positive."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from mmzoo.metrics import jacobian_determinant
from mmzoo.registration.deform import descend
from mmzoo.registration.lattice import Lattice, among_controls, centres
from mmzoo.registration.objective import KEPT, Objective

SMALLEST = 0.05  # determinant, at any voxel of the finest level
WANTED = 0.2  # below it a determinant is charged for, so that few come to lie near SMALLEST
CHARGES = (1e2, 1e3, 1e4)  # for its square, averaged over voxels, one round after the other
STEPS, STEP = 15, 0.1  # of a round; the first in voxels
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


def unfolded(lattice: Lattice, objective: Objective) -> tuple[Lattice, dict]:
    """Return control points whose field does not fold, and what was done for it.

    Where the smallest determinant is below `SMALLEST`, some steps are made in which every voxel is
    charged for what its determinant lacks of `WANTED`, squared, more in each round; a field that
    still folds is shrunk as a whole by tenths, which ends at the latest where nothing moves.

    Returns:
        The control points, and `smallest_before`, `smallest_determinant` and `mended` (a sentence,
        empty where nothing was to do).
    """
    shape = objective.level.fixed.shape
    before = now = smallest_determinant(lattice, shape)
    largest = STEP * float(objective.level.spacing_mm.min())
    done: list[str] = []
    if now < SMALLEST:
        lack = _lack(shape, tuple(objective.edges_mm.tolist()), lattice.coefficients.shape[:3])
        for rounds, charge in enumerate(CHARGES, start=1):
            slope = partial(_charged, objective, lack, charge)
            found = descend(slope, lattice.coefficients, largest, STEPS)
            lattice = replace(lattice, coefficients=found)
            now = smallest_determinant(lattice, shape)
            done = [f"charged for it in {STEPS * rounds} more steps"]
            if now >= SMALLEST:
                break
    shrunk = 1.0
    while now < SMALLEST:
        shrunk *= SHRINK
        lattice = replace(lattice, coefficients=np.float32(SHRINK) * lattice.coefficients)
        now = smallest_determinant(lattice, shape)
    if shrunk < 1:
        done.append(f"displacements shrunk to {100 * shrunk:.0f} %")
    said = {"smallest_before": before, "smallest_determinant": now, "mended": ", ".join(done)}
    return lattice, said


def _charged(objective: Objective, lack: Callable, charge: float, coefficients):
    """Return the objective with charge x lack, and the gradient, at some control points."""
    (loss, gradient), (lacking, along) = objective.slope(coefficients), lack(coefficients)
    return loss + charge * float(lacking), gradient + charge * along


@functools.lru_cache(maxsize=KEPT)
def _lack(shape: tuple[int, ...], edges: tuple[float, ...], counts: tuple[int, ...]) -> Callable:
    """Return mean(max(0, WANTED - determinant)^2) and its gradient, as a function."""
    import tensorflow as tf

    from mmzoo.ops.compiled import traced
    from mmzoo.ops.lattice import lattice_determinant

    positions, spacing = among_controls(shape, np.array(edges), counts)

    @traced
    def lack(coefficients):
        with tf.GradientTape() as tape:
            tape.watch(coefficients)
            determinant = lattice_determinant(coefficients, positions, spacing)
            lacking = tf.reduce_mean(tf.nn.relu(WANTED - determinant) ** 2)
        return lacking, tape.gradient(lacking, coefficients)

    return lack
