"""Mutual information of a linear map: against a plain float64 loop and finite differences."""

import itertools

import numpy as np
import pytest
import SimpleITK as sitk
from helpers_registration import draw, empty, pair

from mmzoo.registration import information
from mmzoo.registration.climb import climbed
from mmzoo.registration.frame import ImagePair
from mmzoo.registration.information import BINS, Linear, MutualInformation

NEAR = Linear(np.array([[1.02, 0.05, -0.03], [-0.04, 0.97, 0.06], [0.02, -0.05, 1.01]]),
              np.array([2.0, -1.5, 1.0]))  # fmt: skip


def images(seed=1, fixed_mask=None, moving_mask=None):
    fixed, moving, _ = pair()
    masks = []
    for image, wanted in ((fixed, fixed_mask), (moving, moving_mask)):
        masks.append(None if wanted is None else sitk.Cast(image > wanted, sitk.sitkUInt8))
    return ImagePair(fixed, moving, *masks), seed


def interpolated(image, point):
    """Linear interpolation, the border going on for half a voxel; None outside."""
    values = sitk.GetArrayViewFromImage(image).T
    index = np.array(image.TransformPhysicalPointToContinuousIndex(point.tolist()))
    if (index < -0.5).any() or (index > np.array(values.shape) - 0.5).any():
        return None
    index = np.clip(index, 0, np.array(values.shape) - 1)
    low = np.minimum(np.floor(index).astype(int), np.array(values.shape) - 2)
    total = 0.0
    for corner in itertools.product((0, 1), repeat=3):
        weight = np.prod([t if k else 1 - t for k, t in zip(corner, index - low, strict=True)])
        total += weight * float(values[tuple(low + corner)])
    return total


def spline(x):
    """The cubic B-spline."""
    x = abs(x)
    return (4 - 6 * x**2 + 3 * x**3) / 6 if x < 1 else max(0.0, 2 - x) ** 3 / 6


def plain_information(both, points, linear):
    """The equation, a point after the other."""
    ranges = [
        (float(a.min()), float(a.max()))
        for a in (sitk.GetArrayFromImage(both.fixed), sitk.GetArrayFromImage(both.moving))
    ]
    joint, seen = np.zeros((BINS, BINS)), 0
    for point in points:
        there = linear.at(point)
        moving = interpolated(both.moving, there)
        if moving is None:
            continue
        if both.moving_mask is not None:
            nearest = both.moving_mask.TransformPhysicalPointToIndex(there.tolist())
            if not both.moving_mask[nearest]:
                continue
        seen += 1
        (low, high), (least, most) = ranges
        row = int((BINS - 1e-3) * (interpolated(both.fixed, point) - low) / (high - low))
        level = 1.5 + (BINS - 4) * (moving - least) / (most - least)
        for column in range(BINS):
            joint[row, column] += spline(level - column)
    joint /= joint.sum()
    outer = joint.sum(1, keepdims=True) * joint.sum(0)
    some = joint > 0
    return (joint[some] * np.log(joint[some] / outer[some])).sum(), seen / len(points)


@pytest.mark.parametrize("masks", [(None, None), (0.4, 0.3)])
def test_it_is_what_a_plain_loop_makes_of_the_same_points(masks):
    both, seed = images(3, *masks)
    found = MutualInformation(both, 700, seed)
    points = found._centred.T.astype(float) + found.centre
    information, share = found.value(NEAR)
    wanted, seen = plain_information(both, points, NEAR)
    assert information == pytest.approx(wanted, abs=2e-3)
    assert share == pytest.approx(seen, abs=2e-3) and 0.2 < share < 1
    assert found.overlap_weighted(NEAR) == information * share


def test_points_fill_the_fixed_image_or_its_mask_evenly():
    both, _ = images()
    found = MutualInformation(both, 4000)
    half = (np.array(both.fixed.GetSize()) - 1) / 2
    middle = both.fixed.TransformContinuousIndexToPhysicalPoint(half.tolist())
    np.testing.assert_allclose(found.centre, middle, atol=0.3)
    masked = MutualInformation(images(1, 0.4)[0], 4000)
    mask = images(1, 0.4)[0].fixed_mask
    points = masked._centred.T.astype(float) + masked.centre
    assert 3000 < len(points) <= 4200
    assert all(mask[mask.TransformPhysicalPointToIndex(p)] for p in points[::7].tolist())


def test_the_slope_is_the_one_of_finite_differences():
    found = MutualInformation(
        images(1, 0.4)[0], 6000
    )  # of the body alone, that nothing leaves the image
    _, by_matrix, by_shift = found.slope(NEAR)
    assert found.slope(NEAR)[0] == pytest.approx(found.value(NEAR)[0])
    step = 0.02

    def along(matrix, shift):
        ends = []
        for sign in (-1, 1):
            there = NEAR.at(found.centre) + sign * shift
            moved = Linear.about(found.centre, there, NEAR.matrix + sign * matrix)
            ends.append(found.value(moved)[0])
        return (ends[1] - ends[0]) / 2

    for axis in range(3):
        wanted = along(np.zeros((3, 3)), step * np.eye(3)[axis]) / step
        assert by_shift[axis] == pytest.approx(wanted, abs=0.04 * np.abs(by_shift).max())
        for other in range(3):
            turn = np.zeros((3, 3))
            turn[axis, other] = step / 40
            wanted = along(turn, np.zeros(3)) / (step / 40)
            allowed = 0.04 * np.abs(by_matrix).max()
            assert by_matrix[axis, other] == pytest.approx(wanted, abs=allowed)


@pytest.mark.parametrize("kind", ["rigid", "affine"])
def test_a_climb_rises_to_the_truth_and_a_rigid_one_only_turns(kind):
    fixed, moving, truth = pair()
    found = MutualInformation(ImagePair(fixed, moving), 8000)
    best = climbed(found, Linear.still(), "rigid", 3.0)
    if kind == "affine":
        best = climbed(found, best, kind, 3.0)
    assert found.value(best)[0] > found.value(Linear.still())[0] + 0.1
    points = np.array([[30, 0, 0], [0, -30, 0], [0, 0, 30], [20, 20, -20.0]])
    wanted = [truth.TransformPoint(point) for point in points.tolist()]
    assert np.abs(best.at(points) - wanted).max() < 1.0
    stretch = np.abs(best.matrix.T @ best.matrix - np.eye(3)).max()
    assert (stretch < 1e-9) == (kind == "rigid")


def test_a_single_slice_and_images_that_do_not_meet_are_no_trouble():
    fixed, moving = draw(empty((20, 20, 20), (3, 3, 3)), 0), draw(empty((20, 20, 1), (3, 3, 6)), 1)
    found = MutualInformation(ImagePair(fixed, moving), 4000)
    information, by_matrix, by_shift = found.slope(Linear.still())
    assert information > 0 and np.isfinite(by_matrix).all() and by_shift[2] == 0
    away = Linear(np.eye(3), np.array([500.0, 0, 0]))
    assert found.slope(away)[0] == 0 and climbed(found, away, "affine", 3.0) is away


def test_the_window_is_the_cubic_b_spline_and_its_slope():
    t = np.linspace(0, 0.99, 7, dtype=np.float32)
    weights, slopes = information._window(t), information._window_slope(t)
    np.testing.assert_allclose(
        weights, [[spline(x - k) for x in t] for k in (-1, 0, 1, 2)], atol=1e-6
    )
    differences = (information._window(t + 1e-3) - information._window(t - 1e-3)) / 2e-3
    np.testing.assert_allclose(slopes, differences, atol=1e-3)
