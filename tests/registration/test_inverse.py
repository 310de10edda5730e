"""The way back, for images and label maps."""

import numpy as np
import pytest
import SimpleITK as sitk
from helpers_cli import call
from helpers_registration import draw, empty, motion, points_of
from scipy.interpolate import RegularGridInterpolator

from mmzoo.cli.apply import apply
from mmzoo.registration.inverse import inverse_field, inverse_transform, nearest_affine

SIZE, SPACING, ANGLES = (36, 40, 22), (2.2, 2.0, 4.0), (10, -6, 14)


def bent(amplitude=5.0):
    """A smooth field over a larger grid, then a turn and a shift."""
    grid = empty((60, 60, 60), (3, 3, 3))
    vectors = amplitude * np.sin(points_of(grid)[..., [1, 2, 0]] / 14 + np.array([0, 1, 2]))
    field = sitk.GetImageFromArray(vectors.transpose(2, 1, 0, 3), isVector=True)
    field.CopyInformation(grid)
    whole = sitk.CompositeTransform(3)
    whole.AddTransform(motion())
    whole.AddTransform(sitk.DisplacementFieldTransform(field))
    return whole


def through(transform, points):
    return np.array([transform.TransformPoint(p) for p in points.tolist()])


def inner_points(image, count=200):
    share = np.random.default_rng(0).uniform(0.1, 0.9, (count, 3))
    index = share * (np.array(image.GetSize()) - 1)
    return np.array([image.TransformContinuousIndexToPhysicalPoint(i) for i in index.tolist()])


def test_a_bent_transform_is_undone_on_an_oblique_grid_of_thick_slices():
    image, transform = empty(SIZE, SPACING, ANGLES), bent()
    points = inner_points(image)
    back = through(inverse_transform(transform, image), through(transform, points))
    gap = np.linalg.norm(back - points, axis=1)
    assert np.linalg.norm(through(transform, points) - points, axis=1).mean() > 8
    assert gap.mean() < 0.1 and gap.max() < 0.4


def test_an_affine_transform_is_undone_exactly_beyond_the_image_too():
    turn, image = motion(), empty(SIZE, SPACING, ANGLES)
    points = 3 * inner_points(image)
    back = through(inverse_transform(turn, image), through(turn, points))
    np.testing.assert_allclose(back, points, atol=1e-4)


def test_the_nearest_affine_of_an_affine_is_itself():
    turn, image = motion(), empty(SIZE, SPACING, ANGLES)
    points = inner_points(image, 20)
    found = through(nearest_affine(turn, image), points)
    np.testing.assert_allclose(found, through(turn, points), atol=1e-9)


def test_a_transform_onto_a_plane_has_no_way_back():
    flat = sitk.AffineTransform(3)
    flat.SetMatrix((1, 0, 0, 0, 1, 0, 0, 0, 0))
    with pytest.raises(ValueError, match="has no inverse"):
        inverse_transform(flat, empty(SIZE, SPACING))


@pytest.mark.parametrize("labels", [False, True])
def test_apply_carries_from_the_fixed_image_to_the_moving_one(tmp_path, labels):
    """Carried back, it lies where SimpleITK's exact inverse has it."""
    fixed = draw(empty(SIZE, SPACING, ANGLES), 0, noise=0)
    fixed = sitk.Cast(fixed > 0.4, sitk.sitkUInt8) if labels else fixed
    reference = empty((40, 38, 36), (2.5, 2.5, 2.5))
    for name, image in (("fixed", fixed), ("reference", reference)):
        sitk.WriteImage(image, str(tmp_path / f"{name}.mha"))
    sitk.WriteTransform(motion(), str(tmp_path / "t.tfm"))
    way = ("--labels", "nearest") if labels else ()
    result = call(apply, "--transform", tmp_path / "t.tfm", "--moving", tmp_path / "fixed.mha",
                  "--reference", tmp_path / "reference.mha", "--out", tmp_path / "out.mha",
                  "--inverse", *way)  # fmt: skip
    assert result.exit_code == 0, result.output
    kind = sitk.sitkNearestNeighbor if labels else sitk.sitkLinear
    wanted = sitk.Resample(fixed, reference, motion().GetInverse(), kind, 0.0)
    got = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "out.mha")))
    wanted = sitk.GetArrayFromImage(wanted)
    assert wanted.max() > 0.5 and np.mean(np.abs(got - wanted) > 1e-3) < 2e-3


@pytest.mark.parametrize("amplitude, steepest", [(1.0, 0.35), (2.6, 0.9)])
def test_the_inverse_field_leads_back_to_a_hundredth_of_a_voxel(amplitude, steepest):
    """In each voxel whose way back stays inside, where trilinear sampling is SciPy's."""
    shape = (20, 24, 18)
    place = np.indices(shape) / np.reshape([2.9, 3.3, 4.1], (3, 1, 1, 1))
    ddf = amplitude * np.sin(place[[1, 2, 0]])
    assert np.abs(np.diff(ddf, axis=2)).max() < steepest
    back = inverse_field(ddf)
    ends = (np.indices(shape) + back).reshape(3, -1).T
    inside = np.all((ends >= 0) & (ends <= np.array(shape) - 1), axis=1)
    lines = [np.arange(n) for n in shape]
    rest = [RegularGridInterpolator(lines, each)(ends[inside]) for each in ddf]
    gap = np.abs(np.stack(rest) + back.reshape(3, -1)[:, inside])
    assert inside.mean() > 0.7 and gap.max() < 0.0101


def test_the_inverse_of_a_field_that_folds_is_finite():
    ddf = np.random.default_rng(0).normal(scale=4, size=(3, 9, 8, 7))
    assert np.isfinite(inverse_field(ddf)).all()
