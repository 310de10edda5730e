"""The objective of a pyramid level as a function of the control points."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmzoo.registration.control_grid import ControlGrid, among_controls
from mmzoo.registration.pyramid import Level, blank_level, detail, margin
from mmzoo.registration.settings import Settings
from mmzoo.registration.similarity import LOSSES, similarity

# Share of the bending weight that is left at high bending energy, and the energy, 1/mm^2, of half
# of the fall where images are blurred; see docs/tuning.md.
LEAST, MUCH = 0.15, 1.5e-4
BLURRED, SHARP = 1.1, 1.2  # `detail` of images without fine structures and with them
# Bending energy is zero for affine fields, which the linear stage should find; diffusion energy is
# not. Both are equal for a wave of length 2 pi LONG_MM; see docs/tuning.md.
LONG_MM = 26.0
KEPT = 8  # traced objectives


@dataclass(frozen=True)
class Objective:
    """Dissimilarity plus regularisation at a pyramid level, as a function of the control points.

    Attributes:
        level: two images.
        edges_mm: (3,), of the box.
        at: from control points (1, n1, n2, n3, 3), mm, to dissimilarity, regularisation (see
            `field_cost`), and the gradient of their sum, of the same shape.
        rest: `slope` of the zero field.
    """

    level: Level
    edges_mm: np.ndarray
    at: Callable
    rest: tuple[float, Any]

    def similarity(self, controls: ControlGrid) -> float:
        """Return the dissimilarity for given control points (lower is better)."""
        return float(self.at(batch_of(controls.coefficients))[0])

    def slope(self, coefficients):
        """Return the objective for given control points, a number, and its gradient."""
        similarity, cost, gradient = self.at(coefficients)
        return float(similarity) + float(cost), gradient


@functools.lru_cache(maxsize=KEPT)
def traced_objective(
    shape: tuple[int, ...],
    edges: tuple[float, ...],
    counts: tuple[int, ...],
    settings: Settings,
    lenient: bool = True,
) -> Callable[[Level], Objective]:
    """Trace the objective of a level whose images are not known yet; its first call compiles it.

    The last ones are cached, for other moving images on the same box.

    Args:
        shape: of the level's fixed image.
        edges: (3,), of the box, mm.
        counts: control points along each axis.
        settings: of the loss.
        lenient: whether much bending costs less; as blurred as the images are, see `field_cost`.

    Returns:
        From a level of that shape to its objective.
    """
    import tensorflow as tf

    from mmzoo.ops.bspline import bspline_matrix
    from mmzoo.ops.compiled import traced
    from mmzoo.ops.control_points import control_bending, control_diffusion, control_field
    from mmzoo.ops.slope import warp_for_field

    edges_mm = np.array(edges)
    blank = blank_level(shape, edges_mm)
    positions, spacing = among_controls(shape, edges_mm, counts)
    matrices = [bspline_matrix(*line) for line in zip(positions, counts, strict=True)]
    prepare, compare = similarity(settings.loss, blank.spacing_mm)
    prepare = traced(prepare)
    offset = tf.constant(margin(blank.spacing_mm, shape), tf.float32)
    voxel = tf.constant(blank.spacing_mm, tf.float32)
    row = LOSSES[settings.loss]
    weight = row.weight if settings.weight is None else settings.weight
    weight *= 1.0 if lenient else row.coarse

    @traced
    def at(coefficients, moving, mask, prepared, blur):
        with tf.GradientTape() as tape:
            tape.watch(coefficients)
            ddf = control_field(coefficients, matrices) / voxel
            warped = warp_for_field(moving, ddf, offset)
            known = mask * tf.stop_gradient(warped[..., 1])
            distance = compare(prepared, warped[..., 0], known)
            diffusion = control_diffusion(coefficients, positions, spacing)[0]
            bending = control_bending(coefficients, positions, spacing)[0]
            cost = field_cost(diffusion, bending, weight, blur if lenient else None)
            loss = distance + cost
        return distance, cost, tape.gradient(loss, coefficients)

    images = [tf.TensorSpec((1, *each.shape)) for each in (blank.moving, blank.mask, blank.fixed)]
    prepare = prepare.get_concrete_function(images[2])
    prepared = tf.nest.map_structure(
        lambda each: tf.TensorSpec(each.shape, each.dtype), prepare.structured_outputs
    )
    scalar = tf.TensorSpec(())
    at = at.get_concrete_function(tf.TensorSpec((1, *counts, 3)), *images[:2], prepared, scalar)

    def objective_of(level: Level) -> Objective:
        images = [tf.constant(each[None]) for each in (level.moving, level.mask, level.fixed)]
        blur = tf.constant(blur_of(level, row.sharpest) if lenient else 1.0, tf.float32)
        known = *images[:2], prepare(images[2]), blur
        distance, _, gradient = at(tf.zeros((1, *counts, 3)), *known)
        rest = float(distance), gradient
        return Objective(level, edges_mm, lambda coefficients: at(coefficients, *known), rest)

    return objective_of


@functools.lru_cache(maxsize=KEPT)
def compiled_objective(
    shape: tuple[int, ...], edges: tuple[float, ...], *more
) -> Callable[[Level], Objective]:
    """Return the `traced_objective` of the same arguments, compiled: it was called once."""
    objective_of = traced_objective(shape, edges, *more)
    objective_of(blank_level(shape, np.array(edges)))
    return objective_of


def field_cost(diffusion, bending, weight: float, blur):
    """Return the regularisation weight (D / LONG_MM^2 + B), or less for a large bending B.

        B -> LEAST B + (1 - LEAST) much atan(B / much),  much = MUCH blur

    The deformation that a pair needs is not known: small between scans of one person, large between
    brains of two. A single weight would let noise deform the former or leave the latter unaligned.
    So the slope falls from the weight, at low energy, to LEAST of it; half of this fall is at the
    energy `much`. Images with fine detail (`blur` below 1) support more bending than blurred ones.

    Args:
        diffusion: energy D, scalar tensor, no unit.
        bending: energy B, likewise, 1 / mm^2.
        weight: mm^2.
        blur: of `blur_of`, scalar; None for bending charged in full.
    """
    import tensorflow as tf

    if blur is not None:
        much = MUCH * blur
        bending = LEAST * bending + (1 - LEAST) * much * tf.atan(bending / much)
    return weight * (diffusion / LONG_MM**2 + bending)


def blur_of(level: Level, sharpest: float) -> float:
    """Return how blurred the less detailed of two images is: 1 if fully, `sharpest` if it is sharp.

    Args:
        level: the images.
        sharpest: of a loss, the blur of sharp images.
    """
    if sharpest == 1:
        return 1.0
    return float(np.interp(detail(level), (BLURRED, SHARP), (1.0, sharpest)))


def batch_of(coefficients: np.ndarray):
    """Return control points as a batch of one, float32."""
    import tensorflow as tf

    return tf.constant(coefficients[None], tf.float32)
