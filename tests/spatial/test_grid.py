import numpy as np
import pytest

from mmzoo.spatial.grid import Grid, check_size


def test_covering_puts_voxel_edges_on_the_box():
    grid = Grid.covering((-10, 0, 5), (10, 60, 25), (4, 6, 10))
    assert grid.spacing_mm == (5, 10, 2)
    assert grid.origin_mm == (-7.5, 5, 6)


def test_points_are_where_the_affine_puts_the_voxels():
    grid = Grid.centred((1, 2, 3), (2, 3, 4), (5, 6, 7))
    index = np.array([4, 1, 6, 1])
    assert grid.points()[4, 1, 6] == pytest.approx((grid.affine @ index)[:3])
    assert grid.points().mean((0, 1, 2)) == pytest.approx([1, 2, 3])


def test_refined_grid_cuts_the_voxels_of_the_same_box():
    grid = Grid.centred((1, 2, 3), (2, 3, 9), (5, 6, 7))
    fine = grid.refined((1, 1, 3))
    assert fine.shape == (5, 6, 21) and fine.spacing_mm == (2, 3, 3)
    assert fine.points()[:, :, 1::3] == pytest.approx(grid.points(), abs=1e-5)
    assert grid.refined((1, 1, 1)) is grid


def test_sizes_are_multiples_of_sixteen_unless_a_phantom_allows_others():
    check_size((16, 64, 32))
    check_size((16, 32, 7), (16, 16, 1), (16, 16, 6))
    with pytest.raises(
        ValueError, match=r"multiples of 16, .* got \(16, 16, 7\); use \(16, 16, 16\)"
    ):
        check_size((16, 16, 7))
    with pytest.raises(ValueError, match=r"at least \(16, 16, 6\), got .*; use \(32, 16, 6\)"):
        check_size((20, 8, 5), (16, 16, 1), (16, 16, 6))
