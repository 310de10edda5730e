"""What each command imports before it works: neither TensorFlow nor the other commands' files."""

import subprocess
import sys

import pytest
import SimpleITK as sitk
from helpers_prediction import write_prediction
from helpers_registration import draw, empty

from mmzoo.cli import main

HEAVY = {"tensorflow", "tf_keras", "keras", "deepreg"}
LIBRARIES = {
    "numpy",
    "scipy",
    "pandas",
    "matplotlib",
    "SimpleITK",
    "nibabel",
    "h5py",
    "ants",
    "itk",
}
PROGRAM = """
import atexit, sys
atexit.register(lambda: print("\\nIMPORTED", *sys.modules))
from mmzoo.cli.main import main
main()
"""


def imported_by(*arguments, folder=None, fails=False) -> set[str]:
    """Run a command; return the modules that were imported when it ended."""
    command = [sys.executable, "-c", PROGRAM, *map(str, arguments)]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert fails or ended.returncode == 0, ended.stderr
    return set(ended.stdout.rpartition("IMPORTED")[2].split())


def commands_among(modules: set[str]) -> set[str]:
    return {name for name in main.command_names() if f"mmzoo.cli.{name}" in modules}


@pytest.mark.parametrize(
    "arguments",
    [(), *((name,) for name in main.command_names()), ("prepare", "chaos"), ("prepare", "pairs")],
    ids=lambda words: " ".join(words) or "mmzoo",
)
def test_help_imports_the_command_alone_and_no_library(arguments):
    imported = imported_by(*arguments, "--help")
    assert not imported & (HEAVY | LIBRARIES)
    if arguments:
        assert commands_among(imported) == {arguments[0]}


@pytest.mark.parametrize(
    ("rooms", "absent"),
    [
        ("mmzoo", LIBRARIES),
        ("mmzoo.baselines", {"ants", "itk"}),
        ("mmzoo.evaluation, mmzoo.evaluation.picture", {"mmzoo.ops"}),
    ],
)
def test_rooms_that_need_no_network_are_imported_without_tensorflow(rooms, absent):
    program = f"import sys, {rooms}; print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert not set(ended.stdout.split()) & (HEAVY | absent)


@pytest.mark.parametrize("kind", ["", "losses", "configs"])
def test_a_list_is_printed_without_tensorflow(kind):
    imported = imported_by("list", *filter(None, [kind]))
    assert not imported & (HEAVY | LIBRARIES)
    assert commands_among(imported) == {"list"}


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Two images of different contrast, a label map and a transform, on disk."""
    folder = tmp_path_factory.mktemp("images")
    grid = empty((18, 16, 14), (4.0, 4.0, 4.0))
    sitk.WriteImage(draw(grid, 0), folder / "fixed.nii.gz")
    sitk.WriteImage(draw(grid, 1), folder / "moving.nii.gz")
    sitk.WriteTransform(sitk.TranslationTransform(3, (1.0, 2.0, 3.0)), folder / "transform.h5")
    return folder


PAIR = ("--moving", "moving.nii.gz", "--fixed", "fixed.nii.gz")


@pytest.mark.parametrize(
    "arguments",
    [
        ("inspect", "fixed.nii.gz", "moving.nii.gz"),
        ("apply", "--transform", "transform.h5", "--moving", "moving.nii.gz")
        + ("--reference", "fixed.nii.gz", "--out", "warped.nii.gz"),
        ("prepare", "pairs", *PAIR, "--size", "16", "16", "16", "--out", "pairs", "--test-same"),
        ("phantom", "heart", "--size", "16", "16", "16", "--out", "heart", "--jobs", "1")
        + ("--cases", "4", "--folds", "2", "--valid", "1"),
    ],
    ids=lambda words: words[0],
)
def test_work_without_a_network_is_done_without_tensorflow(arguments, images):
    imported = imported_by(*arguments, folder=images)
    assert not imported & HEAVY
    assert commands_among(imported) == {arguments[0]}


def without_tensorflow(*arguments, folder) -> subprocess.CompletedProcess:
    """Run a command where importing TensorFlow fails, as where it is not installed."""
    names = ("tensorflow", "keras", "tf_keras", "deepreg")
    block = f"import sys\nsys.modules.update(dict.fromkeys({names}))\n"
    command = [sys.executable, "-c", block + PROGRAM, *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_a_prediction_is_evaluated_where_tensorflow_is_not_installed(tmp_path):
    ended = without_tensorflow("evaluate", write_prediction(tmp_path), folder=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "Dice %" in ended.stdout


def test_where_tensorflow_is_missing_the_extra_is_named(images, tmp_path):
    files = ("--fixed", images / "fixed.nii.gz", "--moving", images / "moving.nii.gz")
    ended = without_tensorflow("register", *files, "--out", "out", folder=tmp_path)
    assert ended.returncode == 1 and "pip install 'mmzoo[tensorflow]'" in ended.stderr
    program = "import sys; sys.modules['tensorflow'] = None; import mmzoo; mmzoo.losses"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "pip install 'mmzoo[tensorflow]'" in ended.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    "arguments",
    [
        ("evaluate", "absent"),
        ("baseline", "-c", "absent.yaml", "--out", "out"),
        ("register", "--fixed", "absent.nii", "--moving", "absent.nii", "--out", "out"),
        ("export", "absent", "--format", "keras", "--out", "out"),
        ("prepare", "chaos", "--source", "absent", "--out", "out"),
    ],
    ids=lambda words: words[0],
)
def test_a_mistake_is_said_before_tensorflow_is_imported(arguments, tmp_path):
    imported = imported_by(*arguments, folder=tmp_path, fails=True)
    assert commands_among(imported) == {arguments[0]}
    assert not imported & HEAVY


def test_what_a_command_imports_is_seen(images):
    """The tests above could not fail if the list of modules were that of a program that died."""
    assert {"numpy", "SimpleITK"} <= imported_by("inspect", "fixed.nii.gz", folder=images)
