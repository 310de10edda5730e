"""The deformable stage: control points moved down the slope of a loss, coarse to fine, by Adam."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np

from mmzoo.registration.lattice import Lattice, centres
from mmzoo.registration.level import Level, blank_level
from mmzoo.registration.objective import Objective, batch_of, traced_objective
from mmzoo.registration.settings import Settings
from mmzoo.terminal import Report

FEWEST = 3  # voxels between control points: with fewer, noise is followed
STEP = 0.4  # Adam's first step, in voxels of the level
Slope = Callable[[Any], tuple[float, Any]]


def fit_lattice(
    shapes: Sequence[Sequence[int]],
    edges_mm: np.ndarray,
    level_of: Callable[[Sequence[int]], Level],
    settings: Settings,
    report: Report = lambda *_: None,
) -> tuple[Lattice, Objective]:
    """Return the control points whose field makes two images most alike.

    Coarse levels charge all bending alike, the finest one leniently (`field_cost`). Each level
    starts from the field of the one before, or from rest where that is better: so similarity and
    what the field costs are together never worse than without a field.

    Args:
        shapes: of the levels, coarse to fine.
        edges_mm: (3,), of the box.
        level_of: from a shape to the images on it; asked while that shape compiles.
        settings: of the loss and the field.
        report: called with a stage's name, steps done and steps in all.

    Returns:
        The control points, and what was made smallest at the finest level.

    Raises:
        ValueError: no level.
    """
    if not len(shapes):
        raise ValueError("`shapes` must hold at least one level, got none.")
    coarser = range(len(shapes) - 1, -1, -1)
    counts = [
        _counts(edges_mm / shape, far, edges_mm, settings)
        for shape, far in zip(shapes, coarser, strict=True)
    ]
    # A level takes seconds to compile, on one core: all do at once, and while coarser ones descend.
    # They are traced in order, for the compilation cache knows pieces by names that tracing counts.
    with ThreadPoolExecutor(len(shapes)) as ahead:
        objectives, compiled = [], []
        for shape, number, far in zip(shapes, counts, coarser, strict=True):
            box = tuple(shape), tuple(edges_mm.tolist())
            objectives.append(traced_objective(*box, tuple(number), settings, far == 0))
            compiled.append(ahead.submit(objectives[-1], blank_level(shape, edges_mm)))
        lattice = Lattice(np.zeros((*counts[0], 3), np.float32), edges_mm)
        for index, (shape, number) in enumerate(zip(shapes, counts, strict=True)):
            level = level_of(shape)
            compiled[index].result()
            objective = objectives[index](level)
            start, known = _start(objective, lattice, number)
            steps = settings.steps[min(index, len(settings.steps) - 1)]
            smallest = float(level.spacing_mm.min())
            name = f"field, {smallest:.1f} mm"
            report(name, 0, steps)
            told = partial(_tell, report, name, steps)
            found = descend(objective.slope, start, STEP * smallest, steps, told, known)
            lattice = Lattice(found, edges_mm)
    return lattice, objective


def _counts(spacing_mm, coarser: int, edges_mm: np.ndarray, settings: Settings) -> list[int]:
    """Return how many control points a level has along each axis; twice as far apart if coarser."""
    smallest = float(spacing_mm.min())
    spacing = max(settings.control_mm * 2**coarser, FEWEST * smallest)
    if settings.field == "dense":
        spacing = smallest
    apart = np.maximum(spacing, spacing_mm)
    return np.maximum(np.ceil(edges_mm / apart - 1e-3), 2).astype(int).tolist()


def _tell(report: Report, name: str, steps: int, done: int) -> None:
    report(name, done, steps)


def _start(objective: Objective, coarse: Lattice, counts: Sequence[int]):
    """Return a coarser level's control points or, where it is better, rest; and `slope` there."""
    rest = np.zeros((*counts, 3)), objective.rest
    if not coarse.coefficients.any():
        return rest
    start = _refitted(coarse, counts)
    return min((start, objective.slope(batch_of(start))), rest, key=lambda each: each[1][0])


def _refitted(lattice: Lattice, counts: Sequence[int]) -> np.ndarray:
    """Return control points of another number whose field is nearest, by least squares."""
    from mmzoo.ops.bspline import bspline_matrix

    dims = [int(4 * max(n, m)) for n, m in zip(counts, lattice.coefficients.shape[:3], strict=True)]
    points = centres(dims, lattice.edges_mm)
    field = lattice.field(points)
    for axis, count in enumerate(counts):
        step = lattice.edges_mm[axis] / count
        inverse = np.linalg.pinv(bspline_matrix(points[axis] / step - 0.5, count))
        field = np.moveaxis(np.tensordot(inverse, field, axes=(1, axis)), 0, axis)
    return field


def descend(
    slope: Slope,
    start: np.ndarray,
    largest: float,
    steps: int,
    report: Callable[[int], None] = lambda done: None,
    known: tuple[float, Any] | None = None,
) -> np.ndarray:
    """Return the best control points, (n1, n2, n3, 3), met in some steps of Adam from a start.

    Args:
        slope: from control points (1, n1, n2, n3, 3) to what is made smallest and its gradient.
        start: (n1, n2, n3, 3), mm.
        largest: mm, Adam's first step; it ends at a tenth.
        steps: how many.
        report: called with the steps done.
        known: slope at the start, where it is known already.
    """
    import tensorflow as tf

    now = batch_of(start)
    loss, gradient = known or slope(now)
    best = loss, now
    first, second = tf.zeros_like(now), tf.zeros_like(now)
    for step in range(steps):
        first = 0.9 * first + 0.1 * gradient
        second = 0.99 * second + 0.01 * gradient**2
        root = tf.sqrt(second / (1 - 0.99 ** (step + 1))) + 1e-10
        rate = largest * (0.1 + 0.9 * 0.5 * (1 + np.cos(np.pi * step / steps)))
        now = now - rate / (1 - 0.9 ** (step + 1)) * first / root
        loss, gradient = slope(now)
        if loss < best[0]:
            best = loss, now
        report(step + 1)
    return best[1].numpy()[0]
