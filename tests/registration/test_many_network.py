"""`mmzoo register --pairs --model`: many pairs by a trained network, loaded and built once."""

import csv
import json

import numpy as np
import pytest
import SimpleITK as sitk
from helpers_cli import call
from helpers_pairs import write_table
from helpers_runs import write_run

from mmzoo.cli.register import register
from mmzoo.deepreg import presets
from mmzoo.inference import packing, predictor

pytestmark = [pytest.mark.slow, pytest.mark.deepreg]
OPTIONS = ("--frame", "lps", "--initial", "none")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs of tiny networks with random weights: of images, and of labels alone."""
    folder = tmp_path_factory.mktemp("runs")
    return {name: write_run(folder / name, name) for name in ("bidirectional-ddf", "labels-ddf")}


@pytest.fixture
def built(monkeypatch):
    """The runs whose networks are built."""
    made = []
    build = predictor.zoo_model

    def counted(run, *rest):
        made.append(run)
        return build(run, *rest)

    monkeypatch.setattr(predictor, "zoo_model", counted)
    monkeypatch.setattr("mmzoo.registration.many._predictors", {})
    return made


def rows(out):
    return list(csv.DictReader((out / "summary.csv").open()))


def field(folder):
    return sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "displacement_mm.nii.gz")))


def test_one_network_serves_all_pairs_and_gives_each_what_it_gives_alone(tmp_path, runs, built):
    table, out = write_table(tmp_path, 3), tmp_path / "out"
    (tmp_path / "moving01.nii.gz").write_bytes(b"no image")
    run = runs["bidirectional-ddf"]
    many = ("--pairs", table, *OPTIONS, "--model", run)
    done = call(register, *many, "--out", out)
    assert done.exit_code == 1 and "2 registered" in done.output, done.output
    assert len(built) == 1
    assert [row["status"] for row in rows(out)] == ["done", "failed", "done"]
    alone = call(register, *many, "--pair", "p02", "--out", tmp_path / "alone")
    assert alone.exit_code == 0, alone.output
    assert np.abs(field(out / "p02")).max() > 0.01
    np.testing.assert_array_equal(field(out / "p02"), field(tmp_path / "alone" / "p02"))
    assert np.abs(field(out / "p02") - field(out / "p00")).max() > 1e-3

    # Another checkpoint is another network: its fields would not be these.
    older = ("--pairs", table, *OPTIONS, "--model", run / "save" / "ckpt-2")
    again = call(register, *older, "--out", out)
    assert again.exit_code == 1 and "another `model`" in " ".join(again.output.split())
    report = json.loads((out / "p00" / "registration.json").read_text())
    assert report["asked"]["inputs"]["model"] and report["asked"]["options"]["model"] == str(run)


def test_a_preset_gives_the_same_in_one_process_and_in_two(tmp_path, runs, built, monkeypatch):
    monkeypatch.setenv(presets.VARIABLE, str(tmp_path / "store"))
    terms = {"title": "Boxes", "licence": "Apache-2.0"}
    path = packing.pack(runs["labels-ddf"], tmp_path / "boxes.npz", **terms)
    packing.add(str(path), presets.checksum(path))
    table = write_table(tmp_path, 2)
    for jobs in (1, 2):
        out = tmp_path / f"out{jobs}"
        done = call(
            register, "--pairs", table, *OPTIONS, "--model", "boxes", "--jobs", jobs, "--out", out
        )
        assert done.exit_code == 0 and "2 pairs: 2 registered" in done.output, done.output
    assert len(built) == 1  # here; the two processes have one each
    for name in ("p00", "p01"):
        one, two = (field(tmp_path / f"out{jobs}" / name) for jobs in (1, 2))
        assert np.abs(one).max() > 0.01
        np.testing.assert_allclose(one, two, atol=1e-4)


def test_a_network_that_is_not_there_is_told_before_anything_is_written(tmp_path):
    table = write_table(tmp_path, 1)
    given = ("--pairs", table, *OPTIONS, "--out", tmp_path / "out", "--model")
    done = call(register, *given, tmp_path / "logs" / "hart")
    assert done.exit_code == 1 and "There is no training" in " ".join(done.output.split())
    assert not (tmp_path / "out").exists()
    done = call(register, *given[:-1], "--refine", 3)
    assert done.exit_code == 1 and "name one with" in " ".join(done.output.split())
    assert not (tmp_path / "out").exists()
