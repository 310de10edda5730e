"""Every command and every program in the documentation runs, at smoke scale.

The `bash` blocks of a page run in order, in one empty folder; what would take long is made small
by the table below. Pages that begin alike go on from what the first of them has made. Blocks of
another kind (`sh`, `text`) are for reading.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SMALLER = {
    "--size 48 48 48": "--size 16 16 16",
    "--cases 40 --folds 10": "--cases 4 --folds 2 --valid 1",
    "scale/laptop.yaml": "scale/smoke.yaml",
    "ckpt-5 ": "ckpt-1 ",
    "--max_epochs 25": "--max_epochs 2",
    "ckpt-25 ": "ckpt-2 ",
}


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


def commands(page: Path) -> list[str]:
    text = "".join(blocks(page, "bash")).replace("\\\n", " ")
    for long, short in SMALLER.items():
        text = text.replace(long, short)
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def beginnings(page: Path) -> list[tuple[str, ...]]:
    """Return what has been run of a page after each of its commands."""
    return [tuple(commands(page)[: n + 1]) for n in range(len(commands(page)))]


def make_own_images(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("mr1", "mr2", "ct1", "ct2"):
        image = nib.Nifti1Image(rng.uniform(size=(20, 24, 18)).astype(np.float32), np.eye(4))
        nib.save(image, folder / f"{name}.nii.gz")
    (folder / "pairs.csv").write_text(
        "moving,fixed\nmr1.nii.gz,ct1.nii.gz\nmr2.nii.gz,ct2.nii.gz\n"
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> dict[tuple[str, ...], Path]:
    """Folders as they are after commands with which several pages begin."""
    begun = Counter(beginning for page in PAGES for beginning in beginnings(page))
    keep = tmp_path_factory.mktemp("made")
    return {each: keep / str(n) for n, (each, times) in enumerate(begun.items()) if times > 1}


@pytest.mark.parametrize("page", [p for p in PAGES if commands(p)], ids=lambda page: page.name)
def test_commands_of_a_page_run_in_order(page, tmp_path, made):
    make_own_images(tmp_path)
    if page.name == "evaluate.md":
        make_prediction(tmp_path)
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for step in beginnings(page):
        if step in made and made[step].exists():
            shutil.copytree(made[step], tmp_path, dirs_exist_ok=True)
            continue
        run = subprocess.run(
            shlex.split(step[-1]), cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert run.returncode == 0, f"{step[-1]}\n{run.stdout[-2000:]}\n{run.stderr[-2000:]}"
        if step in made:
            shutil.copytree(tmp_path, made[step])


def make_prediction(folder: Path) -> None:
    from helpers_prediction import write_prediction

    write_prediction(folder).rename(folder / "logs" / "predict")


@pytest.mark.parametrize(
    "page", [p for p in PAGES if blocks(p, "python")], ids=lambda page: page.name
)
def test_programs_of_a_page_run(page, tmp_path):
    for program in blocks(page, "python"):
        run = subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True
        )
        assert run.returncode == 0, f"{program}\n{run.stderr[-3000:]}"
