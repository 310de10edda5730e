"""Errors become messages in one place: file, cause, remedy."""

import errno
import os
from concurrent.futures.process import BrokenProcessPool

import pytest
import SimpleITK as sitk
from helpers_cli import call
from helpers_limits import mmzoo, run

from mmzoo.checks import check_positive
from mmzoo.cli.inspect import inspect
from mmzoo.errors import in_words, known


def caught(function, *arguments):
    try:
        function(*arguments)
    except Exception as error:
        return error
    raise AssertionError


def test_what_is_raised_on_purpose_is_its_own_message():
    error = caught(check_positive, "size", -1)
    assert in_words(error) == str(error) == "`size` must be a number above 0, got -1."


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "a.nii"), "no room to write a.nii"),
        (
            PermissionError(errno.EACCES, os.strerror(errno.EACCES), "a"),
            "a: Permission denied;",
        ),
        (FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "b"), "check the name"),
        (MemoryError("Unable to allocate 7 GiB"), "not enough memory (Unable to allocate 7 GiB)"),
        (BrokenProcessPool("a process"), "not enough memory (a process was killed"),
        (ModuleNotFoundError("No module named 'ants'"), "No module named 'ants'. `mmzoo doctor`"),
        (RuntimeError("filter\nITK ERROR: no such thing."), "ITK cannot do this: ITK ERROR: no su"),
        (RuntimeError("x: No space left on device"), "no room to write (x: No space left"),
    ],
)
def test_what_a_library_raises_has_cause_and_remedy(error, said):
    assert said in in_words(error)


def test_what_no_one_foresaw_is_said_to_be_that():
    error = caught(lambda: [][3])
    assert known(error) is None
    assert in_words(error) == (
        "IndexError: list index out of range. mmzoo did not foresee this. The same command with "
        "--debug shows where it came from; please report that."
    )


def test_a_command_ends_with_a_message_and_by_debug_with_a_traceback(tmp_path):
    options = ("inspect", tmp_path / "no.nii")
    result = mmzoo(*options)
    assert result.returncode == 1
    assert result.stderr.startswith(f"Error: {tmp_path / 'no.nii'} is not there")
    assert "Traceback" not in result.stderr
    for debug in (("--debug", *options), (*options, "--debug")):
        result = mmzoo(*debug)
        assert result.returncode == 1 and "Traceback" in result.stderr


def test_a_training_too():
    code = "from deepreg.train import main; main()"
    result = run(code, "-g", "", "-c", "no.yaml", "-l", "x")
    assert result.returncode == 1 and "Traceback" not in result.stderr
    assert "deepreg_train: There is no configuration file no.yaml" in result.stderr


def test_one_bad_file_does_not_end_the_others(tmp_path):
    image = sitk.GaussianSource(sitk.sitkFloat32, [8, 9, 10], [2, 2, 2], [4, 4, 4])
    sitk.WriteImage(image, str(tmp_path / "good.nii.gz"))
    (tmp_path / "bad.nii.gz").write_bytes(b"no image")
    (tmp_path / "empty.mha").write_bytes(b"")
    result = call(inspect, tmp_path, "--picture", tmp_path / "a.png")
    assert result.exit_code == 0, result.output
    assert result.output.count("cannot be used") == 2
    assert "8 x 9 x 10 voxels" in result.output
