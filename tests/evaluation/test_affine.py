import numpy as np
import pytest
import SimpleITK as sitk
from scipy.ndimage import gaussian_filter

from mmzoo.evaluation.affine import register_affine
from mmzoo.evaluation.scipy_warp import affine_ddf, warp
from mmzoo.metrics import normalised_mutual_information

SHAPE = (40, 34, 28)
MATRIX = np.array(
    [[1.08, 0.06, 0, 1.0], [-0.05, 0.95, 0.04, 2.0], [0, 0.03, 1.04, -2.0], [0, 0, 0, 1]]
)


@pytest.fixture(scope="module")
def pair():
    """Return moving, and fixed = moving(MATRIX x) with another, reversed contrast.

    Texture everywhere, as the mutual information of a few blobs is largest where the blobs are
    zoomed in, not at the truth.
    """
    random = np.random.default_rng(0)
    moving = gaussian_filter(random.standard_normal(SHAPE), 3, mode="nearest").astype(np.float32)
    moving /= moving.std()
    fixed = warp(moving, affine_ddf(MATRIX, SHAPE))
    return moving, np.exp(-fixed) + 0.01 * random.standard_normal(SHAPE)


def test_a_known_affine_transform_is_found_across_contrasts(pair):
    found = register_affine(*pair)
    corners = np.array([[x, y, z, 1] for x in (8, 32) for y in (8, 26) for z in (7, 21)])
    apart = np.linalg.norm((corners @ found.T - corners @ MATRIX.T)[:, :3], axis=1)
    start = np.linalg.norm((corners - corners @ MATRIX.T)[:, :3], axis=1)
    assert start.mean() > 2.0
    assert apart.max() < 0.5


def test_the_same_pair_gives_the_same_matrix_and_leaves_itk_threads_alone(pair):
    threads = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    first = register_affine(*pair)
    np.testing.assert_array_equal(first, register_affine(*pair))
    assert sitk.ProcessObject.GetGlobalDefaultNumberOfThreads() == threads


def test_grids_of_different_shape_are_registered_by_voxel_index(pair):
    moving, fixed = pair
    found = register_affine(moving, fixed[2:, :-3])
    shifted = MATRIX.copy()
    shifted[:3, 3] = MATRIX[:3, 3] + 2 * MATRIX[:3, 0]
    centre = np.array([18, 15, 14, 1])
    assert np.linalg.norm((found - shifted) @ centre) < 0.7
    warped = warp(moving, affine_ddf(found, fixed[2:, :-3].shape))
    assert normalised_mutual_information(fixed[2:, :-3], warped) > 0.2


def test_a_constant_image_is_named(pair):
    with pytest.raises(ValueError, match="`fixed` must have contrast"):
        register_affine(pair[0], np.ones(SHAPE))
