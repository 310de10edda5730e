"""The deformable stage: control points moved down the slope of a loss, coarse to fine, by Adam."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from mmzoo.registration.level import Level
from mmzoo.registration.settings import Settings
from mmzoo.registration.similarity import WEIGHTS

FEWEST = 3  # voxels between control points: with fewer, noise is followed
# Of the weight of bending, for a field that bends much, and the energy, 1/mm^2, at which it bends
# much. Chosen on the pairs named in mmzoo.registration.similarity, where one weight for all leaves
# one person's pairs at 2e-5 to 7e-5 and two people's at 1e-4 to 3e-4.
LEAST, MUCH = 0.15, 1.5e-4
# Bending lets a field shift, turn and stretch two images as a whole, which is the linear stage's
# work; diffusion does not. A wave of length 2 pi LONG_MM costs the same by either. On the same
# pairs, without and with it (and with half of it): TRE of two spines 0.89, 0.76 (0.79) mm, of one
# person's brain 0.52, 0.52, of two cine hearts 2.27, 2.48 (2.39), Dice of two pairs of two people's
# spines 0.843, 0.857 (0.852), brains 0.713, 0.712 (0.714), hearts 0.897, 0.903 (0.900), abdomens
# 0.765, 0.774 (0.776). With nearly twice of it an abdomen falls from 0.883 to 0.830.
LONG_MM = 26.0
STEP = 0.4  # Adam's first step, in voxels of the level
Report = Callable[[str, int, int], None]
Slope = Callable[[Any], tuple[float, Any]]


@dataclass(frozen=True)
class Lattice:
    """Control points over the box.

    Attributes:
        coefficients: (n1, n2, n3, 3) float32, mm along the fixed image's axes.
        edges_mm: (3,), of the box.
    """

    coefficients: np.ndarray
    edges_mm: np.ndarray

    @property
    def spacing_mm(self) -> np.ndarray:
        """Distance of control points along each axis."""
        return self.edges_mm / self.coefficients.shape[:3]

    def field(self, points_mm: Sequence[np.ndarray]) -> np.ndarray:
        """Return the displacement, mm, on the grid of three lines of points from the box's corner.

        Returns:
            (dim1, dim2, dim3, 3) float64; beyond the box its border goes on.
        """
        from mmzoo.ops.lattice import lattice_matrix

        field = self.coefficients.astype(np.float64)
        for axis, (points, step) in enumerate(zip(points_mm, self.spacing_mm, strict=True)):
            matrix = lattice_matrix(points / step - 0.5, field.shape[axis])
            field = np.moveaxis(np.tensordot(matrix, field, axes=(1, axis)), 0, axis)
        return field


def centres(shape: Sequence[int], edges_mm: np.ndarray) -> list[np.ndarray]:
    """Return the middles of the voxels along each axis, mm from the box's corner."""
    return [(np.arange(n) + 0.5) * edge / n for n, edge in zip(shape, edges_mm, strict=True)]


def among_controls(
    shape: Sequence[int], edges_mm: np.ndarray, counts: Sequence[int]
) -> tuple[list[np.ndarray], np.ndarray]:
    """Return where the middles of voxels lie among control points, and the distance of these.

    Returns:
        Three lines of positions, in distances of control points from the first one, and (3,), mm.
    """
    spacing = edges_mm / np.array(counts)
    lines = zip(centres(shape, edges_mm), spacing, strict=True)
    return [points / step - 0.5 for points, step in lines], spacing


@dataclass(frozen=True)
class Objective:
    """What is made smallest at one level, as a function of the control points.

    Attributes:
        level: two images.
        edges_mm: (3,), of the box.
        at: from control points (1, n1, n2, n3, 3), mm, to similarity, what the field costs (see
            `field_cost`), and the gradient of both together, likewise shaped.
        rest: `slope` without a field.
    """

    level: Level
    edges_mm: np.ndarray
    at: Callable
    rest: tuple[float, Any]

    def similarity(self, lattice: Lattice) -> float:
        """Return the similarity alone at some control points, the smaller the more alike."""
        return float(self.at(_batch_of(lattice.coefficients))[0])

    def slope(self, coefficients):
        """Return similarity and what the field costs together, a number, and its gradient."""
        similarity, cost, gradient = self.at(coefficients)
        return float(similarity) + float(cost), gradient


def make_objective(
    level: Level,
    counts: Sequence[int],
    edges_mm: np.ndarray,
    settings: Settings,
    lenient: bool = True,
) -> Objective:
    """Return the objective of a level, traced and compiled.

    Args:
        level: two images.
        counts: control points along each axis.
        edges_mm: (3,), of the box.
        settings: of the loss.
        lenient: as in `field_cost`.
    """
    import tensorflow as tf

    from mmzoo.ops.compiled import traced
    from mmzoo.ops.lattice import (
        lattice_bending,
        lattice_diffusion,
        lattice_field,
        lattice_matrix,
    )
    from mmzoo.ops.slope import warp_for_field
    from mmzoo.registration.similarity import similarity_to

    positions, spacing = among_controls(level.fixed.shape, edges_mm, counts)
    matrices = [lattice_matrix(*line) for line in zip(positions, counts, strict=True)]
    moving, mask = tf.constant(level.moving[None]), tf.constant(level.mask[None])
    compare = similarity_to(settings.loss, tf.constant(level.fixed[None]), level.spacing_mm)
    offset = tf.constant(level.margin, tf.float32)
    voxel = tf.constant(level.spacing_mm, tf.float32)
    weight = WEIGHTS[settings.loss] if settings.weight is None else settings.weight

    @traced
    def at(coefficients):
        with tf.GradientTape() as tape:
            tape.watch(coefficients)
            ddf = lattice_field(coefficients, matrices) / voxel
            warped = warp_for_field(moving, ddf, offset)
            known = mask * tf.stop_gradient(warped[..., 1])
            similarity = compare(warped[..., 0], known)
            diffusion = lattice_diffusion(coefficients, positions, spacing)[0]
            bending = lattice_bending(coefficients, positions, spacing)[0]
            cost = field_cost(diffusion, bending, weight, lenient)
            loss = similarity + cost
        return similarity, cost, tape.gradient(loss, coefficients)

    similarity, _, gradient = at(tf.zeros((1, *counts, 3)))
    return Objective(level, edges_mm, at, (float(similarity), gradient))


