"""Maximisation of mutual information over linear maps, by BFGS from a start."""

import numpy as np

from mmzoo.registration.information import Linear, MutualInformation

ITERATIONS, LITTLE = 40, 1e-5  # steps; smallest gain of a step, nats
LONGEST, TRIALS = 4.0, 5  # longest step, in first steps; trials of a step, each a third
TURNS = np.array([[[0, 0, 0], [0, 0, -1], [0, 1, 0]], [[0, 0, 1], [0, 0, 0], [-1, 0, 0]],
                  [[0, -1, 0], [1, 0, 0], [0, 0, 0]]], float)  # fmt: skip


def climbed(
    images: MutualInformation, start: Linear, kind: str, step_mm: float, most: int = ITERATIONS
) -> Linear:
    """Return the map at the local maximum of mutual information that BFGS finds from a start.

    A step rotates (rigid) or rotates and stretches (affine) about the mapped `centre`, and
    translates. In NumPy, as SciPy's optimiser takes longer, waiting for threads.

    Args:
        images: the images.
        start: takes points of the fixed image to the moving one.
        kind: "rigid" or "affine".
        step_mm: the first step, on average over the points.
        most: steps.
    """
    ways = (np.eye(9) if kind == "affine" else TURNS).reshape(-1, 3, 3)
    shifts = [step_mm] * 3
    if images.flat:  # no rotation out of the slice, no translation along its normal
        ways = ways[~(ways[:, 2, :].any(axis=1) | ways[:, :, 2].any(axis=1))]
        shifts[2] = 0.0
    scale = np.array([step_mm / images.radius] * len(ways) + shifts)

    def moved(linear: Linear, step: np.ndarray) -> Linear:
        step = step * scale
        half = np.tensordot(step[:-3], ways, 1) / 2
        # Cayley's map: a rotation where `half` is antisymmetric.
        matrix = np.linalg.solve(np.eye(3) - half, (np.eye(3) + half) @ linear.matrix)
        return Linear.about(images.centre, linear.at(images.centre) + step[-3:], matrix)

    def slope(linear: Linear) -> tuple[float, np.ndarray]:
        information, by_matrix, by_shift = images.slope(linear)
        by_ways = np.tensordot(ways, by_matrix @ linear.matrix.T, 2)
        return information, np.concatenate([by_ways, by_shift]) * scale

    information, uphill = slope(start)
    inverse = None
    for _ in range(most):
        steepest = inverse is None
        if inverse is None:
            inverse = np.eye(len(uphill)) / max(float(np.linalg.norm(uphill)), 1e-12)
        step = inverse @ uphill
        step *= min(1.0, LONGEST / max(float(np.linalg.norm(step)), 1e-12))
        for _ in range(TRIALS):
            there = moved(start, step)
            found, next_uphill = slope(there)
            if found > information + 1e-4 * float(step @ uphill):
                break
            step = step / 3
        else:
            if steepest:
                return start
            inverse = None
            continue
        bent, risen = uphill - next_uphill, found - information
        start, information, uphill = there, found, next_uphill
        if risen < LITTLE:
            if steepest:
                break
            inverse = None  # restart from the gradient
            continue
        curved = float(step @ bent)
        if curved > 1e-12:
            aside = np.eye(len(step)) - np.outer(step, bent) / curved
            inverse = aside @ inverse @ aside.T + np.outer(step, step) / curved
    return start
