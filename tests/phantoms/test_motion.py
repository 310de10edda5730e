import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mmzoo.phantoms.fields import SplineDeformation
from mmzoo.phantoms.motion import transforms
from mmzoo.spatial.grid import Grid

TURN = Rotation.from_euler("xyz", [4.0, -3.0, 6.0], degrees=True).as_matrix()


@pytest.fixture
def rigid():
    return transforms.Rigid(TURN, np.array([5.0, -2.0, 1.0]), np.array([2.0, 1.0, -3.0]))


@pytest.fixture
def chain(rigid):
    bend = SplineDeformation(np.random.default_rng(0), (0, 0, 0), 80.0, 20.0, 6.0)
    return transforms.Chain((bend, rigid))


def test_rigid_turns_about_its_centre_and_then_shifts(rigid):
    points = np.random.default_rng(0).normal(0, 20, (2, 3, 3))
    moved = rigid(points)
    for index in np.ndindex(2, 3):
        local = points[index] - rigid.centre_mm
        expected = [sum(TURN[i, j] * local[j] for j in range(3)) for i in range(3)]
        assert moved[index] == pytest.approx(expected + rigid.centre_mm + rigid.shift_mm)
    assert rigid(points.astype(np.float32)).dtype == np.float32


def test_chain_goes_first_step_first(rigid):
    points = np.array([[1.0, 2.0, 3.0]])
    chain = transforms.Chain((rigid, lambda given: 2 * given))
    assert chain(points) == pytest.approx(2 * rigid(points))


def test_inverse_of_a_rigid_motion_is_the_one_turned_back(rigid):
    points = np.random.default_rng(1).normal(0, 30, (4, 5, 3))
    expected = (points - rigid.centre_mm - rigid.shift_mm) @ TURN + rigid.centre_mm
    found = transforms.invert(rigid, points)
    assert found.shape == points.shape and found == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("tolerance_mm", [1e-2, 1e-6])
def test_inverse_is_exact_to_the_tolerance_however_many_chunks(chain, monkeypatch, tolerance_mm):
    monkeypatch.setattr(transforms, "CHUNK", 7)
    points = np.random.default_rng(2).uniform(-40, 40, (50, 3))
    miss = np.linalg.norm(chain(transforms.invert(chain, points, tolerance_mm)) - points, axis=-1)
    assert miss.max() <= tolerance_mm


def test_a_mapping_without_inverse_is_named():
    def crush(points):
        return points * [1.0, 1.0, 0.0] + [0, 0, 1e-3] * np.sin(points)

    with pytest.raises(ValueError, match="cannot be inverted at 3 of 3 points.*must not fold"):
        transforms.invert(crush, np.full((3, 3), 9.0))


def test_true_field_leads_to_where_the_motion_brings_back_from(chain):
    grid = Grid.centred((1, 2, 3), (3.0, 4.0, 5.5), (15, 11, 9))
    ddf = transforms.inverse_field(chain, grid, np.ones(grid.shape, bool))
    known = np.isfinite(ddf).all(-1)
    assert 0.4 < known.mean() < 1
    points = np.moveaxis(np.indices(grid.shape), 0, -1) * np.array(grid.spacing_mm) + grid.origin_mm
    there = points + ddf.astype(float) * grid.spacing_mm
    miss = np.abs(chain(there[known]) - points[known]) / grid.spacing_mm
    assert miss.max() < 1e-3
    assert np.abs(ddf[known]).max() > 1


def test_true_field_is_nan_where_not_asked_for_and_where_it_leaves_the_voxels():
    grid = Grid.centred((0, 0, 0), (2.0, 2.0, 2.0), (6, 5, 4))
    where = np.ones(grid.shape, bool)
    where[0] = False
    # What is at x comes from x + 3 mm along the first axis: a voxel and a half.
    ddf = transforms.inverse_field(lambda points: points - [3.0, 0, 0], grid, where)
    assert np.isnan(ddf[0]).all() and np.isnan(ddf[5]).all()
    assert ddf[1:4].reshape(-1, 3) == pytest.approx(np.tile([1.5, 0, 0], (60, 1)), abs=1e-4)
    assert ddf.dtype == np.float32


def test_inverse_is_found_where_whole_steps_go_to_and_fro():
    # Up to 0 at rest, beyond 1 shifted by 3 mm, steep in between: Newton's steps go past the bend.
    def part(points):
        share = np.clip(points, 0, 1)
        return points + 3 * share**2 * (3 - 2 * share)

    points = np.linspace(-2, 6, 60).reshape(20, 3)
    assert part(transforms.invert(part, points)) == pytest.approx(points, abs=2e-4)
