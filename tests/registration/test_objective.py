"""What a field costs, and what is made smallest at a level."""

import numpy as np
import pytest
import tensorflow as tf
from helpers_control_grid import COUNTS, EDGES, SHAPE, control_grid, level

from mmzoo.ops.control_points import control_bending, control_diffusion
from mmzoo.registration.control_grid import among_controls
from mmzoo.registration.objective import LEAST, LONG_MM, MUCH, field_cost, traced_objective
from mmzoo.registration.pyramid import margin
from mmzoo.registration.settings import Settings


def cost_and_slope(energy: float, weight: float = 200.0):
    given = tf.constant(energy, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(given)
        cost = field_cost(0.0, given, weight, lenient=True)
    return float(cost), float(tape.gradient(cost, given))


def test_bending_costs_the_weight_at_first():
    cost, slope = cost_and_slope(1e-3 * MUCH)
    np.testing.assert_allclose([cost, slope], [0.2 * MUCH, 200.0], rtol=1e-5)


def test_much_bending_costs_the_least_of_it():
    assert cost_and_slope(1e3 * MUCH)[1] == pytest.approx(LEAST * 200, rel=1e-4)


def test_half_way_is_where_the_energy_is_much():
    assert cost_and_slope(MUCH)[1] == pytest.approx((1 + LEAST) / 2 * 200)


def test_diffusion_is_charged_in_full_as_bending_where_it_is_not_lenient():
    given = [tf.constant(energy, tf.float64) for energy in (0.02, 10 * MUCH)]
    wanted = 200 * (0.02 / LONG_MM**2 + 10 * MUCH)
    np.testing.assert_allclose(field_cost(*given, 200.0, lenient=False), wanted)
    spared = (1 - LEAST) * MUCH * (10 - np.arctan(10))
    np.testing.assert_allclose(field_cost(*given, 200.0, lenient=True), wanted - 200 * spared)


def test_a_wave_of_2_pi_times_long_mm_costs_the_same_by_diffusion_and_bending():
    x = np.linspace(0, 2 * np.pi * LONG_MM, 2001)
    slope = np.gradient(np.sin(x / LONG_MM), x)
    bend = np.gradient(slope, x)
    energies = tf.constant([np.mean(slope**2), np.mean(bend**2)])
    costs = [field_cost(energies[0], 0.0, 1.0, False), field_cost(0.0, energies[1], 1.0, False)]
    np.testing.assert_allclose(costs[0], costs[1], rtol=1e-2)


def test_the_objective_s_gradient_agrees_with_differences_and_coarse_levels_charge_in_full():
    settings = Settings(loss="ncc", weight=50.0)
    given = tf.constant(control_grid(folds=False).coefficients[None])
    where = among_controls(SHAPE, EDGES, COUNTS)
    energies = [energy(given, *where)[0] for energy in (control_diffusion, control_bending)]
    for lenient in (True, False):
        objective = traced_objective(SHAPE, tuple(EDGES), COUNTS, settings, lenient)(level())
        cost = float(field_cost(*energies, 50.0, lenient))
        assert float(objective.at(given)[1]) == pytest.approx(cost, rel=1e-5)
        loss, gradient = objective.slope(given)
        step = 0.02 * np.random.default_rng(2).normal(size=given.shape).astype(np.float32)
        ahead, behind = (objective.slope(given + s * step)[0] for s in (1, -1))
        wanted = float(tf.reduce_sum(gradient * step))
        assert loss == pytest.approx((ahead + behind) / 2, abs=1e-2)
        assert (ahead - behind) / 2 == pytest.approx(wanted, rel=0.03)


@pytest.mark.parametrize(("loss", "share"), [("mind-ssc", 0.4), ("segi-mi", 1.0)])
def test_a_loss_charges_its_share_of_the_weight_at_coarse_levels(loss, share):
    given = tf.constant(control_grid(folds=False).coefficients[None])
    where = among_controls(SHAPE, EDGES, COUNTS)
    energies = [energy(given, *where)[0] for energy in (control_diffusion, control_bending)]
    settings = Settings(loss=loss, weight=50.0)
    for lenient, weight in ((False, share * 50.0), (True, 50.0)):
        objective = traced_objective(SHAPE, tuple(EDGES), COUNTS, settings, lenient)(level())
        cost = float(field_cost(*energies, weight, lenient))
        assert float(objective.at(given)[1]) == pytest.approx(cost, rel=1e-5)


def test_tiny_voxels_make_no_margin_of_thousands():
    shape = np.array((64, 60, 50))
    assert margin(np.full(3, 0.001), shape).tolist() == [64, 64, 64]
    assert margin(np.array((1.0, 2.0, 0.5)), shape).tolist() == [16, 8, 32]
