"""The workflow on the page about many pairs, with two local jobs."""

import csv
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers_pairs import write_table

pytestmark = pytest.mark.slow
PAGE = Path(__file__).parents[2] / "docs" / "many_pairs.md"


def test_the_workflow_of_the_page_registers_a_table_in_two_jobs(tmp_path):
    pytest.importorskip("snakemake", reason='pip install "mmzoo[benchmark]"')
    write_table(tmp_path, 2)
    (workflow,) = re.findall(
        r"^```snakemake\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE
    )
    quick = 'OPTIONS = "pairs.csv", "aligned", "--frame lps --initial none --field none"'
    changed = re.sub(r'OPTIONS = .*""$', quick, workflow, flags=re.MULTILINE)
    assert changed != workflow
    (tmp_path / "Snakefile").write_text(changed)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = [sys.executable, "-m", "snakemake", "--cores", "4", "--quiet"]
    settings = {"cwd": tmp_path, "env": {**os.environ, "PATH": path}}
    ended = subprocess.run(command, **settings, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr[-3000:]
    rows = list(csv.DictReader((tmp_path / "aligned" / "summary.csv").open()))
    assert [(row["name"], row["status"]) for row in rows] == [("p00", "done"), ("p01", "done")]
    times = [p.stat().st_mtime_ns for p in sorted(tmp_path.glob("aligned/*/registration.json"))]
    again = subprocess.run(command, **settings, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr[-3000:]
    now = [p.stat().st_mtime_ns for p in sorted(tmp_path.glob("aligned/*/registration.json"))]
    assert len(times) == 2 and now == times
