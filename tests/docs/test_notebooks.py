"""The notebooks are what their scripts say, were executed, and their scripts run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

jupytext = pytest.importorskip("jupytext")
ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "docs/notebooks").glob("*.py"))


def cells(path: Path) -> list[tuple[str, str]]:
    return [(cell.cell_type, cell.source) for cell in jupytext.read(path).cells]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_notebook_is_that_of_its_script(script):
    assert cells(script.with_suffix(".ipynb")) == cells(script), "run `make notebooks`"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_notebook_is_executed_and_small(script):
    path = script.with_suffix(".ipynb")
    code = [cell for cell in jupytext.read(path).cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code)
    outputs = [output for cell in code for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    assert [output for output in outputs if "image/png" in output.get("data", {})]
    assert path.stat().st_size < 500_000


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_the_script_runs(script, tmp_path):
    environment = {**os.environ, "EPOCHS": "1", "MPLBACKEND": "agg", "PYTHONPATH": str(ROOT)}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    environment["TF_USE_LEGACY_KERAS"] = "0"  # a reader has Keras 3, the tests Keras 2
    command = [sys.executable, script]
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
