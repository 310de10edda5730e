import math

import numpy as np
import pytest

from mmzoo.metrics import (
    average_surface_distance,
    hausdorff_distance,
    mean_surface_distance,
    surface_distances,
)

SPACING = (1.0, 2.0, 5.0)


def box(shape, corner, size):
    mask = np.zeros(shape, bool)
    mask[tuple(slice(c, c + s) for c, s in zip(corner, size, strict=True))] = True
    return mask


def loop_distances(mask, other, spacing):
    """Directed distances between corners of the voxel grid that touch inside and outside.

    Written from the definition, with the area of every element alike: usable where the
    percentile does not depend on areas.
    """
    surfaces = []
    for volume in (mask, other):
        padded = np.pad(volume, 1)
        surface = []
        for corner in np.ndindex(*(n + 1 for n in volume.shape)):
            cube = padded[tuple(slice(c, c + 2) for c in corner)]
            if cube.any() and not cube.all():
                surface.append(np.multiply(corner, spacing))
        surfaces.append(np.array(surface))
    here, there = surfaces
    return [np.linalg.norm(there - point, axis=1).min() for point in here]


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_thin_plates_apart_along_an_axis_are_that_far_in_mm(axis):
    shape = (9, 8, 7)
    spacing = np.array(SPACING)
    first, second = [], []
    for other in range(3):
        first.append(slice(2, 3) if other == axis else slice(None))
        second.append(slice(5, 6) if other == axis else slice(None))
    a, b = np.zeros(shape, bool), np.zeros(shape, bool)
    a[tuple(first)], b[tuple(second)] = True, True
    found = surface_distances(a, b, spacing_mm=SPACING)
    # Each plate has a near and a far side: 2 and 3 voxels from the other plate.
    assert hausdorff_distance(found, percent=100) == pytest.approx(3 * spacing[axis])
    assert found.fixed_to_warped.min() == pytest.approx(2 * spacing[axis])


def test_hausdorff_100_equals_a_loop_over_corners():
    random = np.random.default_rng(1)
    a = box((7, 6, 5), (1, 1, 1), (4, 3, 2)) & (random.random((7, 6, 5)) > 0.2)
    b = box((7, 6, 5), (2, 2, 0), (4, 4, 3)) & (random.random((7, 6, 5)) > 0.2)
    expected = max(max(loop_distances(a, b, SPACING)), max(loop_distances(b, a, SPACING)))
    found = surface_distances(a, b, spacing_mm=SPACING)
    assert hausdorff_distance(found, percent=100) == pytest.approx(expected)
    assert sorted(loop_distances(a, b, SPACING)) == pytest.approx(sorted(found.fixed_to_warped))
    assert sorted(loop_distances(b, a, SPACING)) == pytest.approx(sorted(found.warped_to_fixed))


def test_average_is_the_area_weighted_mean_of_both_directions_not_the_pooled_one():
    a, b = box((20, 20, 9), (2, 2, 2), (14, 14, 4)), box((20, 20, 9), (6, 6, 3), (3, 3, 2))
    found = surface_distances(a, b, spacing_mm=SPACING)
    forward = sum(found.fixed_to_warped * found.fixed_areas) / sum(found.fixed_areas)
    backward = sum(found.warped_to_fixed * found.warped_areas) / sum(found.warped_areas)
    assert abs(forward - backward) > 1.0  # or pooled and mean could not be told apart
    assert average_surface_distance(found) == pytest.approx((forward + backward) / 2)


def test_the_mean_distance_pools_both_surfaces_so_that_the_larger_one_weighs_more():
    a, b = box((20, 20, 9), (2, 2, 2), (14, 14, 4)), box((20, 20, 9), (6, 6, 3), (3, 3, 2))
    found = surface_distances(a, b, spacing_mm=SPACING)
    summed = sum(found.fixed_to_warped * found.fixed_areas)
    summed += sum(found.warped_to_fixed * found.warped_areas)
    area = sum(found.fixed_areas) + sum(found.warped_areas)
    assert mean_surface_distance(found) == pytest.approx(summed / area)
    assert mean_surface_distance(found) > average_surface_distance(found) + 1.0


