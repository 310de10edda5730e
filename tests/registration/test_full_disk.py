"""`mmzoo register` and `apply` where the disk is full: a message, and nothing half written."""

import os

import pytest
import SimpleITK as sitk
from helpers_limits import mmzoo

from mmzoo.io.atomic import UNFINISHED
from mmzoo.registration.output import check_out


@pytest.mark.parametrize("ending", ["nii.gz", "nii", "mha", "nrrd"])
def test_apply_ends_with_a_message_and_leaves_nothing(images, registered, tmp_path, ending):
    folder, out = images[0], tmp_path / f"w.{ending}"
    files = {"transform": registered[0] / "transform.h5", "moving": folder / "moving.nrrd"}
    files |= {"reference": folder / "fixed.nii.gz", "out": out}
    options = ("apply", *(part for name, file in files.items() for part in (f"--{name}", file)))
    result = mmzoo(*options, most_bytes=50_000)
    assert result.returncode == 1, result.stderr
    assert "w." + ending in result.stderr and "Traceback" not in result.stderr
    assert os.listdir(tmp_path) == []
    assert mmzoo(*options).returncode == 0
    assert (
        sitk.ReadImage(str(out)).GetSize() == sitk.ReadImage(str(folder / "fixed.nii.gz")).GetSize()
    )


def test_register_ends_with_a_message_and_leaves_nothing(images, tmp_path):
    folder = images[0]
    options = ("register", "--fixed", folder / "fixed.nii.gz", "--moving", folder / "moving.nrrd",
               "--out", tmp_path / "out", "--initial", "rigid", "--field", "none")  # fmt: skip
    result = mmzoo(*options, most_bytes=50_000)
    assert result.returncode == 1, result.stderr
    assert "Traceback" not in result.stderr and "no room to write" in result.stderr
    assert os.listdir(tmp_path) == []


def test_a_folder_that_an_interruption_left_is_filled_again(tmp_path):
    (tmp_path / "warped.nii.gz").write_text("of the earlier one")
    (tmp_path / UNFINISHED).touch()
    check_out(tmp_path, overwrite=False)
    (tmp_path / UNFINISHED).unlink()
    with pytest.raises(ValueError, match="not made by mmzoo"):
        check_out(tmp_path, overwrite=True)
