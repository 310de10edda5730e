"""Transforms that are cut, edited, of another kind or hold NaN get a message, others are read."""

import h5py
import numpy as np
import pytest
import SimpleITK as sitk

from mmzoo.io.transform_file import read_transform


def field():
    vectors = np.random.default_rng(0).normal(size=(6, 7, 8, 3))
    return sitk.DisplacementFieldTransform(sitk.GetImageFromArray(vectors, isVector=True))


def affine():
    found = sitk.AffineTransform(3)
    found.SetMatrix((1.1, 0.1, 0, 0, 0.9, 0, 0, 0.2, 1))
    found.SetTranslation((3, -2, 1))
    return found


def bspline():
    grid = sitk.Image([20, 20, 20], sitk.sitkFloat32)
    found = sitk.BSplineTransformInitializer(grid, [3, 4, 5])
    found.SetParameters(np.random.default_rng(1).normal(size=len(found.GetParameters())).tolist())
    return found


def composite():
    whole = sitk.CompositeTransform(3)
    for part in (affine(), field(), bspline()):
        whole.AddTransform(part)
    return whole


RIGID = [sitk.Euler3DTransform, sitk.VersorRigid3DTransform, sitk.Similarity3DTransform]
SCALED = [sitk.ScaleVersor3DTransform, sitk.ScaleSkewVersor3DTransform]
KINDS = [affine, bspline, composite, field, *RIGID, *SCALED]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("ending", ["h5", "tfm", "txt"])
def test_what_itk_writes_is_read(tmp_path, kind, ending):
    path = tmp_path / f"t.{ending}"
    transform = kind()
    sitk.WriteTransform(transform, str(path))
    point = (4.0, 5.0, 6.0)
    assert read_transform(path).TransformPoint(point) == pytest.approx(
        transform.TransformPoint(point)
    )


def test_a_mat_file_of_ants_is_read(tmp_path):
    sitk.WriteTransform(affine(), str(tmp_path / "t.mat"))
    read_transform(tmp_path / "t.mat")


@pytest.mark.parametrize("ending", ["h5", "tfm", "mat"])
@pytest.mark.parametrize("place", ["parameters", "centre"])
def test_nan_is_refused(tmp_path, ending, place):
    transform = affine()
    if place == "centre":
        transform.SetCenter((0, np.nan, 0))
    else:
        transform.SetTranslation((np.nan, 0, 0))
    path = tmp_path / f"t.{ending}"
    sitk.WriteTransform(transform, str(path))
    with pytest.raises(ValueError, match=rf"t.{ending} (holds NaN|is no transform)"):
        read_transform(path)


def test_nan_in_one_vector_of_a_field_is_refused(tmp_path):
    image = sitk.GetImageFromArray(np.zeros((6, 7, 8, 3)), isVector=True)
    image[3, 3, 3] = (0.0, np.nan, 0.0)
    whole = sitk.CompositeTransform(3)
    whole.AddTransform(sitk.DisplacementFieldTransform(image))
    sitk.WriteTransform(whole, str(tmp_path / "t.h5"))
    with pytest.raises(ValueError, match="t.h5 holds NaN or infinity in its DisplacementField"):
        read_transform(tmp_path / "t.h5")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("ending", ["h5", "tfm", "mat"])
def test_a_file_that_was_cut_is_no_traceback(tmp_path, ending, share):
    path = tmp_path / f"t.{ending}"
    sitk.WriteTransform(affine() if ending == "mat" else composite(), str(path))
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ValueError, match=f"t.{ending}"):
        read_transform(path)


@pytest.mark.parametrize(
    ("name", "index", "value"),
    [
        ("TransformFixedParameters", 0, 1e9),
        ("TransformFixedParameters", 0, -3.0),
        ("TransformFixedParameters", 1, 2.5),
        ("TransformFixedParameters", 3, np.nan),
        ("TransformFixedParameters", 6, 0.0),
        ("TransformFixedParameters", 9, 0.0),
        ("TransformParameters", 0, np.inf),
    ],
)
@pytest.mark.parametrize("kind", [field, bspline], ids=lambda kind: kind.__name__)
def test_the_grid_of_a_field_must_fit_its_numbers(tmp_path, kind, name, index, value):
    path = tmp_path / "t.h5"
    sitk.WriteTransform(kind(), str(path))
    with h5py.File(path, "r+") as file:
        values = file[f"TransformGroup/0/{name}"][()]
        values[index] = value
        file[f"TransformGroup/0/{name}"][...] = values
    with pytest.raises(ValueError, match="t.h5"):
        read_transform(path)


def test_others_are_named(tmp_path):
    (tmp_path / "a.txt").write_text("1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1\n")
    with pytest.raises(ValueError, match="a.txt is no transform that ITK reads"):
        read_transform(tmp_path / "a.txt")
    sitk.WriteTransform(sitk.Euler2DTransform(), str(tmp_path / "flat.tfm"))
    with pytest.raises(ValueError, match="must be a transform in 3-D, got 2-D"):
        read_transform(tmp_path / "flat.tfm")
    with pytest.raises(ValueError, match="is not there"):
        read_transform(tmp_path / "no.h5")
