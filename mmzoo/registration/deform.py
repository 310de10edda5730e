"""The deformable stage: B-spline control points optimised by Adam, coarse to fine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from mmzoo.registration.control_grid import ControlGrid, centres
from mmzoo.registration.objective import (
    Objective,
    batch_of,
    compiled_objective,
    traced_objective,
)
from mmzoo.registration.pyramid import Level
from mmzoo.registration.settings import Settings
from mmzoo.terminal import Report

FEWEST = 3  # voxels between control points: with fewer, noise is followed
STEP = 0.4  # Adam's first step, in voxels of the level
DENSER = 4  # points of a field for each control point that is fitted to it, along an axis
FieldOf = Callable[[Sequence[np.ndarray]], np.ndarray]
Slope = Callable[[Any], tuple[float, Any]]


@dataclass(frozen=True)
class PyramidLevel:
    """A level of the pyramid, on its way to be compiled.

    Attributes:
        shape: of the fixed image.
        counts: control points along each axis.
        objective: from images on the level to their objective, once that is compiled.
    """

    shape: tuple[int, ...]
    counts: tuple[int, ...]
    objective: Future[Callable[[Level], Objective]]


def compile_levels(
    shapes: Sequence[Sequence[int]], edges_mm: np.ndarray, settings: Settings
) -> list[PyramidLevel]:
    """Trace the levels of a pyramid, coarse to fine, and let them be compiled beside what follows.

    A level takes seconds to compile, on one core; its images need not be known yet.

    Args:
        shapes: of the levels, coarse to fine.
        edges_mm: (3,), of the box.
        settings: of the loss and the field.

    Raises:
        ValueError: no level.
    """
    if not len(shapes):
        raise ValueError("`shapes` must hold at least one level, got none.")
    # The compilation cache knows pieces by names that tracing counts: the order is kept.
    compiling = ThreadPoolExecutor(len(shapes))
    levels = []
    for far, shape in zip(range(len(shapes) - 1, -1, -1), shapes, strict=True):
        counts = tuple(_counts(edges_mm / shape, far, edges_mm, settings))
        key = tuple(shape), tuple(edges_mm.tolist()), counts, settings, far == 0
        traced_objective(*key)
        levels.append(PyramidLevel(key[0], counts, compiling.submit(compiled_objective, *key)))
    return levels


def fit_controls(
    levels: Sequence[PyramidLevel],
    edges_mm: np.ndarray,
    images_on: Callable[[Sequence[int]], Level],
    settings: Settings,
    report: Report = lambda *_: None,
    first: FieldOf | None = None,
) -> tuple[ControlGrid, Objective]:
    """Return the control points that minimise dissimilarity plus regularisation, coarse to fine.

    Coarse levels weigh all bending alike, the finest one weighs much bending less (`field_cost`).
    Each level starts from the field of the coarser one, from the first field or from none,
    whichever has the lowest objective: the result is never worse than no field. With a first field
    the coarsest level goes from it and from none, and keeps what ends lower.

    Args:
        levels: of `compile_levels`, coarse to fine.
        edges_mm: (3,), of the box.
        images_on: from a shape to the images on it; asked while that shape compiles.
        settings: of the loss and the field.
        report: called with a stage's name, steps done and steps in all.
        first: a field to start from, such as a network's; None for none.

    Returns:
        The control points, and the objective of the finest level.
    """
    controls = ControlGrid(np.zeros((*levels[0].counts, 3), np.float32), edges_mm)
    for index, level in enumerate(levels):
        images = images_on(level.shape)
        objective = level.objective.result()(images)
        fields: list[FieldOf] = [controls.field] if controls.coefficients.any() else []
        fields += [first] if first else []
        starts = _starts(objective, fields, level.counts)
        if index:  # at the coarsest level it counts where each leads
            starts = [min(starts, key=lambda each: each[1][0])]
        steps = settings.steps[min(index, len(settings.steps) - 1)]
        smallest = float(images.spacing_mm.min())
        name = f"field, {smallest:.1f} mm"
        report(name, 0, steps * len(starts))
        ends = []
        for begun, (start, known) in enumerate(starts):
            after = partial(_tell, report, name, steps * begun, steps * len(starts))
            ends.append(descend(objective.slope, start, STEP * smallest, steps, after, known))
        found, _ = min(ends, key=lambda end: end[1])
        controls = ControlGrid(found, edges_mm)
    return controls, objective


def _counts(spacing_mm, coarser: int, edges_mm: np.ndarray, settings: Settings) -> list[int]:
    """Return how many control points a level has along each axis; twice as far apart if coarser."""
    smallest = float(spacing_mm.min())
    spacing = max(settings.control_mm * 2**coarser, FEWEST * smallest)
    if settings.field == "dense":
        spacing = smallest
    apart = np.maximum(spacing, spacing_mm)
    return np.maximum(np.ceil(edges_mm / apart - 1e-3), 2).astype(int).tolist()


def _tell(report: Report, name: str, before: int, steps: int, done: int) -> None:
    report(name, before + done, steps)


def _starts(objective: Objective, fields: Sequence[FieldOf], counts: Sequence[int]):
    """Return the control points of none and of some fields, and of each the objective's slope."""
    starts = [(np.zeros((*counts, 3)), objective.rest)]
    for each in fields:
        controls = fitted_controls(each, counts, objective.edges_mm)
        starts.append((controls, objective.slope(batch_of(controls))))
    return starts


def fitted_controls(field: FieldOf, counts: Sequence[int], edges_mm: np.ndarray) -> np.ndarray:
    """Return the control points, (n1, n2, n3, 3), whose field is nearest to one, by least squares.

    Args:
        field: from three lines of points to the displacement there, as `ControlGrid.field`.
        counts: (n1, n2, n3).
        edges_mm: (3,), of the box.
    """
    from mmzoo.ops.bspline import bspline_matrix

    points = centres([DENSER * count for count in counts], edges_mm)
    controls = field(points)
    for axis, count in enumerate(counts):
        step = edges_mm[axis] / count
        inverse = np.linalg.pinv(bspline_matrix(points[axis] / step - 0.5, count))
        controls = np.moveaxis(np.tensordot(inverse, controls, axes=(1, axis)), 0, axis)
    return controls


def descend(
    slope: Slope,
    start: np.ndarray,
    largest: float,
    steps: int,
    report: Callable[[int], None] = lambda done: None,
    known: tuple[float, Any] | None = None,
) -> tuple[np.ndarray, float]:
    """Return the control points of the lowest objective in some steps of Adam, and that objective.

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
    return best[1].numpy()[0], float(best[0])
