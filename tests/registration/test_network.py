"""A network's field becomes a transform in space."""

from types import SimpleNamespace

import numpy as np
import pytest
import SimpleITK as sitk
from helpers_registration import draw, empty, error_mm, motion, moved_by, pair, points_of
from scipy.ndimage import map_coordinates

from mmzoo.registration.direct import Deformation, direct, refined
from mmzoo.registration.frame import ImagePair
from mmzoo.registration.network import box_at_spacing, box_of, network
from mmzoo.registration.output import write_registration
from mmzoo.registration.settings import Settings
from mmzoo.registration.stages import register_pair

SIZE = (16, 32, 24)


class Bends:
    """Predicts one smooth field, whatever it sees, and remembers that."""

    image_size = SIZE
    spacing_mm = None

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
    return register_pair(fixed, moving, method=network(predicts), initial="none", **options)


def test_a_point_goes_where_the_field_of_its_voxel_says_on_an_oblique_grid():
    fixed, moving = draw(empty((44, 50, 24), (2.2, 2.0, 4.0), (10, -6, 14)), 0), pair()[1]
    predicts = Bends()
    found = still(fixed, moving, predicts)
    box = box_of(ImagePair(found.fixed, found.moving), sitk.Transform(), SIZE)
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
    found = register_pair(fixed, moving, method=network(predicts), initial="rigid")
    seen_moving, seen_fixed, refine = predicts.seen[0]
    assert seen_moving.shape == seen_fixed.shape == SIZE and refine == 0
    carried = draw(empty((44, 50, 24), (2.2, 2.0, 4.0), (10, -6, 14)), 1)  # in the fixed frame
    still_seen = Bends(scale=0.0)
    register_pair(fixed, carried, method=network(still_seen), initial="none")
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
    box = box_of(ImagePair(image, moving, mask), sitk.Transform(), SIZE)
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
    found = register_pair(fixed, moving, method=network(predicts), initial="rigid")
    box = box_of(ImagePair(found.fixed, found.moving), found.linear, SIZE)
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


def test_a_field_after_which_the_images_share_less_is_doubtful():
    fixed = pair()[0]
    worse, same = (still(fixed, fixed, Bends(scale)).report["notes"] for scale in (1.0, 0.0))
    assert [note for note in worse if note.startswith("doubtful: with the network's field")]
    assert not [note for note in same if note.startswith("doubtful")]


# === One voxel size ===


class OfOneSize(Bends):
    """A network that was trained on voxels of 3 x 2 x 4 mm."""

    spacing_mm = (3.0, 2.0, 4.0)


def ball(size, spacing, middle, radius=30.0):
    """An image of a bright ball in noise, axes as they are stored, middle in mm from its own."""
    image = empty(size, spacing)
    near = np.linalg.norm(points_of(image) - middle, axis=-1) < radius
    values = near + np.random.default_rng(0).normal(0, 0.02, near.shape)
    drawn = sitk.GetImageFromArray(np.ascontiguousarray(values.T, np.float32))
    drawn.CopyInformation(image)
    return drawn


def middle_of(box, image):
    return np.array(image.TransformContinuousIndexToPhysicalPoint((box.lower + box.upper) / 2))


def test_a_network_of_one_voxel_size_sees_voxels_of_that_size_round_the_body():
    middle = np.array([12.0, -9.0, 7.0])
    fixed = sitk.DICOMOrient(ball((60, 66, 50), (2.5, 2.0, 3.0), middle), "RAS")
    shape, spacing = (40, 50, 30), (3.0, 2.5, 4.0)
    box = box_at_spacing(ImagePair(fixed, fixed), sitk.Transform(), shape, spacing)
    assert box.shape == shape
    np.testing.assert_allclose(box.edges_mm, np.multiply(shape, spacing))
    np.testing.assert_allclose((box.upper - box.lower) * fixed.GetSpacing(), box.edges_mm)
    np.testing.assert_allclose(middle_of(box, fixed), middle, atol=4)


def test_of_a_body_that_is_longer_than_the_box_the_upper_end_is_seen():
    column = [ball((40, 40, 90), (3.0, 3.0, 3.0), (0, 0, z)) for z in range(-80, 81, 20)]
    values = np.max([sitk.GetArrayFromImage(each) for each in column], axis=0)
    tall = sitk.GetImageFromArray(values)
    tall.CopyInformation(column[0])
    fixed = sitk.DICOMOrient(tall, "RAS")
    box = box_at_spacing(ImagePair(fixed, fixed), sitk.Transform(), (40, 40, 40), (3.0, 3.0, 3.0))
    upper = np.array(fixed.TransformContinuousIndexToPhysicalPoint(box.upper.tolist()))
    assert 110 < upper[2] < 128  # of a body that ends at 110 mm


