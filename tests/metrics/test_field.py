import numpy as np
import pytest

from mmzoo.metrics import (
    determinant_statistics,
    folding_fraction,
    inverse_consistency_error,
    jacobian_determinant,
    jacobian_statistics,
    mean_change_at_edge,
    target_registration_error,
)

SHAPE = (5, 4, 7)


def grid(shape=SHAPE):
    return np.moveaxis(np.indices(shape, dtype=float), 0, -1)


def affine_field(matrix, shape=SHAPE):
    points = grid(shape)
    return points @ np.asarray(matrix).T - points


def loop_determinant(ddf):
    """det(I + grad u) with central differences inside and one-sided ones at the border."""
    shape, rank = ddf.shape[:-1], ddf.shape[-1]
    result = np.empty(shape)
    for voxel in np.ndindex(*shape):
        jacobian = np.eye(rank)
        for j in range(rank):
            low, high = list(voxel), list(voxel)
            low[j], high[j] = max(voxel[j] - 1, 0), min(voxel[j] + 1, shape[j] - 1)
            for i in range(rank):
                difference = ddf[tuple(high)][i] - ddf[tuple(low)][i]
                jacobian[i, j] += difference / (high[j] - low[j])
        result[voxel] = np.linalg.det(jacobian)
    return result


def test_scaling_multiplies_the_determinant_everywhere():
    ddf = affine_field(np.diag([1.1, 1.2, 0.5]))
    np.testing.assert_allclose(jacobian_determinant(ddf), 1.1 * 1.2 * 0.5)


