"""The deformable stage: control points moved down the slope of a loss, coarse to fine, by Adam."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from mmzoo.registration.level import Level
from mmzoo.registration.settings import Settings
from mmzoo.registration.similarity import WEIGHTS

FEWEST = 3  # voxels between control points: with fewer, noise is followed
STEP = 0.4  # Adam's first step, in voxels of the level; it ends at a tenth
Report = Callable[[str, int, int], None]


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


def fit_lattice(
    levels: Sequence[Level], settings: Settings, report: Report = lambda *_: None
) -> Lattice:
    """Return the control points whose field makes two images most alike.

    Args:
        levels: coarse to fine.
        settings: of the loss and the field.
        report: called with a stage's name, steps done and steps in all.
    """
    edges = levels[0].spacing_mm * levels[0].fixed.shape
    lattice: Lattice | None = None
    for index, level in enumerate(levels):
        spacing = settings.control_mm * 2 ** (len(levels) - 1 - index)
        if settings.field == "dense":
            spacing = float(level.spacing_mm.min())
        else:
            spacing = max(spacing, FEWEST * float(level.spacing_mm.min()))
        spacing = np.maximum(spacing, level.spacing_mm)
        counts = np.maximum(np.ceil(edges / spacing - 1e-3), 2).astype(int)
        start = np.zeros((*counts, 3)) if lattice is None else _refitted(lattice, counts)
        steps = settings.steps[min(index, len(settings.steps) - 1)]
        name = f"field, {level.spacing_mm.min():.1f} mm"
        told = partial(_tell, report, name, steps)
        lattice = Lattice(descend(level, start, edges, settings, steps, told), edges)
    if lattice is None:
        raise ValueError("`levels` must hold at least one level, got none.")
    return lattice


def _tell(report: Report, name: str, steps: int, done: int) -> None:
    report(name, done, steps)


def _refitted(lattice: Lattice, counts: np.ndarray) -> np.ndarray:
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
    level: Level,
    start: np.ndarray,
    edges_mm: np.ndarray,
    settings: Settings,
    steps: int,
    report: Callable[[int], None] = lambda done: None,
) -> np.ndarray:
    """Return the best control points, (n1, n2, n3, 3), met in some steps of Adam from a start.

    From rest instead, where that is better than the start; so similarity and bending together are
    never worse than without a field.
    """
    import tensorflow as tf

    coefficients = tf.Variable(start[None], dtype=tf.float32)
    objective = _objective(level, coefficients.shape[1:4], edges_mm, settings)

    @tf.function
    def slope():
        with tf.GradientTape() as tape:
            loss = sum(objective(coefficients))
        return loss, tape.gradient(loss, coefficients)

    loss, gradient = slope()
    best = float(loss), coefficients.numpy()
    if start.any():
        coefficients.assign(tf.zeros_like(coefficients))
        loss, at_rest = slope()
        if float(loss) < best[0]:
            best, gradient = (float(loss), coefficients.numpy()), at_rest
        else:
            coefficients.assign(best[1])
    first, second = tf.zeros_like(coefficients), tf.zeros_like(coefficients)
    largest = STEP * float(level.spacing_mm.min())
    for step in range(steps):
        first = 0.9 * first + 0.1 * gradient
        second = 0.99 * second + 0.01 * gradient**2
        root = tf.sqrt(second / (1 - 0.99 ** (step + 1))) + 1e-10
        rate = largest * (0.1 + 0.9 * 0.5 * (1 + np.cos(np.pi * step / steps)))
        coefficients.assign_sub(rate / (1 - 0.9 ** (step + 1)) * first / root)
        loss, gradient = slope()
        if float(loss) < best[0]:
            best = float(loss), coefficients.numpy()
        report(step + 1)
    return best[1][0]


def loss_of(lattice: Lattice, level: Level, settings: Settings) -> float:
    """Return the similarity alone at some control points, the smaller the more alike."""
    import tensorflow as tf

    objective = _objective(level, lattice.coefficients.shape[:3], lattice.edges_mm, settings)
    return float(objective(tf.constant(lattice.coefficients[None], tf.float32))[0])


def _objective(level: Level, counts, edges_mm: np.ndarray, settings: Settings):
    """Return a function from control points, (1, n1, n2, n3, 3), to similarity and bending."""
    import tensorflow as tf

    from mmzoo.ops.lattice import lattice_bending, lattice_field, lattice_matrix
    from mmzoo.ops.slope import warp_for_field
    from mmzoo.registration.similarity import similarity_to

    shape = level.fixed.shape
    spacing = edges_mm / np.array(counts)
    lines = zip(centres(shape, edges_mm), spacing, strict=True)
    positions = [points / step - 0.5 for points, step in lines]
    matrices = [lattice_matrix(*line) for line in zip(positions, counts, strict=True)]
    moving, mask = tf.constant(level.moving[None]), tf.constant(level.mask[None])
    compare = similarity_to(settings.loss, tf.constant(level.fixed[None]), level.spacing_mm)
    offset = tf.constant(level.margin, tf.float32)
    voxel = tf.constant(level.spacing_mm, tf.float32)
    weight = WEIGHTS[settings.loss] if settings.weight is None else settings.weight

    def objective(coefficients):
        ddf = lattice_field(coefficients, matrices) / voxel
        warped = warp_for_field(moving, ddf, offset)
        known = mask * tf.stop_gradient(warped[..., 1])
        bending = weight * lattice_bending(coefficients, positions, spacing)[0]
        return compare(warped[..., 0], known), bending

    return objective
