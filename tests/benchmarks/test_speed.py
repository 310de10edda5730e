import json
import sys

import numpy as np
import pytest
import tensorflow as tf
from scipy.ndimage import gaussian_filter

from benchmarks.speed import laptop, limits, measure, page, plot, runs, summary, targets
from benchmarks.speed.__main__ import OUT
from benchmarks.speed.pieces import PIECES
from benchmarks.speed.processors import Processor, keep
from benchmarks.speed.results import SpeedResults, collect
from benchmarks.speed.steps import ALONE, OLD

MACHINE = {"copied_bytes_s": 10e9, "operations_s": 20e9, "multiply_adds_s": 100e9}
HERE = Processor("Here, AVX2", "2026-01-01", {})
BIG = (96, 96, 96)
NMI = next(t for t in laptop.trainings() if t.subject == "devos_mi, U-Net NMI")


def figures(seconds, megabytes=10.0):
    return {"gradient_s": seconds, "value_s": seconds / 2, "memory_mb": megabytes, "value": 1.0}


@pytest.fixture
def results():
    measured = {
        ("warp", "mmzoo", BIG): figures(0.02),
        ("warp", "DeepReg", BIG): figures(0.2),
        ("gmi", "mmzoo", BIG): figures(0.1),
        ("gmi", "DeepReg", BIG): figures(0.2),
        ("mi64", "DeepReg", BIG): {"failed": "more than 12 GB"},
        ("mi64", "mmzoo", BIG): figures(0.3),
        (targets.UNET, "mmzoo", (64, 64, 64)): figures(0.2, 900),
        (targets.UNET, "DeepReg", (64, 64, 64)): figures(0.4, 900),
        (ALONE, "mmzoo", (64, 64, 64)): figures(0.18, 800),
        (targets.UNET, OLD, (64, 64, 64)): figures(3.0, 1500),
        (NMI.subject, "mmzoo", NMI.size): figures(0.36, 1000),
        (NMI.subject, "plain", NMI.size): figures(0.72, 1500),
    }
    return SpeedResults(measured, MACHINE)


def related(shape) -> dict[str, tf.Tensor]:
    """Two images of one thing, 0 round it, whose similarity is not that of noise."""
    draws = np.random.default_rng(0)
    inner = [n - 10 for n in shape]
    smooth = gaussian_filter(draws.random(inner), 2)
    fixed = (smooth - smooth.min()) / np.ptp(smooth)
    warped = np.clip(1 - fixed**2 + 0.05 * draws.standard_normal(inner), 0, 1)
    images = {"fixed": np.pad(fixed, 5), "warped": np.pad(warped, 5)}
    return {name: tf.constant(image[None], tf.float32) for name, image in images.items()}


# DeepReg's warp blanks the border, which tests/deepreg/test_acceleration.py has; its gncc is
# squared, and its gmi adds an epsilon in every bin.
@pytest.mark.parametrize("name", sorted(PIECES.keys() - {"warp"}))
def test_the_forms_of_a_piece_compute_the_same(name):
    piece, shape = PIECES[name], (24, 20, 22)
    given = measure.inputs(piece.tensors, shape)
    tensors = [related(shape).get(key, tf.constant(value)) for key, value in given.items()]
    # DeepReg's similarities grow, ours are losses
    ours, other = (abs(float(tf.reduce_mean(f()(*tensors)))) for f in piece.forms.values())
    assert (ours**2 if name == "ncc" else ours) == pytest.approx(other, rel=1e-2)


def test_a_target_is_met_missed_or_not_measured(results):
    by = {(t.subject, t.other, t.key): targets.verdict(t, results) for t in targets.TARGETS}
    assert by["warp", "DeepReg", "gradient_s"] == "met"
    assert by["lncc", "DeepReg", "gradient_s"] == "not measured"
    assert by[targets.UNET, OLD, "gradient_s"] == "met"
    alone = "**not met**; its network alone allows 2.2x"
    assert by[targets.UNET, "DeepReg", "gradient_s"] == alone
    least = max(limits.least_seconds(PIECES["gmi"], 96**3, MACHINE).values())
    expected = f"**not met**; the machine's limit allows {0.2 / least:.0f}x"
    assert by["gmi", "DeepReg", "gradient_s"] == expected
    assert by[NMI.subject, "plain", "gradient_s"] == "not measured"  # at the heart's size
    at_size = {(t.subject, t.size): targets.verdict(t, results) for t in targets.TARGETS}
    assert at_size[NMI.subject, NMI.size] == "met"