def test_rotation_keeps_the_volume():
    angle = 0.7
    matrix = [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    np.testing.assert_allclose(jacobian_determinant(affine_field(matrix)), 1.0)


def test_quadratic_field_has_its_analytic_determinant_inside():
    points = grid()
    ddf = np.zeros((*SHAPE, 3))
    ddf[..., 2] = 0.1 * points[..., 2] ** 2 + 0.3 * points[..., 0]
    ddf[..., 0] = 0.2 * points[..., 1]
    # J = [[1, .2, 0], [0, 1, 0], [.3, 0, 1 + .2 x3]]
    expected = 1 + 0.2 * points[..., 2]
    np.testing.assert_allclose(jacobian_determinant(ddf)[..., 1:-1], expected[..., 1:-1])
    # one-sided at the border: (f(1) - f(0)) / 1 = 0.1
    np.testing.assert_allclose(jacobian_determinant(ddf)[..., 0], 1.1)


@pytest.mark.parametrize("shape", [(5, 4, 7), (2, 3, 2), (6, 5)])
def test_determinant_equals_a_loop(shape):
    ddf = np.random.default_rng(0).standard_normal((*shape, len(shape)))
    np.testing.assert_allclose(jacobian_determinant(ddf), loop_determinant(ddf), atol=1e-12)


def test_a_reflection_made_on_purpose_folds_where_it_was_made():
    ddf = np.zeros((9, 4, 4, 3))
    ddf[4:, ..., 0] = -3.0  # from 3 to 4 the grid jumps back: the two planes beside it fold
    determinant = jacobian_determinant(ddf)
    assert (determinant <= 0).all(axis=(1, 2)).tolist() == [False] * 3 + [True] * 2 + [False] * 4
    assert folding_fraction(determinant) == pytest.approx(2 / 9)
    figures = jacobian_statistics(ddf)
    assert figures.folding_percent == pytest.approx(100 * 2 / 9)
    assert figures.mean == pytest.approx((7 * 1.0 + 2 * -0.5) / 9)
    assert figures.std == pytest.approx(np.std([1.0] * 7 + [-0.5] * 2))


def test_a_determinant_of_zero_counts_as_folded():
    assert folding_fraction(np.array([1.0, 0.0, -1.0, 2.0])) == 0.5


def test_inverse_consistency_of_opposite_shifts_is_zero_and_else_their_sum():
    forward = np.broadcast_to([1.0, 0.0, 2.0], (*SHAPE, 3))
    assert inverse_consistency_error(forward, -forward) == pytest.approx(0.0)
    assert inverse_consistency_error(forward, forward) == pytest.approx(np.sqrt(4 + 16))


def test_inverse_consistency_reads_the_backward_field_at_the_moved_point():
    # phi(x) = 1.5 x, its inverse is y / 1.5: not the negated field
    forward = affine_field(np.eye(3) * 1.5, (9, 9, 9))
    inverse = affine_field(np.eye(3) / 1.5, (9, 9, 9))
    assert inverse_consistency_error(forward, inverse) == pytest.approx(0.0, abs=1e-12)
    assert inverse_consistency_error(forward, -forward) > 0.5


def test_inverse_consistency_equals_a_loop_over_the_points_that_stay_inside():
    random = np.random.default_rng(3)
    forward, backward = random.uniform(-1.5, 1.5, (2, 4, 5, 3, 3))
    errors = []
    for voxel in np.ndindex(4, 5, 3):
        point = np.array(voxel) + forward[voxel]
        if (point < 0).any() or (point > [3, 4, 2]).any():
            continue
        base = np.minimum(np.floor(point).astype(int), [2, 3, 1])
        value = np.zeros(3)
        for corner in np.ndindex(2, 2, 2):
            weight = np.prod(np.where(corner, point - base, 1 - (point - base)))
            value += weight * backward[tuple(base + corner)]
        errors.append(np.linalg.norm(forward[voxel] + value))
    assert len(errors) > 5
    assert inverse_consistency_error(forward, backward) == pytest.approx(np.mean(errors))


def test_fields_are_checked():
    with pytest.raises(ValueError, match=r"must have shape \(dim1, dim2, dim3, 3\).*\(4, 4, 4\)"):
        jacobian_determinant(np.zeros((4, 4, 4)))
    with pytest.raises(ValueError, match=r"at least 2 voxels on each axis.*\(4, 1, 4\)"):
        jacobian_determinant(np.zeros((4, 1, 4, 3)))
    broken = np.zeros((*SHAPE, 3))
    broken[1, 2, 3, 0] = np.nan
    with pytest.raises(ValueError, match="must be finite, got NaN or infinity in 1 voxels"):
        jacobian_determinant(broken)
    with pytest.raises(ValueError, match="takes every voxel out of the grid"):
        inverse_consistency_error(np.full((*SHAPE, 3), 99.0), np.zeros((*SHAPE, 3)))


SPACING = (1.5, 2.0, 10.0)


def loop_registration_error(ddf, truth, mask):
    """Mean of the lengths in mm, voxel by voxel, over those in the mask with a known truth."""
    lengths = []
    for voxel in np.ndindex(*mask.shape):
        if not mask[voxel] or any(np.isnan(truth[(*voxel, i)]) for i in range(3)):
            continue
        parts = [(ddf[(*voxel, i)] - truth[(*voxel, i)]) * SPACING[i] for i in range(3)]
        lengths.append(sum(part**2 for part in parts) ** 0.5)
    return sum(lengths) / len(lengths)


def random_fields(seed=0):
    ddf, truth = np.random.default_rng(seed).normal(0, 2, (2, *SHAPE, 3))
    truth[1, :2] = np.nan
    truth[0, 0, 0, 1] = np.nan
    return ddf, truth


def test_registration_error_agrees_with_a_loop_with_and_without_a_mask():
    ddf, truth = random_fields()
    mask = np.random.default_rng(1).random(SHAPE) < 0.4
    everywhere = np.ones(SHAPE, bool)
    expected = loop_registration_error(ddf, truth, everywhere)
    assert target_registration_error(ddf, truth, spacing_mm=SPACING) == pytest.approx(expected)
    expected = loop_registration_error(ddf, truth, mask)
    found = target_registration_error(ddf, truth, spacing_mm=SPACING, mask=mask)
    assert found == pytest.approx(expected)


def test_registration_error_of_the_truth_is_zero_and_of_no_field_the_length_of_the_truth():
    truth = np.broadcast_to([2.0, -1.0, 0.3], (*SHAPE, 3))
    assert target_registration_error(truth, truth, spacing_mm=SPACING) == 0
    length = np.linalg.norm([3.0, -2.0, 3.0])
    found = target_registration_error(0 * truth, truth, spacing_mm=SPACING)
    assert found == pytest.approx(length)


def test_registration_error_is_nan_where_no_voxel_counts():
    ddf, truth = random_fields()
    nowhere = np.zeros(SHAPE, bool)
    assert np.isnan(target_registration_error(ddf, np.nan * truth, spacing_mm=SPACING))
    assert np.isnan(target_registration_error(ddf, truth, spacing_mm=SPACING, mask=nowhere))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"true_ddf": np.zeros((3, 3, 3, 3))}, "`ddf` and `true_ddf` must have the same shape"),
        ({"ddf": np.full((*SHAPE, 3), np.nan)}, "`ddf` must be finite"),
        ({"mask": np.full(SHAPE, 0.5)}, "`mask` must be binary"),
        ({"mask": np.ones((2, 2, 2))}, "`mask` and .* must have the same shape"),
        ({"spacing_mm": (1.0, 2.0)}, "`spacing_mm` must hold 3 positive numbers"),
    ],
)
def test_registration_error_names_what_does_not_fit(change, message):
    ddf, truth = random_fields()
    given = {"ddf": ddf, "true_ddf": truth, "spacing_mm": SPACING} | change
    with pytest.raises(ValueError, match=message):
        target_registration_error(given.pop("ddf"), given.pop("true_ddf"), **given)


