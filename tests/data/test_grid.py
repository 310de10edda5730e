import numpy as np
import pytest

from mmzoo.data.grid import Grid


def test_covering_puts_voxel_edges_on_the_box():
    grid = Grid.covering((-10, 0, 5), (10, 60, 25), (4, 6, 10))
    assert grid.spacing_mm == (5, 10, 2)
    assert grid.origin_mm == (-7.5, 5, 6)


def test_points_are_where_the_affine_puts_the_voxels():
    grid = Grid.centred((1, 2, 3), (2, 3, 4), (5, 6, 7))
    index = np.array([4, 1, 6, 1])
    assert grid.points()[4, 1, 6] == pytest.approx((grid.affine @ index)[:3])
    assert grid.points().mean((0, 1, 2)) == pytest.approx([1, 2, 3])