def field_cost(diffusion, bending, weight: float, lenient: bool):
    """Return weight (D / LONG_MM^2 + B), or with the bending B so that much of it costs less.

        B -> LEAST B + (1 - LEAST) MUCH atan(B / MUCH)     (lenient)

    How far two images have to be bent is not known: one person's before and after lie near each
    other, two people's brains do not. With one weight for all either noise bends the former or the
    latter stay apart; here the slope falls from the weight, where little is bent, to LEAST of it,
    half way where the energy is MUCH.

    Args:
        diffusion: energy D, scalar tensor, no unit.
        bending: energy B, likewise, 1 / mm^2.
        weight: mm^2.
        lenient: charge much bending less.
    """
    import tensorflow as tf

    if lenient:
        bending = LEAST * bending + (1 - LEAST) * MUCH * tf.atan(bending / MUCH)
    return weight * (diffusion / LONG_MM**2 + bending)


def fit_lattice(
    levels: Sequence[Level], settings: Settings, report: Report = lambda *_: None
) -> tuple[Lattice, Objective]:
    """Return the control points whose field makes two images most alike.

    Coarse levels charge bending in full, the finest one leniently (`field_cost`). Each level starts
    from the field of the one before, or from rest where that is better: so similarity and what the
    field costs are together never worse than without a field.

    Args:
        levels: coarse to fine.
        settings: of the loss and the field.
        report: called with a stage's name, steps done and steps in all.

    Returns:
        The control points, and what was made smallest at the finest level.

    Raises:
        ValueError: no level.
    """
    if not levels:
        raise ValueError("`levels` must hold at least one level, got none.")
    edges = levels[0].spacing_mm * levels[0].fixed.shape
    coarser = range(len(levels) - 1, -1, -1)
    counts = [_counts(*each, edges, settings) for each in zip(levels, coarser, strict=True)]
    # A level takes seconds to compile, on one core: all do at once, and while coarser ones descend.
    with ThreadPoolExecutor(len(levels)) as ahead:
        made = [
            ahead.submit(make_objective, level, number, edges, settings, level is levels[-1])
            for level, number in zip(levels, counts, strict=True)
        ]
        lattice = Lattice(np.zeros((*counts[0], 3), np.float32), edges)
        for index, (level, number) in enumerate(zip(levels, counts, strict=True)):
            objective = made[index].result()
            start, known = _start(objective, lattice, number)
            steps = settings.steps[min(index, len(settings.steps) - 1)]
            name = f"field, {level.spacing_mm.min():.1f} mm"
            report(name, 0, steps)
            told = partial(_tell, report, name, steps)
            largest = STEP * float(level.spacing_mm.min())
            found = descend(objective.slope, start, largest, steps, told, known)
            lattice = Lattice(found, edges)
    return lattice, objective


def _counts(level: Level, coarser: int, edges: np.ndarray, settings: Settings) -> list[int]:
    """Return how many control points a level has along each axis; twice as far apart if coarser."""
    spacing = settings.control_mm * 2**coarser
    if settings.field == "dense":
        spacing = float(level.spacing_mm.min())
    else:
        spacing = max(spacing, FEWEST * float(level.spacing_mm.min()))
    apart = np.maximum(spacing, level.spacing_mm)
    return np.maximum(np.ceil(edges / apart - 1e-3), 2).astype(int).tolist()


def _tell(report: Report, name: str, steps: int, done: int) -> None:
    report(name, done, steps)


def _start(objective: Objective, coarse: Lattice, counts: Sequence[int]):
    """Return a coarser level's control points or, where it is better, rest; and `slope` there."""
    rest = np.zeros((*counts, 3)), objective.rest
    if not coarse.coefficients.any():
        return rest
    start = _refitted(coarse, counts)
    return min((start, objective.slope(_batch_of(start))), rest, key=lambda each: each[1][0])


def _refitted(lattice: Lattice, counts: Sequence[int]) -> np.ndarray:
    """Return control points of another number whose field is nearest, by least squares."""
    from mmzoo.ops.lattice import lattice_matrix

    dims = [int(4 * max(n, m)) for n, m in zip(counts, lattice.coefficients.shape[:3], strict=True)]
    points = centres(dims, lattice.edges_mm)
    field = lattice.field(points)
    for axis, count in enumerate(counts):
        step = lattice.edges_mm[axis] / count
        inverse = np.linalg.pinv(lattice_matrix(points[axis] / step - 0.5, count))
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

    now = _batch_of(start)
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


def _batch_of(coefficients: np.ndarray):
    """Return control points as a batch of one, float32."""
    import tensorflow as tf

    return tf.constant(coefficients[None], tf.float32)
