import argparse
import json

import numpy as np
import pytest

from benchmarks.gpu import jobs, lower, page, run
from mmzoo.ops import histogram

SMALL = (16, 16, 16)


@pytest.fixture(autouse=True)
def _acceleration(monkeypatch):
    monkeypatch.setenv("MMZOO_ACCELERATE", "1")  # lower sets it, and that there is a GPU
    monkeypatch.setattr(histogram, "on_gpu", histogram.on_gpu)


def measured(title, form, milliseconds, subject="warp", **more):
    record = {"title": title, "subject": subject, "size": SMALL, "batch": 2, "form": form}
    record |= {"device": "G", "versions": "J 1", "values": [1.0], "measured": [1.5], "compile_s": 3}
    return record | {"gradient_s": milliseconds / 1e3, "memory_mb": 512} | more


def test_every_job_has_files_of_its_own():
    assert len(jobs.JOBS) == 12 + len(jobs.PIECES)


def test_tensors_are_drawn_anew_the_same_for_each_of_a_batch():
    names = ["moving_image", "fixed_image", "moving_label", "indices"]
    first, again = jobs.draw(names, SMALL, 2), jobs.draw(names, SMALL, 2)
    assert [each.shape for each in first] == [(2, *SMALL), (2, *SMALL), (2, *SMALL, 3), (2, 2)]
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(first[0], first[1])


def test_a_piece_is_lowered_with_its_value(tmp_path):
    job = jobs.GpuJob("ncc", "ncc", SMALL)
    lower.lower(job, tmp_path)
    record = json.loads((tmp_path / f"{job.name}.json").read_text())
    fixed, warped = jobs.draw(record["tensors"], SMALL, 1)
    expected = np.corrcoef(fixed.ravel(), warped.ravel())[0, 1]
    assert np.abs(record["values"]) == pytest.approx([abs(expected)] * 2, abs=1e-4)
    assert (tmp_path / f"{job.name}.mlirbc").stat().st_size > 1000


def test_a_training_step_is_lowered_with_weights_that_its_first_loss_is_of(tmp_path):
    job = jobs.GpuJob("U-Net", str(jobs.UNET), SMALL)
    lower.lower(job, tmp_path)
    record = json.loads((tmp_path / f"{job.name}.json").read_text())
    assert record["tensors"] == ["moving_image", "fixed_image", "indices"]
    assert record["values"][0] != record["values"][1]  # the step has learnt
    with np.load(tmp_path / f"{job.name}.npz") as file:
        state = [file[key] for key in file.files]
    # As Adam has not begun, its moments, which are as many as the weights twice, are 0.
    nothing = sum(each.size for each in state if not each.any())
    assert 0.6 < nothing / sum(each.size for each in state) < 0.7
    pytest.importorskip("jax")
    found = run.run(job.name, tmp_path)
    np.testing.assert_allclose(found["measured"], record["values"], atol=1e-3)


def test_the_page_has_ratios_differences_and_what_failed(tmp_path):
    figures = {
        "XLA warp": measured("warp", "mmzoo", 2),
        "MONAI warp": measured("warp", "MONAI", 5),
        "XLA net": measured("net", "mmzoo", 40, subject="net.yaml"),
        "XLA big": {"failed": "a line\nout of memory"},
    }
    text = page.write_page(tmp_path, figures).read_text()
    assert "|  |  | MONAI | 5.00 | 512 | 2.5x |" in text
    assert "| net | 2 x 16x16x16 | mmzoo | 40.0 | 0.50 | 3 | 5.0e-01 |" in text
    assert "* XLA big: out of memory" in text


def test_what_is_done_is_not_run_again_what_failed_is(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.json").write_text("{}")
    options = argparse.Namespace(folder=tmp_path, monai=False)
    figures = {"XLA a": {"gradient_s": 1.0}, "XLA b": {"failed": "no jax"}}
    assert run._waiting(options, figures) == [("XLA", "b"), ("XLA", "c")]


def test_a_folder_without_jobs_is_said_to_be_one(tmp_path):
    with pytest.raises(SystemExit, match="no jobs in .*gpu.lower writes them"):
        run._waiting(argparse.Namespace(folder=tmp_path / "none", monai=False), {})
