"""Control points against the spline on voxels, and bending by differences."""

import numpy as np
import pytest
import tensorflow as tf

from mmzoo.losses import bending_energy
from mmzoo.metrics import jacobian_determinant
from mmzoo.ops.bspline import bspline_field, bspline_matrix, control_shape
from mmzoo.ops.control_points import (
    control_bending,
    control_determinant,
    control_diffusion,
    control_field,
)

SHAPE, SPACING = (17, 24, 13), (4.0, 5.0, 3.5)


def positions(shape=SHAPE, spacing=SPACING):
    return [(np.arange(n) + 0.5) / s - 0.5 for n, s in zip(shape, spacing, strict=True)]


def coefficients(seed=0):
    size = (1, *control_shape(SHAPE, SPACING), 3)
    return tf.constant(np.random.default_rng(seed).normal(size=size))


def test_field_at_voxels_is_that_of_the_voxel_wise_spline():
    given = coefficients()
    axes = zip(positions(), given.shape[1:4], strict=True)
    field = control_field(given, [bspline_matrix(*axis) for axis in axes])
    np.testing.assert_allclose(field, bspline_field(given, SHAPE, SPACING), atol=1e-12)


@pytest.mark.parametrize("derivative", [1, 2])
def test_derivatives_are_those_of_the_weights(derivative):
    where, step = np.array([0.3, 1.7, 2.2, 4.9]), 1e-5
    above, below = (bspline_matrix(where + s, 6, derivative - 1) for s in (step, -step))
    found = bspline_matrix(where, 6, derivative)
    np.testing.assert_allclose(found, (above - below) / (2 * step), atol=1e-6)


def test_beyond_the_ends_values_go_on():
    matrix = bspline_matrix(np.array([-50.0, 50.0]), 4)
    np.testing.assert_allclose(matrix, [[1, 0, 0, 0], [0, 0, 0, 1]], atol=1e-12)


def test_energies_are_those_of_the_field_by_differences():
    given, length = coefficients(), np.array([2.0, 1.5, 3.0])
    fine = [np.linspace(p[0], p[-1], 6 * len(p)) for p in positions()]
    matrices = [bspline_matrix(p, n) for p, n in zip(fine, given.shape[1:4], strict=True)]
    field = control_field(given, matrices)
    control_mm = np.array(SPACING) * length
    step = np.array([p[1] - p[0] for p in fine]) * control_mm
    wanted = bending_energy(field / step, spacing=step)
    np.testing.assert_allclose(control_bending(given, fine, control_mm), wanted, rtol=0.02)
    slopes = np.gradient(field[0].numpy(), *step, axis=(0, 1, 2))
    wanted = sum((slope**2).mean() for slope in slopes)
    np.testing.assert_allclose(control_diffusion(given, fine, control_mm), [wanted], rtol=0.02)


@pytest.mark.parametrize("energy", [control_diffusion, control_bending])
def test_energy_of_a_constant_is_nothing_and_its_gradient_agrees_with_differences(energy):
    constant = tf.ones_like(coefficients())
    np.testing.assert_allclose(energy(constant, positions(), SPACING), [0], atol=1e-15)
    given = coefficients()
    with tf.GradientTape() as tape:
        tape.watch(given)
        value = energy(given, positions(), SPACING)
    slope = tape.gradient(value, given).numpy()
    change = np.zeros(given.shape)
    change[0, 1, 2, 1, 0] = 1e-4
    ends = [energy(given + s * change, positions(), SPACING) for s in (1, -1)]
    np.testing.assert_allclose((ends[0] - ends[1]) / 2e-4, slope[0, 1, 2, 1, 0], rtol=1e-6)
    batch, weights = tf.concat([2 * given, given], axis=0), tf.constant([1.0, 3.0], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(batch)
        total = tf.reduce_sum(weights * energy(batch, positions(), SPACING))
    np.testing.assert_allclose(total, 7 * value[0])
    both = tape.gradient(total, batch)
    np.testing.assert_allclose(both, [2 * slope[0], 3 * slope[0]], rtol=1e-9, atol=1e-12)


def test_determinant_is_that_of_the_field_by_differences_and_its_gradient_too():
    given, length = coefficients(), np.array([2.0, 1.5, 3.0])
    fine = [np.linspace(p[0], p[-1], 5 * len(p)) for p in positions()]
    matrices = [bspline_matrix(p, n) for p, n in zip(fine, given.shape[1:4], strict=True)]
    control_mm = np.array(SPACING) * length
    step = np.array([p[1] - p[0] for p in fine]) * control_mm
    wanted = jacobian_determinant(control_field(given, matrices)[0].numpy() / step)
    found = control_determinant(given, fine, control_mm)[0]
    inner = (slice(1, -1),) * 3  # one-sided differences at the border are less exact
    np.testing.assert_allclose(found[inner], wanted[inner], atol=0.05)

    def value(at):
        return tf.reduce_sum(control_determinant(at, positions(), SPACING) ** 2)

    with tf.GradientTape() as tape:
        tape.watch(given)
        total = value(given)
    direction = tf.constant(np.random.default_rng(1).normal(size=given.shape))
    ahead, behind = (value(given + s * direction) for s in (1e-5, -1e-5))
    slope = tf.reduce_sum(tape.gradient(total, given) * direction)
    np.testing.assert_allclose(slope, (ahead - behind) / 2e-5, rtol=1e-6)


def test_determinant_of_a_constant_field_is_one():
    constant = 5 * tf.ones_like(coefficients())
    np.testing.assert_allclose(control_determinant(constant, positions(), SPACING), 1, atol=1e-12)
