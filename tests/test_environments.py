"""Dockerfile, conda environment and constraints say what setup.cfg and Makefile say."""

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from mmzoo.planning.diagnosis import PYTHONS

ROOT = Path(__file__).parents[1]
SETUP = configparser.ConfigParser()
SETUP.read(ROOT / "setup.cfg")
DOCKERFILE = (ROOT / "Dockerfile").read_text()
CONDA = (ROOT / "environment.yml").read_text()
CONSTRAINTS = (ROOT / "constraints.txt").read_text()
TESTED = re.search(r"tests run on (3\.\d+)", CONSTRAINTS)[1]
MAKEFILE = (ROOT / "Makefile").read_text()
EXTRAS = re.search(r'-e "\.\[(.+)\]"', MAKEFILE)[1].split(",")  # those of `make install`
# The first of each line, and of 3.11 the first that all packages of today take.
RELEASES = ["3.10.0", "3.11.0", "3.11.5", "3.12.0", "3.13.0"]
DEEPREG = re.search(r"deepreg==[\d.]+", MAKEFILE)[0]


def answers(*command: str) -> bool:
    """Whether a tool is there and works."""
    if not shutil.which(command[0]):
        return False
    return subprocess.run(command, capture_output=True, timeout=60).returncode == 0


def test_both_take_the_python_that_the_constraints_are_of():
    assert f"FROM python:{TESTED}-slim" in DOCKERFILE
    assert f"python={TESTED}" in yaml.safe_load(CONDA)["dependencies"]


def constraints(python: str) -> dict[str, Requirement]:
    """The constraints that count on a release of Python, by the packages' names."""
    lines = [line for line in CONSTRAINTS.splitlines() if not line.startswith("#")]
    there = [Requirement(line) for line in lines]
    there = [c for c in there if not c.marker or c.marker.evaluate(marked(python))]
    found = {canonicalize_name(one.name): one for one in there}
    assert len(found) == len(there), "two versions of one package"
    return found


def marked(python: str) -> dict[str, str]:
    return {"python_version": python.rpartition(".")[0], "python_full_version": python}


def test_every_python_that_the_doctor_allows_is_among_the_releases():
    lines = [f"3.{n}" for n in range(PYTHONS[0][1], PYTHONS[1][1] + 1)]
    assert sorted({marked(python)["python_version"] for python in RELEASES}) == lines
    assert lines == re.findall(r"Python :: (3\.\d+)", SETUP["metadata"]["classifiers"])


@pytest.mark.parametrize("python", RELEASES)
def test_constraints_name_one_version_of_each_dependency_for_each_python(python):
    found = constraints(python)
    assert set(found) == set(constraints(f"{TESTED}.0"))
    extras = SETUP["options.extras_require"]
    asked = "\n".join([SETUP["options"]["install_requires"], *(extras[name] for name in EXTRAS)])
    for line in filter(None, re.sub("#.*", "", asked).split("\n")):
        wanted = Requirement(line.strip())
        if wanted.marker and not wanted.marker.evaluate(marked(python)):
            continue
        (version,) = found[canonicalize_name(wanted.name)].specifier
        assert version.operator == "==" and version.version in wanted.specifier, line


@pytest.mark.slow
@pytest.mark.skipif(not answers("uv", "--version"), reason="needs uv, and its package index")
@pytest.mark.parametrize("python", RELEASES)
def test_all_that_is_installed_on_each_python_is_in_the_constraints(python):
    """Solved for that release, whichever runs the tests."""
    command = ["uv", "pip", "compile", "--quiet", "--no-header", "--no-annotate", "setup.cfg"]
    command += ["--python-version", python, "--constraints", "constraints.txt"]
    command += [f"--extra={name}" for name in EXTRAS]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    solved = {canonicalize_name(Requirement(line).name) for line in ended.stdout.splitlines()}
    assert len(solved) > 100 and not solved - set(constraints(python))


def test_what_both_install_agrees_with_the_constraints():
    """A dry run of the command of either file, by what is installed here, without the network."""
    (line,) = re.findall(r"^RUN pip install (.*) \\$", DOCKERFILE, re.MULTILINE)
    assert line == '--no-cache-dir -c constraints.txt ".[deepreg${EXTRA:+,$EXTRA}]"'
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-index", "--quiet"]
    command += ["--no-build-isolation", "-c", "constraints.txt", ".[deepreg]"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


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
