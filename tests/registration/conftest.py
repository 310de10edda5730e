import pytest
import SimpleITK as sitk
from helpers_cli import call
from helpers_registration import pair

from mmzoo.cli.register import register


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    """Files of the fixed and the moving image and of a label map, and the true map."""
    folder = tmp_path_factory.mktemp("images")
    fixed, moving, truth = pair()
    sitk.WriteImage(fixed, str(folder / "fixed.nii.gz"))
    sitk.WriteImage(moving, str(folder / "moving.nrrd"))
    sitk.WriteImage(sitk.Cast(moving > 0.4, sitk.sitkUInt8), str(folder / "label.mha"))
    return folder, truth


@pytest.fixture(scope="session")
def registered(images, tmp_path_factory):
    """The folder that `mmzoo register` has written, and what it printed."""
    folder, _ = images
    out = tmp_path_factory.mktemp("run") / "out"
    files = {"fixed": "fixed.nii.gz", "moving": "moving.nrrd", "label": "label.mha"}
    options = [part for key, name in files.items() for part in (f"--{key}", folder / name)]
    result = call(register, *options, "--out", out, "--initial", "rigid", "--resolution", 4)
    assert result.exit_code == 0, result.output
    return out, result.output
