"""The guard: fields that fold are mended where they do, others are left alone."""

import numpy as np
import pytest
import tensorflow as tf
from helpers_control_grid import COUNTS, EDGES, SHAPE, control_grid, level

from mmzoo.registration.control_grid import ControlGrid
from mmzoo.registration.deform import compile_levels, fit_controls
from mmzoo.registration.folding import SMALLEST, smallest_determinant, unfolded
from mmzoo.registration.objective import Objective, traced_objective
from mmzoo.registration.settings import Settings


@pytest.fixture(scope="module")
def objective() -> Objective:
    return traced_objective(SHAPE, tuple(EDGES), COUNTS, Settings(loss="ncc", weight=1.0))(level())


def test_a_field_that_does_not_fold_is_left_alone(objective):
    given = control_grid(folds=False)
    found, said = unfolded(given, objective)
    np.testing.assert_array_equal(found.coefficients, given.coefficients)
    assert said["mended"] == "" and said["smallest_determinant"] == said["smallest_before"]


def test_a_field_that_folds_is_mended_and_keeps_more_than_shrinking_would(objective):
    given = control_grid(folds=True)
    assert smallest_determinant(given, SHAPE) < 0
    found, said = unfolded(given, objective)
    assert smallest_determinant(found, SHAPE) == said["smallest_determinant"] >= SMALLEST
    assert said["smallest_before"] < 0
    assert "more steps" in said["mended"] and "shrunk" not in said["mended"]
    shrunk = given
    while smallest_determinant(shrunk, SHAPE) < SMALLEST:
        shrunk = ControlGrid(np.float32(0.99) * shrunk.coefficients, EDGES)
    assert np.abs(found.coefficients).max() > 1.1 * np.abs(shrunk.coefficients).max()


def test_what_still_folds_is_shrunk_as_a_whole():
    def wants_to_fold(coefficients):
        force = 1e6 * tf.constant(control_grid(folds=True).coefficients[None])
        return -tf.reduce_sum(force * coefficients), tf.constant(0.0), -force

    stubborn = Objective(level(), EDGES, wants_to_fold, (0.0, None))
    found, said = unfolded(control_grid(folds=True), stubborn)
    assert said["smallest_determinant"] >= SMALLEST
    assert "shrunk to" in said["mended"]
    assert np.abs(found.coefficients).max() > 0


def test_similarity_and_bending_are_never_worse_than_without_a_field():
    settings = Settings(loss="ncc", weight=1.0, steps=(3, 3))
    levels = compile_levels([SHAPE, SHAPE], EDGES, settings)
    found, objective = fit_controls(levels, EDGES, lambda shape: level(), settings)
    losses = [
        objective.slope(tf.constant(each[None]))[0]
        for each in (found.coefficients, np.zeros_like(found.coefficients))
    ]
    assert losses[0] <= losses[1] == pytest.approx(objective.rest[0])


def test_no_level_is_an_error():
    with pytest.raises(ValueError, match="at least one level"):
        compile_levels([], EDGES, Settings())