def test_a_target_is_to_be_met_on_every_processor(results):
    warp, lncc = targets.TARGETS[:2]
    assert targets.verdict(warp, results, [6.0, None]) == "met"
    assert targets.verdict(warp, results, [6.0, 4.9]) == "**not met** everywhere"
    assert targets.verdict(lncc, results, [5.0]) == "met"  # not measured here
    assert targets.verdict(lncc, results, [None]) == "not measured"


def test_the_limit_is_the_longest_of_moving_operating_and_multiplying():
    voxels = 1000
    found = limits.least_seconds(PIECES["mi64"], voxels, MACHINE)
    assert found == {
        "memory": pytest.approx(4 * voxels * 5 / 10e9),
        "operations": pytest.approx(voxels * 64 * 8 / 20e9),
        "products": pytest.approx(voxels * 2 * 64**2 / 100e9),
    }
    longest = {name: limits.least_seconds(PIECES[name], voxels, MACHINE) for name in PIECES}
    longest = {name: max(least, key=least.get) for name, least in longest.items()}
    assert (longest["ncc"], longest["lncc"], longest["mi64"]) == (
        "memory",
        "operations",
        "products",
    )


def test_a_machine_copies_and_multiplies_at_some_rate(monkeypatch):
    monkeypatch.setattr(limits, "COPIED", 2**20)
    monkeypatch.setattr(limits, "ADDED", 2**20)
    monkeypatch.setattr(limits, "ORDER", 256)
    assert 1e8 < limits.copy_bandwidth() < 1e13
    assert 1e7 < limits.operation_rate() < 1e14
    assert 1e8 < limits.product_rate() < 1e15


def test_the_page_has_ratios_failures_and_what_it_was_run_on(results, tmp_path):
    text = page.write_page(tmp_path, results, "Python 9.9", [HERE]).read_text()
    assert "Here, AVX2, Python 9.9" in text
    assert "copies 10.0 GB a second" in text
    assert "| 96x96x96 | trilinear warp | 10.0x | - | - |" in text
    assert "| 96x96x96 | mi, 64 bins | more than 12 GB | - | - |" in text
    assert f"| 64x64x64 | {targets.UNET} | DeepReg on {OLD} | 3.000 | 1500 | 15.0x |" in text
    assert plot.draw(tmp_path, results).stat().st_size > 10_000


def test_the_page_has_laptop_benchmarks_step_by_step_and_whole(results, tmp_path):
    text = page.write_page(tmp_path, results, "Python 9.9", [HERE]).read_text()
    step = "| 48x48x48 | 2 | 0.720 | 0.360 | 2.0x | 1500 | 1000 | 1.5x |"
    assert f"| devos_mi | U-Net NMI {step}" in text
    assert f"| devos_mi | {NMI.steps} | 0.20 | 0.10 | 2.0x |" in text
    assert "demo" not in text[text.index("## Laptop benchmarks") :].split("|", 1)[1]


def test_ratios_are_kept_by_processor_and_stand_beside_each_other(results, tmp_path):
    keep(tmp_path, results, "Another one, AVX512")
    slow = {("warp", "DeepReg", BIG): figures(0.08), ("warp", "mmzoo", BIG): figures(0.02)}
    slow = SpeedResults(slow, MACHINE)
    processors = keep(tmp_path, slow, "This, AVX2")
    assert [each.processor for each in processors] == ["This, AVX2", "Another one, AVX512"]
    text = page.write_page(tmp_path, slow, "Python 9.9", processors).read_text()
    assert "| 5x | 4.0x | 10.0x | **not met**" in text
    assert "| 2.5x | - | 2.0x | **not met** everywhere |" in text
    again = keep(tmp_path, results, "This, AVX2")[0]
    assert again.ratios["gradient_s, warp, DeepReg, 96x96x96"] == 10


