"""Dockerfile and conda environment say what setup.cfg, Makefile and constraints.txt say."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
SETUP = configparser.ConfigParser()
SETUP.read(ROOT / "setup.cfg")
DOCKERFILE = (ROOT / "Dockerfile").read_text()
CONDA = (ROOT / "environment.yml").read_text()
TESTED = re.search(r"on Python ([\d.]+\d)", (ROOT / "constraints.txt").read_text())[1]
DEEPREG = re.search(r"deepreg==[\d.]+", (ROOT / "Makefile").read_text())[0]


def answers(*command: str) -> bool:
    """Whether a tool is there and works."""
    if not shutil.which(command[0]):
        return False
    return subprocess.run(command, capture_output=True, timeout=60).returncode == 0


def test_both_take_the_python_that_the_constraints_are_of():
    assert f"FROM python:{TESTED}-slim" in DOCKERFILE
    assert f"python={TESTED}" in yaml.safe_load(CONDA)["dependencies"]


def test_both_name_the_deepreg_that_make_install_takes():
    assert re.findall(r"--no-deps (deepreg\S*)", DOCKERFILE) == [DEEPREG]
    assert re.findall(r"--no-deps (deepreg\S*)", CONDA) == [DEEPREG]


def test_extras_that_the_dockerfile_names_are_in_setup_cfg():
    (extra,) = re.findall(r"--build-arg EXTRA=(\w+)", DOCKERFILE)
    assert extra in SETUP["options.extras_require"]


def test_what_pip_installs_for_conda_is_this_package_by_the_constraints():
    (pip,) = [row["pip"] for row in yaml.safe_load(CONDA)["dependencies"] if isinstance(row, dict)]
    assert pip == ["-c constraints.txt", "-e .[deepreg]"]


def test_the_image_gets_all_that_the_build_reads():
    left_out = (ROOT / ".dockerignore").read_text().split()
    for name in ("setup.cfg", "pyproject.toml", "constraints.txt", "packaging", "mmzoo", "configs"):
        assert (ROOT / name).exists() and name not in left_out


@pytest.mark.slow
@pytest.mark.skipif(not answers("docker", "info"), reason="needs Docker and its daemon")
def test_the_image_is_built_and_answers():
    subprocess.run(["docker", "build", "--tag", "mmzoo:test", str(ROOT)], check=True)
    subprocess.run(["docker", "run", "--rm", "mmzoo:test", "mmzoo", "--version"], check=True)


@pytest.mark.slow
@pytest.mark.skipif(not answers("conda", "--version"), reason="needs conda")
def test_the_environment_is_solved():
    command = ["conda", "env", "create", "--dry-run", "--file", str(ROOT / "environment.yml")]
    subprocess.run(command, check=True)
