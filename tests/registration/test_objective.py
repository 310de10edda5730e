"""What a field costs, and what is made smallest at a level."""

import numpy as np
import pytest
import tensorflow as tf
from helpers_control_grid import COUNTS, EDGES, SHAPE, control_grid, level
from scipy.ndimage import gaussian_filter

from mmzoo.ops.control_points import control_bending, control_diffusion
from mmzoo.registration.control_grid import among_controls
from mmzoo.registration.objective import (
    BLURRED,
    LEAST,
    LONG_MM,
    MUCH,
    SHARP,
    blur_of,
    field_cost,
    traced_objective,
)
from mmzoo.registration.pyramid import FINE, FINER, Level, detail, margin
from mmzoo.registration.settings import Settings
from mmzoo.registration.similarity import LOSSES


def cost_and_slope(energy: float, weight: float = 200.0, blur: float = 1.0):
    given = tf.constant(energy, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(given)
        cost = field_cost(0.0, given, weight, blur)
    return float(cost), float(tape.gradient(cost, given))


def test_bending_costs_the_weight_at_first():
    cost, slope = cost_and_slope(1e-3 * MUCH)
    np.testing.assert_allclose([cost, slope], [0.2 * MUCH, 200.0], rtol=1e-5)


def test_much_bending_costs_the_least_of_it():
    assert cost_and_slope(1e3 * MUCH)[1] == pytest.approx(LEAST * 200, rel=1e-4)


def test_half_way_is_where_the_energy_is_much():
    assert cost_and_slope(MUCH)[1] == pytest.approx((1 + LEAST) / 2 * 200)


@pytest.mark.parametrize("blur", [1 / 3, 0.7])
def test_where_images_are_sharp_half_way_is_at_less_energy(blur):
    assert cost_and_slope(MUCH * blur, blur=blur)[1] == pytest.approx((1 + LEAST) / 2 * 200)
    assert cost_and_slope(1e3 * MUCH, blur=blur)[1] == pytest.approx(LEAST * 200, rel=1e-4)
    assert cost_and_slope(1e-4 * MUCH, blur=blur)[1] == pytest.approx(200, rel=1e-5)


def test_diffusion_is_charged_in_full_as_bending_where_it_is_not_lenient():
    given = [tf.constant(energy, tf.float64) for energy in (0.02, 10 * MUCH)]
    wanted = 200 * (0.02 / LONG_MM**2 + 10 * MUCH)
    np.testing.assert_allclose(field_cost(*given, 200.0, None), wanted)
    spared = (1 - LEAST) * MUCH * (10 - np.arctan(10))
    np.testing.assert_allclose(field_cost(*given, 200.0, 1.0), wanted - 200 * spared)


def test_a_wave_of_2_pi_times_long_mm_costs_the_same_by_diffusion_and_bending():
    x = np.linspace(0, 2 * np.pi * LONG_MM, 2001)
    slope = np.gradient(np.sin(x / LONG_MM), x)
    bend = np.gradient(slope, x)
    energies = tf.constant([np.mean(slope**2), np.mean(bend**2)])
    costs = [field_cost(energies[0], 0.0, 1.0, None), field_cost(0.0, energies[1], 1.0, None)]
    np.testing.assert_allclose(costs[0], costs[1], rtol=1e-2)


def test_the_objective_s_gradient_agrees_with_differences_and_coarse_levels_charge_in_full():
    settings = Settings(loss="ncc", weight=50.0)
    given = tf.constant(control_grid(folds=False).coefficients[None])
    where = among_controls(SHAPE, EDGES, COUNTS)
    energies = [energy(given, *where)[0] for energy in (control_diffusion, control_bending)]
    for lenient in (True, False):
        objective = traced_objective(SHAPE, tuple(EDGES), COUNTS, settings, lenient)(level())
        cost = float(field_cost(*energies, 50.0, 1.0 if lenient else None))
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
    blur = blur_of(level(), LOSSES[loss].sharpest)
    for given_blur, weight in ((None, share * 50.0), (blur, 50.0)):
        lenient = given_blur is not None
        objective = traced_objective(SHAPE, tuple(EDGES), COUNTS, settings, lenient)(level())
        cost = float(field_cost(*energies, weight, given_blur))
        assert float(objective.at(given)[1]) == pytest.approx(cost, rel=1e-5)


def test_tiny_voxels_make_no_margin_of_thousands():
    shape = np.array((64, 60, 50))
    assert margin(np.full(3, 0.001), shape).tolist() == [64, 64, 64]
    assert margin(np.array((1.0, 2.0, 0.5)), shape).tolist() == [16, 8, 32]


def textured(spacing_mm, fixed_mm: float, moving_mm: float) -> Level:
    """Return a level of two images of noise that is smoothed by Gaussians of given lengths."""
    rng = np.random.default_rng(3)
    shape = np.array((40, 36, 44))

    def draw(count, sigma_mm):
        image = gaussian_filter(rng.normal(size=count), sigma_mm / np.array(spacing_mm))
        return (0.6 + 0.1 * image / image.std()).astype(np.float32)

    wide = draw(shape + 2 * margin(np.array(spacing_mm), shape), moving_mm)
    fixed = draw(shape, fixed_mm)
    moving = np.stack([wide, np.ones_like(wide)], axis=-1)
    return Level(fixed, moving, np.ones(shape, np.float32), np.array(spacing_mm))


def detail_of_noise(sigma: float) -> float:
    """Detail of Gaussian noise of an isotropic width, in voxels: its gradient over its deviation.

    Smoothed by s its width is w = sqrt(sigma^2 + s^2), and mean squared gradient over variance
    3 / (2 w^2).
    """
    widths = [np.hypot(sigma, share) for share in (FINER, FINE)]
    return widths[1] / widths[0]


@pytest.mark.parametrize("widths", [(6.0, 4.0), (4.0, 6.0), (4.0, 4.0), (6.0, 6.0)])
def test_detail_is_that_of_the_more_blurred_image(widths):
    found = detail(textured((2.0, 2.0, 2.0), *widths))
    assert found == pytest.approx(detail_of_noise(max(widths) / 2), rel=0.03)


def test_detail_is_counted_in_the_finest_voxels():
    fine = detail(textured((1.0, 1.0, 1.0), 3.0, 3.0))
    slices = detail(textured((1.0, 1.0, 3.0), 3.0, 3.0))
    assert slices == pytest.approx(fine, rel=0.05)


def test_sharp_images_bend_more_easily_than_blurred_and_flat_ones():
    sharp, blurred = (textured((2.0, 2.0, 2.0), width, 2.0) for width in (2.0, 8.0))
    assert detail(sharp) > SHARP and detail(blurred) < BLURRED
    assert [blur_of(level, 0.3) for level in (sharp, blurred)] == [0.3, 1.0]
    between = textured((2.0, 2.0, 2.0), 5.0, 2.0)
    share = (detail(between) - BLURRED) / (SHARP - BLURRED)
    assert 0 < share < 1 and blur_of(between, 0.3) == pytest.approx(1 - 0.7 * share)
    flat = Level(0 * sharp.fixed, sharp.moving, sharp.mask, sharp.spacing_mm)
    assert blur_of(flat, 0.3) == blur_of(sharp, 1.0) == 1.0
