"""The way uphill: a linear map of more mutual information, by BFGS."""

from __future__ import annotations

import numpy as np

from mmzoo.registration.information import Information, Linear

ITERATIONS, LITTLE = 40, 1e-5  # steps; nats by which one must rise
LONGEST, TRIALS = 4.0, 5  # times the first step; of a step, each a third of the one before
TURNS = np.array([[[0, 0, 0], [0, 0, -1], [0, 1, 0]], [[0, 0, 1], [0, 0, 0], [-1, 0, 0]],
                  [[0, -1, 0], [1, 0, 0], [0, 0, 0]]], float)  # fmt: skip


def climbed(
    images: Information, start: Linear, kind: str, step_mm: float, most: int = ITERATIONS
) -> Linear:
    """Return the map of the most mutual information that is found uphill from another, by BFGS.

    A step turns (rigid) or also stretches (affine) what the map returns, about where `centre`
    goes, and shifts it. Plain NumPy: SciPy's takes longer, for it may wait for threads.

    Args:
        images: what is compared.
        start: takes points of the fixed image to the moving one.
        kind: "rigid" or "affine".
        step_mm: the first step, on average over the points.
        most: steps.
    """
    ways = (np.eye(9) if kind == "affine" else TURNS).reshape(-1, 3, 3)
    shifts = [step_mm] * 3
    if images.flat:  # neither out of the slice nor along its normal
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
        told, by_matrix, by_shift = images.slope(linear)
        by_ways = np.tensordot(ways, by_matrix @ linear.matrix.T, 2)
        return told, np.concatenate([by_ways, by_shift]) * scale

    told, uphill = slope(start)
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
            if found > told + 1e-4 * float(step @ uphill):
                break
            step = step / 3
        else:
            if steepest:
                return start
            inverse = None
            continue
        bent, risen = uphill - next_uphill, found - told
        start, told, uphill = there, found, next_uphill
        if risen < LITTLE:
            if steepest:
                break
            inverse = None  # it may have been misled
            continue
        curved = float(step @ bent)
        if curved > 1e-12:
            aside = np.eye(len(step)) - np.outer(step, bent) / curved
            inverse = aside @ inverse @ aside.T + np.outer(step, step) / curved
    return start
