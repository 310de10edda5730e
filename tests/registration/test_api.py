"""`mmzoo register --model`: two files, one run, one result."""

import json

import numpy as np
import pytest
import SimpleITK as sitk
from helpers_registration import pair
from typer.testing import CliRunner

import mmzoo
from mmzoo.cli.main import app


def test_a_run_registers_two_files_of_other_grids(runs, tmp_path):
    fixed, moving, _ = pair()
    for name, image in {"fixed": fixed, "moving": moving}.items():
        sitk.WriteImage(image, tmp_path / f"{name}.nii.gz")
    arguments = ["register", "--initial", "rigid", "--out", tmp_path / "out"]
    arguments += ["--fixed", tmp_path / "fixed.nii.gz", "--moving", tmp_path / "moving.nii.gz"]
    arguments += ["--model", runs["direct-ddf"], "--refine", 2]
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    written = json.loads((tmp_path / "out" / "registration.json").read_text())
    assert written["voxels"] == [16, 16, 16] and len(written["refinement"]) == 3
    assert (written["settings"]["model"], written["settings"]["refine"]) == ("direct-ddf", 2)
    stages = "rigid, then the network direct-ddf, 2 steps of refinement"
    assert stages in (tmp_path / "out" / "report.html").read_text()
    warped = sitk.ReadImage(tmp_path / "out" / "warped.nii.gz")
    assert warped.GetSize() == fixed.GetSize()
    transform = sitk.ReadTransform(tmp_path / "out" / "transform.h5")
    again = sitk.Resample(moving, fixed, transform, sitk.sitkLinear)
    error = sitk.GetArrayFromImage(again - sitk.Cast(warped, again.GetPixelID()))
    assert abs(error[:, 10:-10, 10:-10]).mean() < 0.01


def test_the_way_back_of_a_trained_two_way_network_undoes_most_of_the_way_there(runs, tmp_path):
    fixed, moving, _ = pair()
    for name, image in {"fixed": fixed, "moving": moving}.items():
        sitk.WriteImage(image, tmp_path / f"{name}.nii.gz")
    arguments = ["register", "--initial", "none", "--out", tmp_path / "out", "--refine", 60]
    arguments += ["--fixed", tmp_path / "fixed.nii.gz", "--moving", tmp_path / "moving.nii.gz"]
    arguments += ["--model", runs["bidirectional-ddf"]]  # of random weights, trained on this pair
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    there, back = (
        sitk.ReadTransform(tmp_path / "out" / f"{name}.h5") for name in ("transform", "inverse")
    )
    middle = fixed.TransformContinuousIndexToPhysicalPoint([n / 2 for n in fixed.GetSize()])
    points = middle + np.random.default_rng(0).uniform(-15, 15, (100, 3))
    moved = np.array([there.TransformPoint(point) for point in points])
    returned = np.array([back.TransformPoint(point) for point in moved])
    motion = np.linalg.norm(moved - points, axis=1).mean()
    assert np.linalg.norm(returned - points, axis=1).mean() < 0.5 * motion


def test_a_pair_does_not_depend_on_the_pair_before(runs):
    fixed, moving, _ = pair()
    options = {"model": runs["bidirectional-ddf"], "initial": "none"}
    first = mmzoo.register(fixed, moving, **options)
    mmzoo.register(moving, fixed, **options)
    again = mmzoo.register(fixed, moving, **options)
    point = (5.0, -10.0, 3.0)
    assert first.transform.TransformPoint(point) == again.transform.TransformPoint(point)


def test_refining_without_a_network_and_a_run_that_is_not_there_are_named(tmp_path):
    fixed, moving, _ = pair()
    with pytest.raises(ValueError, match="`refine` is for a trained network"):
        mmzoo.register(fixed, moving, refine=3)
    with pytest.raises(ValueError, match="no_run"):
        mmzoo.register(fixed, moving, model=tmp_path / "no_run")
