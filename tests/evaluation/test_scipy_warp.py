import numpy as np
import pytest

from mmzoo.evaluation.scipy_warp import affine_ddf, identity_ddf, warp, warp_label


def loop_warp(moving, ddf):
    """moving(x + ddf(x)) by the eight corners, points outside brought to the border."""
    result = np.empty(ddf.shape[:-1])
    for voxel in np.ndindex(*result.shape):
        point = np.clip(np.array(voxel) + ddf[voxel], 0, np.array(moving.shape) - 1)
        base = np.minimum(np.floor(point).astype(int), np.array(moving.shape) - 2)
        result[voxel] = 0.0
        for corner in np.ndindex(2, 2, 2):
            weight = np.prod(np.where(corner, point - base, 1 - (point - base)))
            result[voxel] += weight * moving[tuple(base + corner)]
    return result


@pytest.mark.parametrize("moving_shape", [(5, 4, 6), (4, 7, 3)])
def test_warp_equals_a_loop_also_outside_and_between_grids(moving_shape):
    random = np.random.default_rng(0)
    moving = random.random(moving_shape).astype(np.float32)
    ddf = random.uniform(-3, 3, (5, 4, 6, 3)).astype(np.float32)
    np.testing.assert_allclose(warp(moving, ddf), loop_warp(moving, ddf), atol=1e-5)


def test_identity_keeps_the_image_exactly():
    moving = np.random.default_rng(0).random((4, 5, 6), dtype=np.float32)
    np.testing.assert_array_equal(warp(moving, identity_ddf((4, 5, 6))), moving)


def test_the_cubic_b_spline_is_exact_on_cubic_polynomials_and_goes_on_outside():
    x = np.indices((40, 5, 6), dtype=np.float64)[0] / 10
    ddf = identity_ddf(x.shape)
    ddf[..., 0] = 0.3
    place = x + 0.03
    warped = warp(x**3 - 4 * x, ddf, "cubic-bspline")
    inside = slice(12, -12)  # the border's condition has died away
    np.testing.assert_allclose(warped[inside], (place**3 - 4 * place)[inside], atol=1e-5)
    assert np.abs(warp(x**3 - 4 * x, ddf) - warped)[inside].max() > 1e-4
    ddf[..., 0] = 100
    last = np.broadcast_to((x**3 - 4 * x)[-1], x.shape)
    np.testing.assert_allclose(warp(x**3 - 4 * x, ddf, "cubic-bspline"), last, atol=1e-4)


def test_label_is_one_from_one_half_on():
    label = np.zeros((4, 3, 3), np.float32)
    label[2:] = 1
    ddf = identity_ddf(label.shape)
    ddf[..., 0] = 0.5  # plane 1 now reads half way between 0 and 1
    assert warp_label(label, ddf)[:, 0, 0].tolist() == [False, True, True, True]
    ddf[..., 0] = 0.4
    assert warp_label(label, ddf)[:, 0, 0].tolist() == [False, False, True, True]


def test_affine_field_takes_each_voxel_where_the_matrix_says():
    matrix = np.array([[1.1, 0.2, 0, 3], [0, 0.9, 0.1, -2], [0.3, 0, 1, 0.5], [0, 0, 0, 1]])
    ddf = affine_ddf(matrix, (3, 4, 5))
    for voxel in np.ndindex(3, 4, 5):
        expected = (matrix @ [*voxel, 1])[:3] - voxel
        np.testing.assert_allclose(ddf[voxel], expected, atol=1e-5)
