"""Bad input gets a message that says how to mend it, and leaves nothing behind."""

import locale

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from helpers_cli import call
from helpers_registration import empty

import mmzoo
from mmzoo.cli.register import register
from mmzoo.io.dicom import read_folder


def nifti(path, values, affine=None):
    nib.save(
        nib.Nifti1Image(values.astype(np.float32), np.eye(4) if affine is None else affine), path
    )
    return path


def noise(shape=(12, 12, 12)):
    return np.random.default_rng(0).uniform(size=shape)


def with_nan():
    values = noise()
    values[3, 4, 5] = np.nan
    return values


def corrupt(path):
    nifti(path, noise())
    path.write_bytes(path.read_bytes()[:800])
    return path


def rgb(path):
    image = sitk.GetImageFromArray(np.zeros((8, 8, 8, 3), np.uint8), isVector=True)
    sitk.WriteImage(image, str(path))
    return path


CASES = {
    "2-D": (lambda d: nifti(d / "a.nii.gz", noise((12, 12))), "a slice and the other a volume"),
    "RGB": (lambda d: rgb(d / "a.mha"), r"3 value\(s\) a voxel"),
    "corrupt": (lambda d: corrupt(d / "a.nii.gz"), "cannot be read as a medical image"),
    "missing": (lambda d: d / "a.nii.gz", "is not there"),
    "NaN": (lambda d: nifti(d / "a.nii.gz", with_nan()), "1 voxels of NaN"),
    "constant": (lambda d: nifti(d / "a.nii.gz", np.ones((9, 9, 9))), "constant, 1 in every"),
    "empty folder": (lambda d: d, "no DICOM file"),
}


@pytest.mark.parametrize("kind", CASES)
def test_a_bad_image_is_named_and_nothing_is_written(kind, tmp_path):
    make, message = CASES[kind]
    (tmp_path / "in").mkdir()
    bad = make(tmp_path / "in")
    good = nifti(tmp_path / "good.nii.gz", noise())
    out = tmp_path / "out"
    for roles in (("--fixed", bad, "--moving", good), ("--fixed", good, "--moving", bad)):
        result = call(register, *roles, "--out", out)
        assert result.exit_code == 1 and not out.exists()
        with pytest.raises(ValueError, match=message):
            raise ValueError(result.output)


def images():
    def image(seed):
        values = np.random.default_rng(seed).uniform(size=(14, 14, 14)).astype(np.float32)
        made = sitk.GetImageFromArray(values)
        made.SetSpacing((4.0, 4.0, 4.0))
        return made

    return image(0), image(1)


def test_a_mask_must_hold_something_and_lie_on_its_image():
    fixed, moving = images()
    mask = sitk.Cast(fixed > 5, sitk.sitkUInt8)
    with pytest.raises(ValueError, match="the fixed mask image is empty"):
        mmzoo.register(fixed, moving, fixed_mask=mask)
    mask = sitk.Cast(moving > 0, sitk.sitkUInt8)
    mask.SetOrigin((1000.0, 0.0, 0.0))
    with pytest.raises(ValueError, match="moving mask image does not lie on its image"):
        mmzoo.register(fixed, moving, moving_mask=mask)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "sgi"}, "did you mean 'segi'"),
        ({"initial": "ridgid"}, "did you mean 'rigid'"),
        ({"field": "spline"}, "did you mean 'bspline'"),
        ({"control_mm": -1}, "`control_mm` must be a number above 0"),
        ({"weight": -1}, "`weight` must be a number at least 0"),
    ],
)
def test_a_wrong_option_is_named(options, message):
    with pytest.raises(ValueError, match=message):
        mmzoo.register(*images(), **options)


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    good = nifti(tmp_path / "good.nii.gz", noise())
    result = call(register, "--fixed", good, "--moving", good, "--out", tmp_path)
    assert result.exit_code == 1 and "was not made by mmzoo" in result.output
    (tmp_path / "done").mkdir()
    (tmp_path / "done/registration.json").write_text("{}")
    result = call(register, "--fixed", good, "--moving", good, "--out", tmp_path / "done")
    assert result.exit_code == 1 and "--overwrite" in result.output
    assert (tmp_path / "done/registration.json").read_text() == "{}"


def test_a_dicom_series_is_read_with_distances_by_position_and_gaps_are_found(tmp_path):
    grid = empty((16, 12, 5), (1.5, 1.25, 3.0), (5, 0, 0))
    values = np.arange(16 * 12 * 5).reshape(5, 12, 16).astype(np.int16)
    for index in range(5):
        write_slice(tmp_path / f"{index}.dcm", values[index], grid, index)
    found = read_folder(tmp_path).image
    np.testing.assert_array_equal(sitk.GetArrayFromImage(found), values)
    np.testing.assert_allclose(found.GetSpacing(), grid.GetSpacing(), atol=1e-4)
    np.testing.assert_allclose(found.GetOrigin(), grid.GetOrigin(), atol=1e-4)
    (tmp_path / "2.dcm").unlink()
    with pytest.raises(ValueError, match="must lie evenly on each other.*slice missing"):
        read_folder(tmp_path)


def write_slice(path, values, grid, index):
    image = sitk.GetImageFromArray(values[None])
    image.SetSpacing(grid.GetSpacing())
    direction = np.array(grid.GetDirection()).reshape(3, 3)
    place = grid.TransformIndexToPhysicalPoint((0, 0, index))
    tags = {
        "0020|000e": "1.2.3.4",
        "0020|0032": "\\".join(f"{x:.6f}" for x in place),
        "0020|0037": "\\".join(f"{x:.6f}" for x in direction[:, :2].T.ravel()),
        "0020|0013": str(index + 1),
        "0008|0060": "MR",
    }
    for tag, value in tags.items():
        image.SetMetaData(tag, value)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    writer.SetFileName(str(path))
    writer.Execute(image)


def test_reading_dicom_leaves_the_locale_alone(tmp_path):
    grid = empty((16, 12, 3), (1.5, 1.25, 3.0))
    for index in range(3):
        write_slice(tmp_path / f"{index}.dcm", np.eye(12, 16, dtype=np.int16), grid, index)
    locale.setlocale(locale.LC_ALL, "C.UTF-8")
    read_folder(tmp_path)
    assert locale.setlocale(locale.LC_CTYPE) == "C.UTF-8"
