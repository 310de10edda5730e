"""The box that is compared: of like bodies one shape, so that it is compiled once."""

import numpy as np
import pytest
import SimpleITK as sitk

from mmzoo.registration.frame import Box, common_box


def box(lower, upper, own, shape):
    lower, upper = np.array(lower, float), np.array(upper, float)
    return Box(lower, upper, (upper - lower) * own, tuple(shape))


def test_boxes_of_like_bodies_become_one_shape_of_the_images_own_voxels():
    own = np.array([2.0, 2.0, 2.0])
    one, other = (
        common_box(box((3.5, 4.5, -0.5), (3.5 + x, 4.5 + y, -0.5 + z), own, (x, y, z)))
        for x, y, z in ((91, 109, 84), (90, 106, 88))
    )
    assert one.shape == other.shape == (96, 112, 88)
    assert np.array_equal(one.edges_mm, other.edges_mm) and one.edges_mm[0] == 192.0
    # by whole voxels, so that images that need no resampling get none
    assert one.lower.tolist() == [1.5, 3.5, -2.5] and one.upper.tolist() == [97.5, 115.5, 85.5]


@pytest.mark.parametrize("shape", [(117, 155, 54), (63, 64, 10), (17, 41, 33)])
def test_the_box_holds_the_smaller_one(shape):
    own = np.array([0.86, 0.9, 2.4])
    found = common_box(smaller := box((-0.5, 3.2, 1.5), (160.2, 219.1, 55.5), own, shape))
    assert (found.lower <= smaller.lower + 1e-6).all()
    assert (found.upper >= smaller.upper - 1e-6).all()
    assert np.allclose(found.edges_mm, (found.upper - found.lower) * own)


def test_voxel_sizes_are_the_images_own_or_eighths_of_an_octave_and_never_finer():
    own = np.array([1.0, 1.97, 2.4])
    found = common_box(box((0, 0, 0), (190, 110, 54), own, (95, 110, 54)))
    assert found.spacing_mm == pytest.approx([2.0, 1.97, 2.4])
    found = common_box(box((0, 0, 0), (190, 110, 54), own, (130, 80, 54)))
    assert found.spacing_mm[:2] == pytest.approx([2**0.5, 2**1.5])
    kept = common_box(box((0, 0, 0), (190, 110, 54), own, (130, 80, 54)), keep_spacing=True)
    assert kept.spacing_mm == pytest.approx([190 / 130, 110 * 1.97 / 80, 2.4])


def test_short_axes_stay():
    found = common_box(box((0, 0, 0), (96, 96, 12), np.array([2.0, 2.0, 10.0]), (96, 96, 12)))
    assert found.shape == (96, 96, 12)


def test_what_is_beyond_the_image_does_not_count():
    from mmzoo.registration.frame import ImagePair
    from mmzoo.registration.pyramid import make_level

    values = np.random.default_rng(0).normal(size=(30, 30, 30)).astype(np.float32)
    image = sitk.GetImageFromArray(values)
    image.SetSpacing((3.0, 3.0, 3.0))
    whole = common_box(box((-0.5,) * 3, (29.5,) * 3, np.full(3, 3.0), (30, 30, 30)))
    level = make_level(
        ImagePair(image, image), sitk.Transform(3, sitk.sitkIdentity), whole, (32,) * 3
    )
    assert level.mask.shape == (32, 32, 32)
    assert np.array_equal(level.mask.any(axis=(1, 2)), [0] + [1] * 30 + [0])