def test_its_field_counts_in_its_voxels():
    fixed, moving = (draw(empty((40, 60, 40), (2.0, 2.0, 2.0)), contrast) for contrast in (0, 1))
    predicts = OfOneSize()
    found = still(fixed, moving, predicts)
    pair_ = ImagePair(found.fixed, found.moving)
    box = box_at_spacing(pair_, sitk.Transform(), SIZE, predicts.spacing_mm)
    points = points_of(box.grid(found.fixed, SIZE))
    direction = np.array(found.fixed.GetDirection()).reshape(3, 3)
    expected = points + (predicts.ddf * predicts.spacing_mm) @ direction.T
    for index in ((4, 9, 6), (7, 20, 11), (11, 24, 15)):
        got = found.transform.TransformPoint(points[index].tolist())
        np.testing.assert_allclose(got, expected[index], atol=0.3)
    assert found.report["resolution_mm"] == list(predicts.spacing_mm)


@pytest.mark.parametrize("which", [0, 1])
def test_it_sees_of_both_images_what_both_show(which):
    images = [draw(empty((40, 60, 40), (2.0, 2.0, 2.0)), contrast) for contrast in (0, 1)]
    images[which] = images[which][:, :, 12:30]
    predicts = OfOneSize()
    found = still(*images, predicts)
    both = ImagePair(found.fixed, found.moving)
    grid = box_at_spacing(both, sitk.Transform(), SIZE, predicts.spacing_mm).grid(found.fixed, SIZE)
    short = (found.fixed, found.moving)[which]
    index = np.stack(
        [short.TransformPhysicalPointToContinuousIndex(p) for p in points_of(grid).reshape(-1, 3)]
    )
    shown = np.all((index >= -0.5) & (index < np.array(short.GetSize()) - 0.5), axis=1)
    assert 0.3 < shown.mean() < 0.8
    for volume in predicts.seen[0][:2]:
        values = volume.reshape(-1)
        assert np.all(values[~shown] == values.min())
        assert np.ptp(values[shown]) > 0.3 * np.ptp(values)


# === A loss goes on from the field ===


def test_a_loss_goes_on_from_the_field_and_mends_it():
    fixed, moving = (draw(empty((44, 48, 40), (2.0, 2.0, 2.2)), contrast) for contrast in (0, 1))
    predicts = OfOneSize()  # both images lie on each other: all of its field is wrong
    settings = Settings(steps=(20, 10), control_mm=12.0, resolution_mm=3.0)
    alone = still(fixed, moving, predicts)
    found = register_pair(
        fixed, moving, method=refined(network(predicts), settings), initial="none"
    )
    rest = sitk.Transform(3, sitk.sitkIdentity)
    before, after = (error_mm(each.transform, rest) for each in (alone, found))
    assert before > 1 and after < 0.6 * before
    assert found.report["network"]["voxels"] == list(SIZE)
    # Before is without any field, which is right here.
    assert found.report["loss_after"] <= found.report["loss_before"]


def test_without_a_step_a_field_that_is_right_is_kept_and_one_that_is_wrong_is_not():
    def bend(points):
        return points + 5 * np.sin(points[..., [1, 2, 0]] / 14)

    grid = empty((48, 48, 48), (2.0, 2.0, 2.0))
    fixed, moving = draw(grid, 0, bend), draw(grid, 1, seed=1)
    points = points_of(grid)

    def found_from(sign):
        shifts = np.ascontiguousarray(sign * (bend(points) - points).transpose(2, 1, 0, 3))
        displacement = sitk.GetImageFromArray(shifts, isVector=True)
        displacement.CopyInformation(grid)
        settings = Settings(steps=(0, 0), control_mm=8.0, resolution_mm=3.0, weight=10.0)
        first = refined(lambda _: lambda *_: Deformation(displacement), settings)
        return register_pair(fixed, moving, method=first, initial="none")

    right, wrong = found_from(1), found_from(-1)
    assert right.report["loss_after"] < right.report["loss_before"]
    for point in np.random.default_rng(1).uniform(-25, 25, (20, 3)):
        np.testing.assert_allclose(right.transform.TransformPoint(point), bend(point), atol=0.5)
        assert wrong.transform.TransformPoint(point) == pytest.approx(point, abs=1e-6)


def test_a_field_that_begins_worse_than_none_and_ends_better_is_found():
    def bend(points):  # farther than the loss alone finds
        near = np.exp(-(points**2).sum(axis=-1, keepdims=True) / (2 * 25**2))
        return points + near * np.array([18.0, 0, 0])

    grid = empty((48, 48, 48), (2.0, 2.0, 2.0))
    fixed, moving = draw(grid, 0, bend), draw(grid, 1, seed=1)
    points = points_of(grid)
    shifts = bend(points) - points + 8 * np.sin(points[..., [1, 2, 0]] / 2.5)
    rough = sitk.GetImageFromArray(np.ascontiguousarray(shifts.transpose(2, 1, 0, 3)), True)
    rough.CopyInformation(grid)
    settings = Settings(steps=(20, 10), control_mm=8.0, resolution_mm=3.0)
    errors, losses = [], []
    first = refined(lambda _: lambda *_: Deformation(rough), settings)
    for method in (direct(settings), first):
        found = register_pair(fixed, moving, method=method, initial="none")
        inside = np.random.default_rng(1).uniform(-25, 25, (60, 3))
        ends = [found.transform.TransformPoint(point) for point in inside.tolist()]
        errors.append(np.linalg.norm(ends - bend(inside), axis=1).mean())
        losses.append(found.report["loss_after"])
    assert errors[1] < 0.85 * errors[0]
    assert losses[1] < losses[0]