# === Inside a label ===


def test_statistics_of_a_mask_are_of_its_voxels_alone():
    determinant = np.random.default_rng(0).normal(1, 0.6, SHAPE)
    mask = np.zeros(SHAPE, bool)
    mask[1:4, :2, 2:5] = True
    found = determinant_statistics(determinant, mask)
    values = [determinant[voxel] for voxel in np.ndindex(*SHAPE) if mask[voxel]]
    assert found.mean == pytest.approx(np.mean(values))
    assert found.std == pytest.approx(np.std(values))
    assert found.folding_percent == pytest.approx(100 * np.mean(np.array(values) <= 0))


def test_an_empty_mask_has_no_statistics():
    found = determinant_statistics(np.ones(SHAPE), np.zeros(SHAPE, bool))
    assert np.isnan([found.mean, found.std, found.folding_percent]).all()


def test_change_at_the_edge_is_of_voxels_with_a_face_outside():
    determinant = np.ones((7, 7, 7))
    mask = np.zeros((7, 7, 7), bool)
    mask[1:6, 1:6, 1:6] = True
    determinant[2:5, 2:5, 2:5] = 3.0  # inside
    determinant[0] = 9.0  # outside
    assert mean_change_at_edge(determinant, mask) == 0
    determinant[1, 3, 3], determinant[5, 3, 3] = 0.5, 1.5
    assert mean_change_at_edge(determinant, mask) == pytest.approx(1.0 / (5**3 - 3**3))


def test_the_border_of_the_image_is_no_edge():
    mask = np.zeros((5, 5, 5), bool)
    mask[:2] = True
    determinant = np.ones((5, 5, 5))
    determinant[0] = 4.0
    assert mean_change_at_edge(determinant, mask) == 0
    for whole in (np.ones((5, 5, 5)), np.zeros((5, 5, 5))):
        assert np.isnan(mean_change_at_edge(determinant, whole))


def test_masks_of_another_shape_or_kind_are_named():
    for function in (determinant_statistics, mean_change_at_edge):
        with pytest.raises(ValueError, match="`mask` must be binary"):
            function(np.ones(SHAPE), np.full(SHAPE, 2))
        with pytest.raises(ValueError, match="`mask` and `determinant` must have the same shape"):
            function(np.ones(SHAPE), np.ones((2, 2, 2)))
