"""`mmzoo register --pairs`: 20 pairs, phantoms and real crops, killed, resumed and summed up."""

import csv
import json
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import SimpleITK as sitk
from helpers_cli import call
from helpers_pairs import BRAINS, FIRST_REAL, GRID, NO_REAL, REAL_PAIRS, write_table
from helpers_registration import draw, empty

from mmzoo.cli.register import register
from mmzoo.io.atomic import UNFINISHED
from mmzoo.registration.objective import traced_objective

pytestmark = pytest.mark.slow
OPTIONS = ("--initial", "none", "--resolution", 8)


def summary(out):
    path = out / "summary.csv"
    return list(csv.DictReader(path.open())) if path.exists() else []


def count(out, status):
    return sum(row["status"] == status for row in summary(out))


def content(page):
    """What the script of a page shows."""
    return json.loads(re.search(r'id="content">(.*?)</script>', page)[1])


def written(out):
    return {path.parent.name: path.stat().st_mtime_ns for path in out.glob("*/registration.json")}


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A run of 20 pairs, one of them damaged, that a signal has ended: folder and arguments."""
    folder = tmp_path_factory.mktemp("twenty")
    table, out = write_table(folder, 20), folder / "out"
    whole = (folder / "moving06.nii.gz").read_bytes()
    (folder / "moving06.nii.gz").write_bytes(whole[: len(whole) // 2])
    arguments = [str(a) for a in ("--pairs", table, "--out", out, "--frame", "lps", *OPTIONS)]
    command = [sys.executable, "-m", "mmzoo.cli.main", "register", *arguments]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    while count(out, "done") < 3 and running.poll() is None:
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL, running.stderr.read()
    running.stderr.close()
    assert count(out, "done") >= 3 and count(out, "waiting") > 10 and len(summary(out)) == 20
    return out, arguments, whole


@pytest.fixture(scope="module")
def resumed(killed):
    """The same run when it has gone on, and again with the damaged pair mended."""
    out, arguments, whole = killed
    # As if it had been killed while it replaced the files of the first pair.
    (out / "p00" / UNFINISHED).touch()
    (out / "p00" / "warped.nii.gz").unlink()
    before = written(out)
    misses = traced_objective.cache_info().misses
    result = call(register, *arguments)
    assert result.exit_code == 1
    assert "20 pairs: 19 registered" in result.output and "1 failed" in result.output
    assert re.search(r"Error: p06: .*moving06.nii.gz", result.output)
    assert traced_objective.cache_info().misses - misses == 2  # two levels, for all pairs
    after = written(out)
    assert len(after) == 19 and (out / "p00" / "warped.nii.gz").exists()
    kept = set(before) - {"p00"}
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert after["p00"] != before["p00"]

    (out.parent / "moving06.nii.gz").write_bytes(whole)
    result = call(register, *arguments)
    assert result.exit_code == 0, result.output
    mended = written(out)
    assert len(mended) == 20 and {name: mended[name] for name in after} == after
    return out, arguments


def means(rows, measure):
    """Mean before and after, of the rows that have it."""
    known = [row for row in rows if row[measure.format("after")]]
    return [np.mean([float(row[measure.format(s)]) for row in known]) for s in ("before", "after")]


def test_twenty_pairs_that_were_killed_and_resumed_are_summed_up(resumed):
    out, _ = resumed
    rows = summary(out)
    assert [row["name"] for row in rows] == [f"p{k:02}" for k in range(20)]
    for row in rows:
        report = json.loads((out / row["name"] / "registration.json").read_text())
        assert row["status"] == "done" and not row["error"]
        assert float(row["nmi_after"]) == report["nmi"]["after"]
        assert float(row["seconds"]) >= 0 and set(report["asked"]["inputs"]) >= {"fixed", "moving"}
    phantoms = rows[:FIRST_REAL]
    assert all(row["dice_after"] and row["tre_after_mm"] for row in phantoms)
    before, after = means(phantoms, "dice_{}")
    assert after > before
    before, after = means(phantoms, "tre_{}_mm")
    assert after < before


@pytest.mark.skipif(FIRST_REAL == 20, reason=NO_REAL)
def test_real_crops_among_them_come_to_lie_better(resumed):
    real = summary(resumed[0])[FIRST_REAL:]
    assert len(real) == len(REAL_PAIRS)
    assert all(float(row["nmi_after"]) >= float(row["nmi_before"]) for row in real)
    assert sum(bool(row["dice_after"]) for row in real) == len(BRAINS)
    before, after = means(real, "dice_{}")
    assert after > before + 0.05


def test_the_page_of_twenty_pairs_leads_to_each_and_loads_nothing_from_elsewhere(resumed):
    page = (resumed[0] / "index.html").read_text()
    shown = content(page)["rows"]
    assert len(shown) == 20 and {row["target"] for row in shown} == {
        f"p{k:02}/report.html" for k in range(20)
    }
    assert all((resumed[0] / row["picture"]).exists() for row in shown)
    assert not re.search(r'(src|href)="(https?:)?//', page)


def test_other_options_would_be_other_results_and_replace_nothing_unasked(resumed):
    out, arguments = resumed
    before = written(out)
    result = call(register, *arguments, "--weight", 99)
    assert result.exit_code == 1 and "another `weight` (None, now 99.0)" in result.output
    assert written(out) == before


def test_processes_give_the_same_rows_and_one_that_fails_ends_no_other(tmp_path):
    table = write_table(tmp_path, 3)
    (tmp_path / "moving01.nii.gz").write_bytes(b"no image")
    plain = ("--pairs", table, "--frame", "lps", "--initial", "none", "--field", "none")
    rows = []
    for jobs in (1, 2):
        result = call(register, *plain, "--jobs", jobs, "--out", tmp_path / f"out{jobs}")
        assert result.exit_code == 1 and "2 registered" in result.output
        rows.append([row | {"seconds": ""} for row in summary(tmp_path / f"out{jobs}")])
    assert rows[0] == rows[1]
    assert [row["status"] for row in rows[0]] == ["done", "failed", "done"]
    page = content((tmp_path / "out1" / "index.html").read_text())
    assert [row["cells"][1:3] for row in page["rows"]] == [
        ["p01", "failed"],
        ["p00", "done"],
        ["p02", "done"],
    ]
    one = call(register, *plain, "--pair", "p02", "--out", tmp_path / "one")
    assert one.exit_code == 0 and set(written(tmp_path / "one")) == {"p02"}
    assert not (tmp_path / "one" / "summary.csv").exists()


def test_a_folder_of_something_else_and_an_option_of_one_pair_are_refused(tmp_path):
    table, out = write_table(tmp_path, 1), tmp_path / "out"
    (out / "p00").mkdir(parents=True)
    (out / "p00" / "thesis.txt").write_text("mine")
    result = call(register, "--pairs", table, "--out", out)
    assert result.exit_code == 1 and "was not made by mmzoo" in result.output
    assert [path.name for path in out.rglob("*")] == ["p00", "thesis.txt"]
    for more, message in (
        (("--moving", table), "--moving` is for one pair"),
        (("--bids", tmp_path), "give one of: --pairs"),
        (("--loss", "sgi"), "did you mean 'segi'"),
        (("--jobs", 0), "`jobs` must be 1 or more"),
        (("--pair", "p7"), "there is no such pair, but p00"),
    ):
        result = call(register, "--pairs", table, "--out", tmp_path / "new", *more)
        assert result.exit_code == 1 and message in result.output, result.output
    assert not (tmp_path / "new").exists()


def test_an_input_that_was_replaced_is_noticed_and_overwrite_registers_that_pair_alone(tmp_path):
    table, out = write_table(tmp_path, 2), tmp_path / "out"
    plain = ("--pairs", table, "--frame", "lps", "--initial", "none", "--field", "none")
    assert call(register, *plain, "--out", out).exit_code == 0
    first = written(out)
    sitk.WriteImage(draw(empty(*GRID), 1, seed=9), str(tmp_path / "moving01.nii.gz"))
    result = call(register, *plain, "--out", out)
    assert result.exit_code == 1 and "another `moving`" in result.output
    assert call(register, *plain, "--out", out, "--overwrite").exit_code == 0
    now = written(out)
    assert now["p00"] == first["p00"] and now["p01"] != first["p01"]
