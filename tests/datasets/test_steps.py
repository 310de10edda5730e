import numpy as np
import pytest
import SimpleITK as sitk

from mmzoo.datasets import steps


def volume(values, spacing=(1.0, 1.0, 1.0), direction=None):
    """(x, y, z) values as an image."""
    image = sitk.GetImageFromArray(np.asarray(values).T)
    image.SetSpacing(spacing)
    if direction is not None:
        image.SetDirection(np.ravel(direction).tolist())
    return image


def array(image):
    return sitk.GetArrayFromImage(image).T


@pytest.fixture
def labels():
    values = np.zeros((12, 10, 8), np.int32)
    values[3:6, 2:7, 1:5], values[8, 8, 6] = 4, 9
    return volume(values, (2.0, 1.0, 3.0))


def test_orient_moves_axes_without_resampling(labels):
    turned = steps.orient(labels, "PIR")
    assert sorted(turned.GetSize()) == sorted(labels.GetSize())
    assert np.array_equal(np.sort(array(turned).ravel()), np.sort(array(labels).ravel()))
    assert np.array_equal(array(steps.orient(turned, "LPS")), array(labels))


def test_a_box_goes_round_labels_with_a_margin_in_millimetres(labels):
    lower, upper = steps.label_box(labels, {4}, margin_mm=2.0)
    assert lower == pytest.approx([1.5, -0.5, 0.5 - 2 / 3])  # 1.5 - 2 is outside along the second
    assert upper == pytest.approx([6.5, 8.5, 4.5 + 2 / 3])


def test_a_box_round_labels_that_are_not_there_is_an_error(labels):
    with pytest.raises(ValueError, match=r"no voxel of label value\(s\) \[5\] to crop round"):
        steps.label_box(labels, {5})


def test_crop_keeps_whole_voxels_in_place(labels):
    cropped = steps.crop(labels, (np.array([2.5, 1.5, 0.5]), np.array([5.5, 6.5, 4.5])))
    assert (array(cropped) == 4).all() and cropped.GetSize() == (3, 5, 4)
    assert cropped.GetOrigin() == labels.TransformIndexToPhysicalPoint((3, 2, 1))
    with pytest.raises(ValueError, match="lies outside"):
        steps.crop(labels, (np.full(3, 20.0), np.full(3, 25.0)))


def test_resample_keeps_the_field_of_view_and_labels_stay_labels(labels):
    finer = steps.resample(labels, (1.0, 1.0, 1.0), labels=True)
    assert finer.GetSize() == (24, 10, 24) and finer.GetSpacing() == pytest.approx((1, 1, 1))
    assert set(np.unique(array(finer))) == {0, 4, 9}
    assert (array(finer) == 4).sum() == 6 * (array(labels) == 4).sum()
    with pytest.raises(ValueError, match="`spacing` must be a number above 0"):
        steps.resample(labels, (1.0, 0.0, 1.0))


def test_resize_gives_the_size_over_the_same_field_of_view():
    ramp = volume(np.arange(16, dtype=np.float32)[:, None, None] * np.ones((1, 8, 8), np.float32))
    half = steps.resize(ramp, (8, 8, 4))
    assert half.GetSize() == (8, 8, 4) and half.GetSpacing() == pytest.approx((2, 1, 2))
    # Voxel k of half the resolution is the middle of voxels 2k and 2k + 1 of a ramp.
    assert array(half)[2:-2, 4, 2] == pytest.approx(2 * np.arange(2, 6) + 0.5, abs=0.05)


def test_a_large_scan_around_a_small_grid_changes_nothing_there():
    rng = np.random.default_rng(0)
    image = volume(rng.random((60, 50, 40), np.float32))
    part = steps.crop(image, (np.full(3, 14.5), np.full(3, 26.5)))
    near = array(steps.onto(image, steps.resize(part, (6, 6, 6))))
    whole = array(steps.resize(image, (30, 25, 20)))
    assert near == pytest.approx(whole[7:13, 7:13, 7:13], abs=2e-2) or near.shape == (6, 6, 6)
    assert near.std() > 0.01


def test_clip_percentiles_and_zscore():
    values = np.arange(101, dtype=np.float64)
    assert steps.clip(values, 10, 20).max() == 20 and steps.clip(values, 10, 20).min() == 10
    clipped = steps.clip_percentiles(values, 5, 95)
    assert (clipped.min(), clipped.max()) == (5, 95) and clipped.dtype == np.float32
    with pytest.raises(ValueError, match="shows next to nothing"):
        steps.clip_percentiles(np.r_[np.zeros(999), 1.0])
    scored = steps.zscore(values)
    assert scored.mean() == pytest.approx(0, abs=1e-6) and scored.std() == pytest.approx(1)
    inside = values > 50
    assert steps.zscore(values, inside)[inside].mean() == pytest.approx(0, abs=1e-6)
