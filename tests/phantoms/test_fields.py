import numpy as np
import pytest
from helpers_phantom import jacobian_determinant

from mmzoo.phantoms import fields
from mmzoo.spatial.grid import Grid


@pytest.mark.parametrize("amplitude_mm", [6.0, 500.0])
@pytest.mark.parametrize("seed", range(3))
def test_spline_deformation_never_folds_however_large_its_amplitude(seed, amplitude_mm):
    rng = np.random.default_rng(seed)
    deformation = fields.SplineDeformation(rng, (5, 0, -5), 120.0, 30.0, amplitude_mm)
    grid = Grid.centred((5, 0, -5), (4, 4, 4), (40, 40, 40))
    shift = np.linalg.norm(deformation(grid.points()) - grid.points(), axis=-1)
    assert shift.max() > 2.0
    assert jacobian_determinant(deformation, grid.points()).min() > 0


def test_spline_deformation_fades_out_far_away():
    deformation = fields.SplineDeformation(np.random.default_rng(0), (0, 0, 0), 100.0, 25.0, 8.0)
    far = np.array([[400.0, 0.0, 0.0]])
    assert deformation(far) == pytest.approx(far)


def test_smooth_noise_has_unit_deviation_and_neighbours_that_agree():
    noise = fields.smooth_noise(np.random.default_rng(0), (32, 32, 32), 2.0)
    assert noise.std() == pytest.approx(1, abs=1e-3)
    assert np.corrcoef(noise[1:].ravel(), noise[:-1].ravel())[0, 1] > 0.9


def test_rician_noise_has_the_rayleigh_mean_where_there_is_no_signal():
    noisy = fields.rician(np.random.default_rng(0), np.zeros((40, 40, 40)), 5.0)
    assert noisy.mean() == pytest.approx(5 * np.sqrt(np.pi / 2), rel=0.01)


def test_rician_noise_is_about_gaussian_where_the_signal_is_strong():
    noisy = fields.rician(np.random.default_rng(0), np.full((40, 40, 40), 200.0), 5.0)
    assert noisy.std() == pytest.approx(5, rel=0.02)
    assert noisy.mean() == pytest.approx(np.hypot(200, 5 / np.sqrt(2)), rel=1e-3)


def test_correlated_noise_keeps_the_mean_and_has_the_given_deviation():
    image = np.full((40, 40, 40), 100, np.float32)
    noisy = fields.correlated_gaussian(np.random.default_rng(0), image, 15.0, 0.6)
    assert noisy.std() == pytest.approx(15, rel=0.01)
    assert noisy.mean() == pytest.approx(100, abs=1)


def test_bias_field_is_a_positive_gain_of_one_at_its_centre():
    points = Grid.centred((10, 0, 0), (10, 10, 10), (21, 21, 21)).points()
    gain = fields.bias_field(np.random.default_rng(0), points, (10, 0, 0), 100.0, 0.3)
    assert gain[10, 10, 10] == pytest.approx(1)
    assert gain.min() > 0
    assert gain.std() > 0.02


def test_spline_noise_is_a_unit_noise_of_the_point_that_repeats():
    noise = fields.SplineNoise(np.random.default_rng(0), 2.5, period=32)
    points = np.random.default_rng(1).uniform(-80, 80, (20_000, 3))
    values = noise(points)
    assert values.mean() == pytest.approx(0, abs=0.05)
    assert values.std() == pytest.approx(1, abs=0.05)
    assert noise(points + [0, 80, 0]) == pytest.approx(values, abs=1e-4)
    assert np.corrcoef(values, noise(points + [0.6, 0, 0]))[0, 1] > 0.9
    assert abs(np.corrcoef(values, noise(points + [20, 0, 0]))[0, 1]) < 0.1
