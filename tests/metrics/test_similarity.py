import math

import numpy as np
import pytest

from mmzoo.metrics import (
    gradient_field_similarity,
    mutual_information,
    normalised_mutual_information,
    root_mean_square_error,
)

SPACING = (1.0, 2.0, 0.5)


@pytest.fixture
def images():
    random = np.random.default_rng(0)
    fixed = random.random((9, 8, 7))
    return fixed, fixed**2 + 0.3 * random.random((9, 8, 7))


def loop_mutual_information(a, b, bins):
    """Return I, H(A) and H(B) by counting pairs of bins one at a time."""

    def bin_of(value, image):
        share = (value - image.min()) / (image.max() - image.min())
        return min(int(share * bins), bins - 1)

    joint = np.zeros((bins, bins))
    for x, y in zip(a.flat, b.flat, strict=True):
        joint[bin_of(x, a), bin_of(y, b)] += 1 / a.size
    total = 0.0
    for i in range(bins):
        for j in range(bins):
            if joint[i, j] > 0:
                total += joint[i, j] * math.log(joint[i, j] / joint[i].sum() / joint[:, j].sum())

    def entropy(marginal):
        return -sum(p * math.log(p) for p in marginal if p > 0)

    return total, entropy(joint.sum(1)), entropy(joint.sum(0))


def test_mutual_information_equals_a_loop(images):
    expected, entropy_a, entropy_b = loop_mutual_information(*images, bins=8)
    assert expected > 0.3
    assert mutual_information(*images, num_bins=8) == pytest.approx(expected)
    nmi = normalised_mutual_information(*images, num_bins=8)
    assert nmi == pytest.approx(2 * expected / (entropy_a + entropy_b))


def test_nmi_is_one_for_a_bijection_of_grey_values_and_near_zero_for_shuffled_ones(images):
    levels = np.floor(images[0] * 16)
    assert normalised_mutual_information(levels, -3 * levels + 1) == pytest.approx(1.0)
    many = np.random.default_rng(1).integers(0, 4, (2, 20_000))
    assert 0 <= normalised_mutual_information(*many) < 1e-3


def test_mutual_information_falls_when_one_image_is_moved(images):
    assert mutual_information(*images) > mutual_information(images[0], np.roll(images[1], 1, 0))


def test_nmi_of_two_constant_images_is_nan():
    assert math.isnan(normalised_mutual_information(np.ones((3, 3)), np.ones((3, 3))))


def loop_gradient_similarity(a, b, spacing):
    def gradient(image, voxel):
        result = []
        for axis, step in enumerate(spacing):
            low, high = list(voxel), list(voxel)
            low[axis], high[axis] = (
                max(voxel[axis] - 1, 0),
                min(voxel[axis] + 1, image.shape[axis] - 1),
            )
            distance = (high[axis] - low[axis]) * step
            result.append((image[tuple(high)] - image[tuple(low)]) / distance)
        return np.array(result)

    voxels = list(np.ndindex(*a.shape))
    eps_a = np.mean([np.linalg.norm(gradient(a, v)) for v in voxels])
    eps_b = np.mean([np.linalg.norm(gradient(b, v)) for v in voxels])
    terms = []
    for v in voxels:
        p, q = gradient(a, v), gradient(b, v)
        terms.append((p @ q) ** 2 / ((p @ p + eps_a**2) * (q @ q + eps_b**2)))
    return np.mean(terms)


def test_gradient_similarity_equals_a_loop_with_anisotropic_spacing(images):
    expected = loop_gradient_similarity(*images, SPACING)
    found = gradient_field_similarity(*images, spacing_mm=SPACING)
    assert found == pytest.approx(expected)
    assert found != pytest.approx(gradient_field_similarity(*images, spacing_mm=SPACING[::-1]))


def test_gradient_similarity_ignores_reversed_contrast_and_scale(images):
    one = gradient_field_similarity(*images, spacing_mm=SPACING)
    other = gradient_field_similarity(images[0], 5 - 7 * images[1], spacing_mm=SPACING)
    assert one == pytest.approx(other)
    assert one > gradient_field_similarity(images[0], np.roll(images[1], 1, 0), spacing_mm=SPACING)


def test_gradient_similarity_of_a_constant_image_is_nan(images):
    constant = np.ones_like(images[0])
    assert math.isnan(gradient_field_similarity(images[0], constant, spacing_mm=SPACING))


def test_images_are_checked(images):
    with pytest.raises(ValueError, match=r"same shape, got \(9, 8, 7\) and \(9, 8, 6\)"):
        mutual_information(images[0], images[1][..., 1:])
    with pytest.raises(ValueError, match="`warped` must be finite"):
        gradient_field_similarity(images[0], images[1] * np.nan, spacing_mm=SPACING)
    with pytest.raises(ValueError, match="`num_bins` must be 2 or more, got 1"):
        mutual_information(*images, num_bins=1)


# === Root mean square error ===


def test_root_mean_square_error_is_that_of_a_plain_loop():
    draws = np.random.default_rng(0)
    image, truth = draws.random((2, 5, 4, 3))
    mask = draws.random((5, 4, 3)) < 0.5
    squares = [(image[i] - truth[i]) ** 2 for i in np.ndindex(5, 4, 3) if mask[i]]
    expected = (sum(squares) / len(squares)) ** 0.5
    assert root_mean_square_error(image, truth, mask) == pytest.approx(expected)
    assert root_mean_square_error(image, image + 0.25) == pytest.approx(0.25)


def test_root_mean_square_error_of_no_voxel_is_nan_and_bad_input_is_refused():
    image = np.zeros((3, 3))
    assert math.isnan(root_mean_square_error(image, image, np.zeros((3, 3))))
    with pytest.raises(ValueError, match="must be binary"):
        root_mean_square_error(image, image, np.full((3, 3), 2))
    with pytest.raises(ValueError, match="same shape"):
        root_mean_square_error(image, np.zeros((3, 2)))
    with pytest.raises(ValueError, match="`truth` must be finite"):
        root_mean_square_error(image, np.full((3, 3), np.nan))