def test_areas_count_in_the_average():
    # Two squares of 4 by 4 mm, spacing (1, 4): 4 by 1 voxels. Moved by 1 mm along axis 0,
    # the long sides (8 mm of length in all) stay and the short sides (8 mm) move.
    a, b = box((9, 3), (2, 1), (4, 1)), box((9, 3), (3, 1), (4, 1))
    found = surface_distances(a, b, spacing_mm=(1.0, 4.0))
    assert found.fixed_areas.sum() == pytest.approx(found.warped_areas.sum())
    # the sides along axis 1 are 4 mm long, so far fewer corners carry as much weight
    assert found.fixed_areas.max() > 1.9 * found.fixed_areas.min()
    plain = found.fixed_to_warped.mean()
    assert average_surface_distance(found) != pytest.approx(plain, rel=1e-3)


def test_percentile_is_weighted_by_area_and_never_interpolated():
    a = box((12, 12, 12), (2, 2, 2), (6, 6, 6))
    b = a.copy()
    b[9, 4, 4] = True  # one stray voxel, far below 5 % of the surface
    found = surface_distances(a, b, spacing_mm=(1, 1, 1))
    assert hausdorff_distance(found, percent=95) == 0.0
    assert hausdorff_distance(found, percent=100) == pytest.approx(2.0)
    assert hausdorff_distance(found, percent=99) in found.warped_to_fixed
    for percent in (50, 95, 99):
        reached = [
            next(
                value
                for value, share in zip(values, np.cumsum(areas) / areas.sum() + 1e-12, strict=True)
                if share >= percent / 100
            )
            for values, areas in (
                (found.fixed_to_warped, found.fixed_areas),
                (found.warped_to_fixed, found.warped_areas),
            )
        ]
        assert hausdorff_distance(found, percent=percent) == pytest.approx(max(reached))


def test_distances_grow_with_the_spacing_and_swap_symmetrically():
    a, b = box((9, 9, 9), (1, 2, 3), (5, 4, 3)), box((9, 9, 9), (2, 4, 4), (5, 4, 3))
    one = surface_distances(a, b, spacing_mm=SPACING)
    two = surface_distances(b, a, spacing_mm=[2 * step for step in SPACING])
    assert average_surface_distance(two) == pytest.approx(2 * average_surface_distance(one))
    assert hausdorff_distance(two) == pytest.approx(2 * hausdorff_distance(one))
    assert average_surface_distance(one) > 0.5


def test_equal_masks_are_at_distance_zero():
    a = box((6, 7, 8), (0, 0, 0), (3, 7, 4))
    found = surface_distances(a, a, spacing_mm=SPACING)
    assert found.fixed_areas.sum() > 0
    assert average_surface_distance(found) == hausdorff_distance(found, percent=99) == 0.0


def test_one_empty_mask_is_infinitely_far_and_two_are_nan():
    a, empty = box((5, 5, 5), (1, 1, 1), (2, 2, 2)), np.zeros((5, 5, 5), bool)
    for pair in ((a, empty), (empty, a)):
        found = surface_distances(*pair, spacing_mm=SPACING)
        assert average_surface_distance(found) == hausdorff_distance(found) == math.inf
        assert mean_surface_distance(found) == math.inf
    nothing = surface_distances(empty, empty, spacing_mm=SPACING)
    assert math.isnan(average_surface_distance(nothing))
    assert math.isnan(mean_surface_distance(nothing))
    assert math.isnan(hausdorff_distance(nothing))


@pytest.mark.parametrize("spacing", [(1, 2), (1, 2, 0), (1, 2, -3), (1, 2, math.nan)])
def test_spacing_must_fit_the_axes(spacing):
    a = box((5, 5, 5), (1, 1, 1), (2, 2, 2))
    with pytest.raises(ValueError, match="must hold 3 positive numbers in the order of the array"):
        surface_distances(a, a, spacing_mm=spacing)


def test_rank_and_percent_are_checked():
    with pytest.raises(ValueError, match=r"rank 2 or 3, got shape \(4,\)"):
        surface_distances(np.ones(4), np.ones(4), spacing_mm=(1,))
    found = surface_distances(np.eye(4), np.eye(4), spacing_mm=(1, 1))
    with pytest.raises(ValueError, match=r"`percent` must be in \(0, 100\], got 101"):
        hausdorff_distance(found, percent=101)
