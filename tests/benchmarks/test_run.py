"""The engine from outside: a paper of conventional rows on tiny phantoms."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pandas as pd
import pytest
import yaml

pytest.importorskip("ants")
pytest.importorskip("snakemake")

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
BASELINE = {
    "tool": "ants",
    "settings": {"type_of_transform": "Affine"},
    "pairs": "matched",
}


def description(rows: list[str]) -> dict:
    return {
        "title": "A paper",
        "authors": "Nobody",
        "year": 2020,
        "configs": "rows",
        "reference": "affine",
        "unit": "pair",
        "data": {
            "heart": {
                "title": "Heart",
                "phantom": {"name": "heart", "moving": "mr", "fov": "heart"},
                "structures": {"myocardium": "Myo"},
            }
        },
        "scales": {
            "smoke": {"size": 16, "cases": 4, "folds": 2, "test_folds": [0]},
            "paper": {"size": 96, "cases": 20, "folds": 4},
        },
        "rows": {row: {"title": row} for row in rows},
        "printed": {"affine": {"heart/Myo": {"dice": [50.0, 1.0], "asd": [3.0, 1.0]}}},
        "claims": [
            {
                "quote": "It is better than nothing.",
                "where": "section 1",
                "test": "better",
                "row": "affine",
                "than": ["before"],
                "at": ["heart/Myo"],
                "figures": ["dice"],
            }
        ],
    }


class Benchmark:
    """A paper in a folder, and the command that runs it."""

    def __init__(self, folder: Path):
        self.folder, self.out = folder, folder / "out"
        (folder / "rows").mkdir()
        self.write(["affine"])
        self.configure("affine", BASELINE)

    def write(self, rows: list[str]) -> None:
        (self.folder / "mine.yaml").write_text(yaml.safe_dump(description(rows), sort_keys=False))

    def configure(self, row: str, baseline: dict) -> None:
        path = self.folder / "rows" / f"{row}.yaml"
        path.write_text(yaml.safe_dump({"baseline": baseline}))

    def start(self, *more: str) -> subprocess.Popen:
        command = [sys.executable, ROOT / "benchmarks" / "run.py", self.folder / "mine.yaml"]
        command += ["--scale", "smoke", "--out", self.out, "--cores", "2", *more]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command,
            stdout=pipe,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            # A run in the background would hand its deafness to Ctrl-C down.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def run(self, *more: str) -> tuple[int, str]:
        process = self.start(*more)
        output, _ = process.communicate(timeout=300)
        return process.returncode, output

    def cases(self, row: str) -> Path:
        return self.out / "runs" / "heart" / row / "fold0" / "evaluation" / "cases.csv"


@pytest.fixture
def benchmark(tmp_path):
    return Benchmark(tmp_path)


def test_what_is_finished_is_kept_by_ctrl_c_and_when_a_row_crashes(benchmark):
    benchmark.write(["affine", "broken"])
    benchmark.configure("broken", {**BASELINE, "settings": {"type_of_transform": "Afine"}})
    process = benchmark.start()
    data = benchmark.out / "data" / "heart.done"
    # The next job begins when Snakemake has noted that this one is finished, not before.
    stop = threading.Timer(200, process.kill)
    stop.start()
    assert any("heart, affine, fold 0: register" in line for line in process.stdout)
    stop.cancel()
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=100)
    assert process.returncode != 0
    made = data.stat().st_mtime

    # No lock is left.
    status, output = benchmark.run()
    assert status != 0
    assert "what is finished is kept" in output
    assert data.stat().st_mtime == made
    assert len(pd.read_csv(benchmark.cases("affine"))) > 0
    assert "broken" in (benchmark.out / "partial" / "README.md").read_text()

    made = benchmark.cases("affine").stat().st_mtime
    benchmark.configure("broken", BASELINE)
    status, output = benchmark.run()
    assert status == 0, output
    assert benchmark.cases("affine").stat().st_mtime == made
    assert benchmark.cases("broken").exists()
    page = (benchmark.out / "page" / "README.md").read_text()
    assert "It is better than nothing." in page

    # Nothing changed, nothing to do; a changed configuration runs its row alone.
    assert "Nothing to be done" in benchmark.run()[1]
    benchmark.configure("broken", {**BASELINE, "clip_percentiles": [1, 99]})
    status, output = benchmark.run("--", "--dry-run")
    assert status == 0
    assert "heart, broken, fold 0: register" in output
    assert "heart, affine, fold 0: register" not in output


def test_two_benchmarks_in_one_folder_are_refused(benchmark):
    import fcntl

    benchmark.out.mkdir()
    with open(benchmark.out / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        status, output = benchmark.run()
    assert status == 1
    assert "another benchmark is at work" in output


def test_a_paper_that_is_not_there_is_a_message(tmp_path):
    command = [sys.executable, ROOT / "benchmarks" / "run.py", "mmregnte"]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 1
    assert "did you mean 'mmregnet'" in run.stderr
    assert "Traceback" not in run.stderr
