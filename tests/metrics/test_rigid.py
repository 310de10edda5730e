import math
import warnings

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mmzoo.metrics import fit_rigid, rigid_motion_error

SHAPE = (9, 8, 10)
FIXED = np.array([[0, -2.0, 0, 5], [1.5, 0, 0, -3], [0, 0, 3.0, 7], [0, 0, 0, 1]])
MOVING = np.array([[1.0, 0, 0, -2], [0, 0, 2.5, 4], [0, 2.0, 0, 1], [0, 0, 0, 1]])


def motion_of(degrees, shift):
    motion = np.eye(4)
    motion[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    motion[:3, 3] = shift
    return motion


def field_of(motion):
    """The ddf of a motion of mm, from the fixed to the moving grid."""
    voxels = np.moveaxis(np.indices(SHAPE, float), 0, -1)
    homogeneous = np.concatenate([voxels, np.ones((*SHAPE, 1))], axis=-1)
    there = homogeneous @ (np.linalg.inv(MOVING) @ motion @ FIXED).T
    return there[..., :3] - voxels


def box():
    mask = np.zeros(SHAPE, bool)
    mask[2:7, 3:6, 1:8] = True
    return mask


def error(ddf, mask, true):
    return rigid_motion_error(ddf, mask, true, fixed_affine=FIXED, moving_affine=MOVING)


def test_a_rigid_motion_of_points_is_found_exactly():
    points = np.random.default_rng(0).normal(size=(50, 3)) * 20
    motion = motion_of([30, -50, 100], [1, 2, 3])
    moved = points @ motion[:3, :3].T + motion[:3, 3]
    np.testing.assert_allclose(fit_rigid(points, moved), motion, atol=1e-10)


def test_the_fit_is_a_rotation_even_where_a_reflection_fits_better():
    points = np.random.default_rng(0).normal(size=(50, 3))
    turn = fit_rigid(points, points * [1, 1, -1])[:3, :3]
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(turn) == pytest.approx(1)


def test_no_rotation_near_the_fit_is_better():
    rng = np.random.default_rng(1)
    points = rng.normal(size=(40, 3))
    moved = points @ motion_of([10, 20, 30], [0, 0, 0])[:3, :3].T + 0.3 * rng.normal(size=(40, 3))
    motion = fit_rigid(points, moved)

    def misfit(turn):
        residual = (points - points.mean(0)) @ turn.T - (moved - moved.mean(0))
        return (residual**2).sum()

    for axis in np.vstack([np.eye(3), -np.eye(3)]):
        other = Rotation.from_rotvec(0.01 * axis).as_matrix() @ motion[:3, :3]
        assert misfit(other) > misfit(motion[:3, :3])


def test_the_true_motion_has_no_error_on_oblique_anisotropic_grids():
    motion = motion_of([4, -7, 2], [1, -2, 3])
    found = error(field_of(motion), box(), motion)
    assert found.shift_mm == pytest.approx(0, abs=1e-9)
    assert found.turn_degrees == pytest.approx(0, abs=1e-5)


def test_the_error_is_the_shift_of_the_centre_and_the_angle_between():
    motion = motion_of([4, -7, 2], [1, -2, 3])
    centre = (FIXED @ np.append(np.argwhere(box()).mean(0), 1.0))[:3]
    # 5 degrees more about the structure's own centre, which that leaves in place, then 3 mm
    turn = motion_of([0, 0, 5], [0, 0, 0])
    turn[:3, 3] = centre - turn[:3, :3] @ centre
    found = error(field_of(motion_of([0, 0, 0], [0, 0, 3]) @ motion @ turn), box(), motion)
    assert found.shift_mm == pytest.approx(3)
    assert found.turn_degrees == pytest.approx(5)


def test_what_lies_outside_the_structure_does_not_count():
    motion = motion_of([4, -7, 2], [1, -2, 3])
    ddf = field_of(motion)
    ddf[~box()] += 5
    assert error(ddf, box(), motion).shift_mm == pytest.approx(0, abs=1e-9)


def test_a_structure_of_fewer_than_three_voxels_has_no_motion():
    mask = np.zeros(SHAPE, bool)
    mask[4, 4, 4:6] = True
    for empty in (mask, np.zeros(SHAPE, bool)):
        found = error(field_of(np.eye(4)), empty, np.eye(4))
        assert math.isnan(found.shift_mm) and math.isnan(found.turn_degrees)


def test_wrong_points_and_masks_are_named():
    with pytest.raises(ValueError, match="`points` must be 3 or more, got 2"):
        fit_rigid(np.zeros((2, 3)), np.zeros((2, 3)))
    with pytest.raises(ValueError, match="`points` and `moved` must have the same shape"):
        fit_rigid(np.zeros((4, 3)), np.zeros((5, 3)))
    with pytest.raises(ValueError, match="`mask` must be binary"):
        error(field_of(np.eye(4)), np.full(SHAPE, 0.5), np.eye(4))
    with pytest.raises(ValueError, match="`mask` and `one component of ddf`"):
        error(field_of(np.eye(4)), np.zeros((3, 3, 3)), np.eye(4))


def test_points_on_a_line_are_fitted_without_a_warning():
    points = np.outer(np.arange(4.0), [1, 2, 3])
    moved = points[:, [1, 0, 2]] + [1, 2, 3]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        motion = fit_rigid(points, moved)
    np.testing.assert_allclose(points @ motion[:3, :3].T + motion[:3, 3], moved, atol=1e-12)
