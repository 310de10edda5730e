from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from mmzoo.phantoms.imaging.scan import scan, scan_again
from mmzoo.spatial.grid import Grid

GRID = Grid.centred((0, 0, 0), (5, 5, 5), (32, 32, 32))
SOMEONE = SimpleNamespace(centre_mm=(0.0, 0.0, 0.0))


def scanned(modality, value, seed=0):
    image = np.full(GRID.shape, value, np.float32)
    generators = (np.random.default_rng(seed + k) for k in (0, 100))
    return partial(scan, window=(-200, 400))(modality, image, GRID, SOMEONE, *generators)


@pytest.mark.parametrize("seed", range(3))
def test_ct_has_noise_of_10_to_20_hounsfield_units_round_the_value(seed):
    image = scanned("ct", 50.0, seed)
    assert 9.9 < image.std() < 20.1
    assert image.mean() == pytest.approx(50, abs=1)


def test_ct_is_clipped_to_the_window():
    assert np.all(scanned("ct", -1000.0) == -200)
    assert np.all(scanned("ct", 900.0) == 400)


def test_mr_has_rician_noise_of_4_to_8_where_there_is_no_signal():
    image = scanned("t1", 0.0)
    assert image.mean() / image.std() == pytest.approx(np.sqrt(np.pi / (4 - np.pi)), rel=0.03)
    assert 4 < image.mean() / np.sqrt(np.pi / 2) < 8


def test_mr_gain_is_smooth_and_one_in_the_middle():
    image = scanned("mr", 200.0)
    assert image[15:17, 15:17, 15:17].mean() == pytest.approx(200, abs=8)
    corners = image[::31, ::31, ::31]
    assert np.ptp(corners) > 20


def test_mr_clips_its_brightest_voxels():
    image = scanned("mr", 200.0)
    assert np.mean(image == image.max()) == pytest.approx(0.005, abs=0.001)


def test_images_of_one_session_share_the_coil_and_not_the_noise():
    grid = Grid.centred((0, 0, 0), (4, 4, 4), (20, 20, 20))
    anatomy = SimpleNamespace(centre_mm=(0, 0, 0), coil=7)
    image = np.full(grid.shape, 500.0, np.float32)
    scans = [
        scan_again("any", image, grid, anatomy, np.random.default_rng(seed)) for seed in (0, 1)
    ]
    other = SimpleNamespace(centre_mm=(0, 0, 0), coil=8)
    apart = scan_again("any", image, grid, other, np.random.default_rng(0))
    assert not np.array_equal(*scans)
    assert np.abs(scans[0] - scans[1]).mean() < 0.5 * np.abs(scans[0] - apart).mean()
