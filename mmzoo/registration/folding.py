"""Correction of folding: a penalty on small Jacobian determinants, then scaling."""

import functools
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from mmzoo.metrics import jacobian_determinant
from mmzoo.registration.control_grid import ControlGrid, among_controls, centres
from mmzoo.registration.deform import descend
from mmzoo.registration.objective import KEPT, Objective

SMALLEST = 0.05  # determinant, at any voxel of the finest level
WANTED = 0.2  # determinants below it are penalised
CHARGES = (1e2, 1e3, 1e4)  # weights of the penalty, one a round
STEPS, STEP = 15, 0.1  # of a round; the first in voxels
SHRINK = 0.9


def smallest_determinant(controls: ControlGrid, shape) -> float:
    """Return the smallest Jacobian determinant of x + u(x), by central differences.

    Args:
        controls: its control points.
        shape: of the grid over the box on which it is evaluated.
    """
    field = controls.field(centres(shape, controls.edges_mm))
    ddf = field / (controls.edges_mm / shape)
    return float(jacobian_determinant(ddf).min())


def unfolded(controls: ControlGrid, objective: Objective) -> tuple[ControlGrid, dict]:
    """Return control points whose field does not fold, and a report.

    Where the smallest determinant is below `SMALLEST`, some more steps minimise the objective plus
    a penalty, the mean of max(0, WANTED - determinant)^2, whose weight grows from round to round; a
    field that still folds is scaled down as a whole by tenths until it does not.

    Returns:
        The control points, and `smallest_before`, `smallest_determinant` and `mended` (a sentence,
        empty if nothing was changed).
    """
    shape = objective.level.fixed.shape
    before = now = smallest_determinant(controls, shape)
    largest = STEP * float(objective.level.spacing_mm.min())
    done: list[str] = []
    if now < SMALLEST:
        lack = _lack(shape, tuple(objective.edges_mm.tolist()), controls.coefficients.shape[:3])
        for rounds, charge in enumerate(CHARGES, start=1):
            slope = partial(_charged, objective, lack, charge)
            found, _ = descend(slope, controls.coefficients, largest, STEPS)
            controls = replace(controls, coefficients=found)
            now = smallest_determinant(controls, shape)
            done = [f"charged for it in {STEPS * rounds} more steps"]
            if now >= SMALLEST:
                break
    shrunk = 1.0
    while now < SMALLEST:
        shrunk *= SHRINK
        controls = replace(controls, coefficients=np.float32(SHRINK) * controls.coefficients)
        now = smallest_determinant(controls, shape)
    if shrunk < 1:
        done.append(f"displacements shrunk to {100 * shrunk:.0f} %")
    said = {"smallest_before": before, "smallest_determinant": now, "mended": ", ".join(done)}
    return controls, said


def _charged(objective: Objective, lack: Callable, charge: float, coefficients):
    """Return the objective plus charge x penalty, and its gradient, at some control points."""
    (loss, gradient), (lacking, along) = objective.slope(coefficients), lack(coefficients)
    return loss + charge * float(lacking), gradient + charge * along


@functools.lru_cache(maxsize=KEPT)
def _lack(shape: tuple[int, ...], edges: tuple[float, ...], counts: tuple[int, ...]) -> Callable:
    """Return mean(max(0, WANTED - determinant)^2) and its gradient, as a function."""
    import tensorflow as tf

    from mmzoo.ops.compiled import traced
    from mmzoo.ops.control_points import control_determinant

    positions, spacing = among_controls(shape, np.array(edges), counts)

    @traced
    def lack(coefficients):
        with tf.GradientTape() as tape:
            tape.watch(coefficients)
            determinant = control_determinant(coefficients, positions, spacing)
            lacking = tf.reduce_mean(tf.nn.relu(WANTED - determinant) ** 2)
        return lacking, tape.gradient(lacking, coefficients)

    return lack
