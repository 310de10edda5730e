import numpy as np
import pytest
from helpers_phantom import jacobian_determinant
from scipy.spatial.transform import Rotation

from mmzoo.phantoms.fields import SplineDeformation
from mmzoo.phantoms.motion import polyrigid
from mmzoo.spatial.grid import Grid

GRID = Grid.centred((0, 0, 0), (3, 3, 3), (30, 24, 36))
MIDDLES, RADIUS, MARGIN = ((0.0, 0.0, -20.0), (1.0, 2.0, 18.0)), 15.0, 2.0


def ball(middle, reach=14.0):
    """Level set of a ball that is right near its surface alone."""
    level = np.linalg.norm(GRID.points() - middle, axis=-1) - RADIUS
    return np.minimum(level, reach).astype(np.float32)


def motion(degrees, shift_mm):
    way = np.eye(4)
    way[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    way[:3, 3] = shift_mm
    return way


@pytest.fixture(scope="module")
def bones():
    return tuple(polyrigid.Clearance(ball(middle), GRID, MARGIN) for middle in MIDDLES)


@pytest.fixture(scope="module")
def motions():
    return np.stack([motion((0, 0, 0), (0, 0, 0)), motion((7, -4, 5), (1.0, 2.0, -1.5))])


def test_clearance_is_the_distance_less_the_margin_and_zero_within(bones):
    points = GRID.points()[2:-2, 2:-2, 2:-2]
    distance = np.linalg.norm(points - MIDDLES[0], axis=-1) - RADIUS
    error = np.abs(bones[0](points) - np.maximum(distance - MARGIN, 0))
    assert error.max() < 1.6 and error[distance < 5].max() < 0.5
    assert np.all(bones[0](points[distance < MARGIN - 0.7]) == 0)


def test_clearance_goes_on_as_it_is_outside_its_grid(bones):
    edge = np.array([[0.0, 0.0, 52.5]])
    assert bones[0](edge + [0, 0, 400.0]) == pytest.approx(bones[0](edge), abs=1.0)


def test_each_bone_and_its_margin_move_by_their_own_motion_alone(bones, motions):
    chain = polyrigid.Polyrigid(bones, motions)
    points = GRID.points().astype(np.float64)
    for way, middle in zip(motions, MIDDLES, strict=True):
        after = points @ way[:3, :3].T + way[:3, 3]
        inside = np.linalg.norm(after - middle, axis=-1) < RADIUS + MARGIN - 0.7
        assert inside.sum() > 400
        assert chain(points[inside]) == pytest.approx(after[inside], abs=1e-7)


def test_one_motion_for_all_bones_is_that_of_everything(bones):
    way = motion((4, 8, -3), (2, 0, 1))
    points = np.random.default_rng(0).uniform(-80, 80, (2, 50, 3))
    moved = polyrigid.Polyrigid(bones, np.stack([way, way]))(points)
    assert moved == pytest.approx(points @ way[:3, :3].T + way[:3, 3], abs=1e-6)
    assert polyrigid.Polyrigid(bones, np.stack([way, way]))(np.float32(points)).dtype == np.float32


@pytest.mark.parametrize("approach_mm", [-2.5, 2.5])
def test_bones_that_come_closer_or_part_do_not_fold_what_is_between(bones, approach_mm):
    # The balls are 8 mm apart, 4 without their margins.
    ways = np.stack([motion((0, 0, 0), (0, 0, 0)), motion((0, 0, 0), (0, 0, approach_mm))])
    points = Grid.centred((0, 0, -1), (1.5, 1.5, 0.5), (24, 24, 50)).points()
    determinant = jacobian_determinant(polyrigid.Polyrigid(bones, ways), points)
    assert determinant.min() > 0.05


def test_giving_tissue_leaves_bones_in_place_and_is_in_full_far_from_them(bones):
    bend = SplineDeformation(np.random.default_rng(1), (0, 0, 0), 120.0, 30.0, 6.0)
    give = polyrigid.Give(bones, bend, 12.0)
    points = GRID.points()
    nearest = np.min([np.linalg.norm(points - at, axis=-1) for at in MIDDLES], axis=0) - RADIUS
    within, far = nearest < MARGIN - 0.7, nearest > 24.0
    assert give(points[within]) == pytest.approx(points[within], abs=1e-5)
    assert give(points[far]) == pytest.approx(bend(points[far]), abs=1e-5)
    assert np.abs(bend(points[within]) - points[within]).max() > 1
