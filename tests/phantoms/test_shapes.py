import numpy as np
import pytest

from mmzoo.phantoms.anatomy import shapes
from mmzoo.spatial.grid import Grid


def along_x(*distances):
    return np.array([[x, 0.0, 0.0] for x in distances], np.float32)


def test_ellipsoid_is_zero_on_its_surface_and_measures_along_its_axes():
    level = shapes.ellipsoid(along_x(8, 10, 13), (0, 0, 0), (10, 5, 7))
    assert level == pytest.approx([-2.0, 0.0, 3.0], abs=1e-4)


def test_coverage_gives_a_ball_its_exact_volume_on_a_coarse_grid():
    grid = Grid.centred((0.3, -0.2, 0.1), (2, 2, 2), (16, 16, 16))
    level = shapes.ellipsoid(grid.points(), (0, 0, 0), (9, 9, 9))
    volume = shapes.coverage(level, 2.0).sum() * 8
    assert volume == pytest.approx(4 / 3 * np.pi * 9**3, rel=0.02)


def test_tube_follows_its_curve_and_tapers():
    control = np.array([[0, 0, 0], [20, 0, 0], [40, 0, 0]], float)
    points = np.array([[0, 7, 0], [40, 7, 0], [20, 0, 3], [20, 10, 0]], np.float32)
    level = shapes.tube(points, control, [6, 4, 2])
    assert level == pytest.approx([1, 5, -1, 6], abs=0.25)


def test_tube_is_far_outside_its_reach():
    level = shapes.tube(along_x(500), np.array([[0, 0, 0], [0, 10, 0]], float), 3)
    assert level == pytest.approx([shapes.FAR_MM])


def test_rounded_union_fills_the_crease_and_leaves_the_rest():
    first, second = np.array([1.0, -3.0, 9.0]), np.array([1.0, 8.0, -2.0])
    assert shapes.union(first, second, 4.0) == pytest.approx([0.0, -3.0, -2.0])


def test_subtraction_leaves_what_only_the_first_covers():
    assert shapes.subtraction(np.array([-2.0, -2.0]), np.array([-1.0, 1.5])).tolist() == [1.0, -1.5]


def test_half_space_grows_along_its_outward_normal():
    level = shapes.half_space(along_x(-2, 5), (1, 7, 7), (2, 0, 0))
    assert level == pytest.approx([-3.0, 4.0])


def test_super_ellipse_does_not_depend_on_the_third_axis():
    points = np.array([[12, 0, 0], [12, 0, 90], [0, 5, 4]], np.float32)
    level = shapes.super_ellipse(points, (0, 0), (10, 5), 2.5)
    assert level == pytest.approx([2.0, 2.0, 0.0], abs=1e-4)


def test_capsule_has_round_ends_and_tapers_evenly():
    points = np.array([[-5, 0, 0], [0, 7, 0], [10, 5, 0], [20, 0, 4], [26, 0, 0]], np.float32)
    level = shapes.capsule(points, (0, 0, 0), (20, 0, 0), 4.0, 2.0)
    assert level == pytest.approx([1, 3, 2, 2, 4])
