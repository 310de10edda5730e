"""Files with odd headers through `mmzoo register`: what SimpleITK would make of the result."""

import json
import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from helpers_cli import call
from helpers_registration import pair

import mmzoo
from mmzoo.cli.register import register
from mmzoo.io import images
from mmzoo.io.nifti import save_nifti
from mmzoo.spatial.frames import ras_affine

LINEAR = ("--field", "none", "--initial", "none")


@pytest.fixture(scope="module")
def scene():
    """Fixed and moving image, as array and affine."""
    return [(sitk.GetArrayFromImage(image).T, ras_affine(image)) for image in pair()[:2]]


def write(path, values, affine, sform, qform, shift=0.0):
    """Write with two codes; the sform lies `shift` mm to the right of the qform."""
    image = nib.Nifti1Image(values, None)
    moved = affine.copy()
    moved[0, 3] += shift
    image.header.set_qform(affine, 1)
    image.header.set_sform(moved, 1)
    image.header["sform_code"], image.header["qform_code"] = sform, qform
    image.to_filename(path)
    return path


@pytest.mark.parametrize(
    ("sform", "qform", "shift", "note"),
    [(0, 0, 0, "no qform and no sform"), (2, 1, 30, "30 mm apart"), (1, 1, 30, "30 mm apart")],
)
def test_simpleitk_makes_the_warped_image_of_the_same_files(
    scene, sform, qform, shift, note, tmp_path
):
    fixed = save_file(tmp_path / "fixed.nii", *scene[0])
    moving = write(tmp_path / "moving.nii", *scene[1], sform, qform, shift)
    out = tmp_path / "out"
    result = call(register, "--fixed", fixed, "--moving", moving, "--out", out, *LINEAR)
    assert result.exit_code == 0, result.output
    assert note in " ".join(result.output.split())
    files = [sitk.ReadImage(str(path), sitk.sitkFloat32) for path in (moving, fixed)]
    transform = sitk.ReadTransform(str(out / "transform.h5"))
    low = float(sitk.GetArrayViewFromImage(files[0]).min())
    wanted = sitk.Resample(*files, transform, sitk.sitkLinear, low)
    found = sitk.ReadImage(str(out / "warped.nii.gz"))
    assert found.GetDirection() == pytest.approx(files[1].GetDirection(), abs=1e-6)
    np.testing.assert_allclose(
        sitk.GetArrayFromImage(found), sitk.GetArrayFromImage(wanted), atol=1e-5
    )
    assert note in " ".join(json.loads((out / "registration.json").read_text())["notes"])
    header = nib.load(out / "warped.nii.gz").header
    assert header["sform_code"] == header["qform_code"] == 1


def save_file(path, values, affine):
    save_nifti(path, values, affine)
    return path


def test_the_other_form_can_be_chosen(scene, tmp_path):
    fixed = save_file(tmp_path / "fixed.nii", *scene[0])
    moving = write(tmp_path / "moving.nii", *scene[1], 2, 1, 30)
    origins = []
    for choice in ("qform", "sform"):
        out = tmp_path / choice
        result = call(register, "--fixed", fixed, "--moving", moving, "--out", out, *LINEAR,
                      "--geometry", choice)  # fmt: skip
        assert result.exit_code == 0, result.output
        grid = json.loads((out / "registration.json").read_text())["grids"]["moving"]
        origins.append(np.array(grid["affine"])[:3, 3])
    np.testing.assert_allclose(origins[1] - origins[0], (30, 0, 0), atol=1e-3)


def test_labels_and_masks_off_the_moving_image_are_refused(scene, tmp_path):
    fixed, moving = (save_file(tmp_path / f"{k}.nii", *each) for k, each in enumerate(scene))
    lost = save_file(tmp_path / "lost.nii", (scene[1][0] > 0.3).astype(np.float32), np.eye(4))
    for option in ("--label", "--moving-mask"):
        result = call(register, "--fixed", fixed, "--moving", moving, option, lost, "--out",
                      tmp_path / "out", *LINEAR)  # fmt: skip
        assert result.exit_code == 1 and "lost.nii does not lie on its image" in result.output
        assert not (tmp_path / "out").exists()


def test_python_objects_register_as_their_files(scene, tmp_path):
    files = [save_file(tmp_path / f"{k}.nii", *each) for k, each in enumerate(scene)]
    options = {"field": "none", "initial": "none"}
    wanted = mmzoo.register(*files, **options).warped
    for source in (scene, [nib.load(file) for file in files]):
        found = mmzoo.register(*source, **options).warped
        np.testing.assert_allclose(
            sitk.GetArrayFromImage(found), sitk.GetArrayFromImage(wanted), atol=1e-5
        )


REAL = os.environ.get("MMZOO_REAL_DATA")


@pytest.mark.data
@pytest.mark.skipif(not REAL, reason="MMZOO_REAL_DATA does not name the folder of real volumes")
def test_a_real_head_without_codes_is_not_mirrored_against_itk(tmp_path):
    source = nib.load(Path(REAL) / "same-subject-t1-pd/chris_PD.nii.gz")
    source.header["sform_code"] = source.header["qform_code"] = 0
    image = nib.Nifti1Image(np.asarray(source.dataobj), None, source.header)
    image.header["sform_code"] = image.header["qform_code"] = 0
    image.to_filename(tmp_path / "pd.nii")
    wanted = sitk.DICOMOrient(sitk.ReadImage(str(tmp_path / "pd.nii"), sitk.sitkFloat32), "RAS")
    found = images.read_image(tmp_path / "pd.nii").image
    np.testing.assert_array_equal(sitk.GetArrayFromImage(found), sitk.GetArrayFromImage(wanted))


@pytest.mark.data
@pytest.mark.skipif(not REAL, reason="MMZOO_REAL_DATA does not name the folder of real volumes")
def test_a_real_ct_lies_by_its_positions(tmp_path):
    found = images.read(Path(REAL) / "chaos-ct-case/DICOM_anon")
    assert found.image.GetSpacing()[2] == pytest.approx(2.0)
    assert "SliceThickness says 3.2 mm, positions 2 mm" in found.notes[0]
