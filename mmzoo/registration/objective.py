"""What is made smallest at one resolution, as a function of the control points."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmzoo.registration.lattice import Lattice, among_controls
from mmzoo.registration.level import Level, blank_level, margin
from mmzoo.registration.settings import Settings
from mmzoo.registration.similarity import LOSSES, similarity

# Of the weight of bending, for a field that bends much, and the energy, 1/mm^2, at which it bends
# much. Chosen on the pairs named in mmzoo.registration.similarity, where one weight for all leaves
# one person's pairs at 2e-5 to 7e-5 and two people's at 1e-4 to 3e-4.
LEAST, MUCH = 0.15, 1.5e-4
# Bending lets a field shift, turn and stretch two images as a whole, which is the linear stage's
# work; diffusion does not. A wave of length 2 pi LONG_MM costs the same by either. On the same
# pairs, without and with it (and with two thirds of it): TRE of two spines 0.89, 0.76 (0.79) mm,
# of one person's brain 0.52, 0.52, of two cine hearts 2.27, 2.48 (2.39), Dice of two pairs of
# different people's spines 0.843, 0.857 (0.852), brains 0.713, 0.712 (0.714; of all four pairs
# 0.704, 0.701), hearts 0.897, 0.903 (0.900), abdomens 0.765, 0.774 (0.776). With nearly twice of it
# an abdomen falls from 0.883 to 0.830. At the coarse level alone it does nothing for spines (0.84).
LONG_MM = 26.0
KEPT = 8  # traced objectives


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
        return float(self.at(batch_of(lattice.coefficients))[0])

    def slope(self, coefficients):
        """Return similarity and what the field costs together, a number, and its gradient."""
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

    That takes seconds, in which a coarser level can be minimised. The last ones are kept: another
    moving image on the same box traces and compiles nothing.

    Args:
        shape: of the level's fixed image.
        edges: (3,), of the box, mm.
        counts: control points along each axis.
        settings: of the loss.
        lenient: as in `field_cost`.

    Returns:
        From a level of that shape to its objective.
    """
    import tensorflow as tf

    from mmzoo.ops.bspline import bspline_matrix
    from mmzoo.ops.compiled import traced
    from mmzoo.ops.lattice import lattice_bending, lattice_diffusion, lattice_field
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
    def at(coefficients, moving, mask, prepared):
        with tf.GradientTape() as tape:
            tape.watch(coefficients)
            ddf = lattice_field(coefficients, matrices) / voxel
            warped = warp_for_field(moving, ddf, offset)
            known = mask * tf.stop_gradient(warped[..., 1])
            distance = compare(prepared, warped[..., 0], known)
            diffusion = lattice_diffusion(coefficients, positions, spacing)[0]
            bending = lattice_bending(coefficients, positions, spacing)[0]
            cost = field_cost(diffusion, bending, weight, lenient)
            loss = distance + cost
        return distance, cost, tape.gradient(loss, coefficients)

    images = [tf.TensorSpec((1, *each.shape)) for each in (blank.moving, blank.mask, blank.fixed)]
    prepare = prepare.get_concrete_function(images[2])
    prepared = tf.nest.map_structure(
        lambda each: tf.TensorSpec(each.shape, each.dtype), prepare.structured_outputs
    )
    at = at.get_concrete_function(tf.TensorSpec((1, *counts, 3)), *images[:2], prepared)

    def objective_of(level: Level) -> Objective:
        images = [tf.constant(each[None]) for each in (level.moving, level.mask, level.fixed)]
        known = *images[:2], prepare(images[2])
        distance, _, gradient = at(tf.zeros((1, *counts, 3)), *known)
        rest = float(distance), gradient
        return Objective(level, edges_mm, lambda coefficients: at(coefficients, *known), rest)

    return objective_of


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


def batch_of(coefficients: np.ndarray):
    """Return control points as a batch of one, float32."""
    import tensorflow as tf

    return tf.constant(coefficients[None], tf.float32)