def test_the_summary_leaves_out_what_was_not_measured(results, tmp_path):
    assert summary.summary(results, "Here") == ""
    pieces = {(name, "mmzoo", BIG): figures(0.1, 5) for name in summary.PIECES}
    pieces |= {(name, "DeepReg", BIG): figures(0.22) for name in summary.PIECES}
    pieces |= {(name, "MONAI", BIG): figures(1.16) for name in summary.PIECES}
    found = summary.summary(SpeedResults(pieces, MACHINE), "Here")
    assert "(Here)" in found and "trilinear warp 2.2 and 12, local correlation" in found
    assert "memory" not in found and "U-Net" not in found and "plainly" not in found
    large = {("mi24", "mmzoo", targets.LARGE): figures(1, 10)}
    large |= {("mi24", "DeepReg", targets.LARGE): figures(1, 300)}
    assert "in 1/30 of DeepReg's memory" in summary.summary(
        SpeedResults(pieces | large, MACHINE), ""
    )
    readme = tmp_path / "README.md"
    readme.write_text(f"# A\n\n{summary.OPENING} of before.\n\nB\n")
    summary.update(readme, found)
    assert readme.read_text() == f"# A\n\n{found}\n\nB\n"


def test_the_readme_repeats_the_pages_summary():
    repeated = [
        line for line in summary.README.read_text().splitlines() if line.startswith(summary.OPENING)
    ]
    assert len(repeated) == 1
    assert repeated[0] in (OUT / "README.md").read_text().splitlines()


def test_laptop_steps_run_in_both_forms_with_the_papers_batch_and_threads():
    by = {(run.subject, run.form, run.size): run for run in runs.laptop()}
    assert len(by) == 2 * len(laptop.trainings())
    ours, plain = (by[NMI.subject, form, NMI.size] for form in ("mmzoo", "plain"))
    assert plain.command == (*ours.command, "--plain")
    assert ours.command[-2:] == ("--batch", "2")
    assert ours.threads == plain.threads == 1


def test_a_run_has_its_threads(tmp_path):
    code = "import json, os; print(json.dumps({'n': os.environ.get('OMP_NUM_THREADS')}))"
    run = runs.SpeedRun("a", "mmzoo", (8, 8, 8), (sys.executable, "-c", code), threads=3)
    assert runs.call(run, 12) == {"n": "3"}


def run_of(tmp_path, code, subject="warp", form="mmzoo"):
    return runs.SpeedRun(subject, form, (8, 8, 8), (sys.executable, "-c", code))


def test_what_was_measured_is_not_measured_again(tmp_path):
    counted = tmp_path / "counted"
    code = f"print('noise'); print('{json.dumps(figures(0.5))}')"
    run = run_of(tmp_path, f"open({str(counted)!r}, 'a').write('x'); {code}")
    for _ in range(2):
        runs.measure([run], tmp_path / "out", 2, 12)
    assert counted.read_text() == "xx"  # two turns, once
    assert collect([run], tmp_path / "out", MACHINE).get("warp", "mmzoo", (8, 8, 8), "value") == 1


def test_the_quickest_turn_counts(tmp_path):
    run = run_of(tmp_path, "")
    (tmp_path / run.file).write_text(json.dumps([figures(0.5, 30), figures(0.3, 10)]))
    found = collect([run], tmp_path, MACHINE)
    assert found.get(*("warp", "mmzoo", (8, 8, 8)), "gradient_s") == 0.3
    assert found.get(*("warp", "mmzoo", (8, 8, 8)), "memory_mb") == 20


def test_a_run_that_takes_too_much_is_ended_and_said_to_be_so(tmp_path):
    run = run_of(tmp_path, "a = bytearray(400 * 2**20); import time; time.sleep(60)")
    assert runs.call(run, 0.2) == {"failed": "more than 0.2 GB"}


def test_a_run_that_fails_ends_all_with_its_message(tmp_path):
    with pytest.raises(SystemExit, match="ValueError: broken"):
        runs.call(run_of(tmp_path, "raise ValueError('broken')"), 12)


def test_memory_is_what_a_call_takes_above_what_there_was():
    def take():
        np.ones(40 * 2**20 // 8).sum()

    assert measure.extra_memory(take) == pytest.approx(40, abs=8)
