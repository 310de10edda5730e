"""A network's field becomes a transform in space."""

from types import SimpleNamespace

import numpy as np
import pytest
import SimpleITK as sitk
from helpers_registration import draw, empty, motion, moved_by, pair, points_of
from scipy.ndimage import map_coordinates

from mmzoo.registration.frame import Pair
from mmzoo.registration.network import box_of, network
from mmzoo.registration.output import write_registration
from mmzoo.registration.register import register

SIZE = (16, 32, 24)


class Bends:
    """Predicts one smooth field, whatever it sees, and remembers that."""

    image_size = SIZE

    def __init__(self, scale=1.0):
        x = np.stack(np.meshgrid(*[np.arange(n) / n for n in SIZE], indexing="ij"), axis=-1)
        self.ddf = scale * np.sin(3 * x + np.array([0, 1, 2])).astype(np.float32)
        self.backward = None
        self.seen = []

    def __call__(self, moving, fixed, *, refine, on_step):
        self.seen.append((moving, fixed, refine))
        on_step(refine, refine)
        return SimpleNamespace(ddf=self.ddf, backward_ddf=self.backward, losses=(0.5,) * refine)


def still(fixed, moving, predicts, **options):
    return register(fixed, moving, method=network(predicts), initial="none", **options)


def test_a_point_goes_where_the_field_of_its_voxel_says_on_an_oblique_grid():
    fixed, moving = draw(empty((44, 50, 24), (2.2, 2.0, 4.0), (10, -6, 14)), 0), pair()[1]
    predicts = Bends()
    found = still(fixed, moving, predicts)
    box = box_of(Pair(found.fixed, found.moving), sitk.Transform(), SIZE)
    grid = box.grid(found.fixed, SIZE)
    direction = np.array(grid.GetDirection()).reshape(3, 3)
    points = points_of(grid)
    expected = points + (predicts.ddf * np.array(grid.GetSpacing())) @ direction.T
    for index in ((0, 0, 0), (7, 20, 11), (15, 31, 23), (3, 30, 1)):
        got = found.transform.TransformPoint(points[index].tolist())
        np.testing.assert_allclose(got, expected[index], atol=0.3)  # of voxels of 3 to 6 mm


def test_the_network_sees_both_images_on_its_grid_after_the_linear_stage():
    fixed, moving, truth = pair()
    predicts = Bends(scale=0.0)
    found = register(fixed, moving, method=network(predicts), initial="rigid")
    seen_moving, seen_fixed, refine = predicts.seen[0]
    assert seen_moving.shape == seen_fixed.shape == SIZE and refine == 0
    carried = draw(empty((44, 50, 24), (2.2, 2.0, 4.0), (10, -6, 14)), 1)  # in the fixed frame
    still_seen = Bends(scale=0.0)
    register(fixed, carried, method=network(still_seen), initial="none")
    inner = (slice(3, -3), slice(6, -6), slice(5, -5))
    alike = np.corrcoef(seen_moving[inner].ravel(), still_seen.seen[0][0][inner].ravel())[0, 1]
    assert alike > 0.9
    assert found.report["folding_percent"] == 0


def test_warping_in_space_is_warping_by_the_ddf():
    fixed, moving = draw(empty(SIZE, (3.0, 2.0, 4.0)), 0), draw(empty(SIZE, (3.0, 2.0, 4.0)), 1)
    predicts = Bends(scale=1.5)
    found = still(fixed, moving, predicts)
    image = sitk.GetArrayFromImage(found.moving).T
    own = sitk.DICOMOrient(found.warped, "RAS")
    ddf = predicts.ddf
    index = np.moveaxis(np.indices(SIZE), 0, -1) + ddf
    expected = map_coordinates(image, np.moveaxis(index, -1, 0), order=1, mode="nearest")
    inside = np.all((index > 0) & (index < np.array(SIZE) - 1), axis=-1)
    np.testing.assert_allclose(sitk.GetArrayFromImage(own).T[inside], expected[inside], atol=0.02)


def test_a_fixed_mask_chooses_the_box():
    fixed, moving, _ = pair()
    image = sitk.DICOMOrient(fixed, "RAS")
    values = np.zeros(image.GetSize()[::-1], np.uint8)
    values[5:11, 10:31, 8:29] = 1
    mask = sitk.GetImageFromArray(values)
    mask.CopyInformation(image)
    box = box_of(Pair(image, moving, mask), sitk.Transform(), SIZE)
    np.testing.assert_allclose(box.lower, (7.5, 9.5, 4.5))
    np.testing.assert_allclose(box.upper, (28.5, 30.5, 10.5))


def test_folding_is_counted_and_said():
    fixed, moving, _ = pair()
    found = still(fixed, moving, Bends(scale=12.0))
    assert found.report["folding_percent"] > 0
    assert any("folds in" in note for note in found.report["notes"])


def test_images_that_do_not_meet_are_named():
    fixed, moving, _ = pair()
    far = sitk.Image(moving)
    far.SetOrigin((4000.0, 0.0, 0.0))
    with pytest.raises(ValueError, match="do not overlap in space"):
        still(fixed, far, Bends())


def test_moved_by_undoes_the_motion_that_the_pair_is_drawn_with():
    points = points_of(empty((3, 3, 3), (5, 5, 5))).reshape(-1, 3)
    there = np.array([motion().TransformPoint(point.tolist()) for point in points])
    np.testing.assert_allclose(moved_by(motion())(there), points, atol=1e-9)


def test_the_field_of_a_two_way_network_from_fixed_to_moving_becomes_the_inverse(tmp_path):
    fixed, moving, _ = pair()
    predicts = Bends()
    predicts.backward = 0.7 * predicts.ddf
    found = register(fixed, moving, method=network(predicts), initial="rigid")
    box = box_of(Pair(found.fixed, found.moving), found.linear, SIZE)
    grid = box.grid(found.fixed, SIZE)
    direction = np.array(grid.GetDirection()).reshape(3, 3)
    points = points_of(grid)
    goals = points + (predicts.backward * np.array(grid.GetSpacing())) @ direction.T
    for index in ((1, 2, 1), (7, 20, 11), (3, 30, 1)):
        in_moving = found.linear.TransformPoint(points[index].tolist())
        got = found.inverse.TransformPoint(in_moving)
        np.testing.assert_allclose(got, goals[index], atol=0.3)  # of voxels of 3 to 6 mm
    write_registration(found, tmp_path / "out")
    written = sitk.ReadTransform(str(tmp_path / "out" / "inverse.h5"))
    np.testing.assert_allclose(written.TransformPoint((1.0, 2.0, 3.0)),
                               found.inverse.TransformPoint((1.0, 2.0, 3.0)))  # fmt: skip


def test_of_a_one_way_network_the_inverse_is_that_of_its_transform():
    fixed, moving, _ = pair()
    found = still(fixed, moving, Bends())
    for point in ((1.0, 2.0, 3.0), (-20.0, 10.0, 5.0)):
        again = found.inverse.TransformPoint(found.transform.TransformPoint(point))
        np.testing.assert_allclose(again, point, atol=0.3)  # of voxels of 3 to 6 mm
