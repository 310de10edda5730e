"""The wheels, plain and editable: built by the backend as pip calls it, without the network."""

import base64
import csv
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("setuptools", "70.1", reason="the build backend needs setuptools")

REPOSITORY = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(
    not (REPOSITORY / "packaging").is_dir(), reason="needs a checkout, not an installed package"
)


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """A copy of the sources, so that no build folder is left in the checkout."""
    copy = tmp_path_factory.mktemp("source")
    for name in ("mmzoo", "packaging", "configs"):
        shutil.copytree(
            REPOSITORY / name, copy / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in ("pyproject.toml", "setup.cfg", "LICENSE", "README.md"):
        shutil.copy(REPOSITORY / name, copy / name)
    return copy


@pytest.fixture(scope="module", params=["build_wheel", "build_editable"])
def wheel(request, source, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp(request.param)
    program = f"import mmzoo_backend as b; b.{request.param}({str(folder)!r})"
    paths = {**os.environ, "PYTHONPATH": str(source / "packaging")}
    command = [sys.executable, "-c", program]
    subprocess.run(command, cwd=source, env=paths, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def test_record_holds_every_file_with_its_digest(wheel):
    with zipfile.ZipFile(wheel) as archive:
        record = next(name for name in archive.namelist() if name.endswith("RECORD"))
        rows = {row[0]: row[1:] for row in csv.reader(archive.read(record).decode().splitlines())}
        assert set(rows) == set(archive.namelist())
        for name, (digest, size) in rows.items():
            if name != record:
                content = archive.read(name)
                sha = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode()
                assert digest == "sha256=" + sha.rstrip("=")
                assert int(size) == len(content)


def test_configurations_are_in_the_plain_wheel(source, wheel):
    if "editable" in str(wheel.parent.name):
        pytest.skip("an editable install has the folder itself")
    with zipfile.ZipFile(wheel) as archive:
        for path in (source / "configs").rglob("*.yaml"):
            name = "mmzoo/configs/" + path.relative_to(source / "configs").as_posix()
            assert archive.read(name).decode() == path.read_text()


def test_the_plain_wheel_says_that_it_has_types(wheel):
    if "editable" in str(wheel.parent.name):
        pytest.skip("an editable install has the folder itself")
    with zipfile.ZipFile(wheel) as archive:
        assert "mmzoo/py.typed" in archive.namelist()


def test_the_parts_of_pages_are_in_the_plain_wheel(source, wheel):
    if "editable" in str(wheel.parent.name):
        pytest.skip("an editable install has the folder itself")
    with zipfile.ZipFile(wheel) as archive:
        for name in ("registration.html", "registration.js", "style.css"):
            path = f"mmzoo/report/{name}"
            assert archive.read(path) == (source / path).read_bytes()


def start(site: Path, program: str) -> subprocess.CompletedProcess:
    """Run a program in an interpreter that reads the .pth files of a folder as it starts."""
    own = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "MMZOO_AUTOLOAD")}
    # -S leaves this environment's own .pth files out; addsitedir then reads the folder's.
    setup = f"import site; site.addsitedir({str(site)!r})\n"
    command = [sys.executable, "-S", "-c", setup + program]
    return subprocess.run(command, env=own, capture_output=True, text=True, check=False)


def test_the_hook_is_there_as_python_starts(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    program = "import sys; print([type(finder).__name__ for finder in sys.meta_path][0])"
    ended = start(tmp_path, program)
    assert (ended.stdout.strip(), ended.stderr) == ("DeepRegFinder", "")


def test_the_pth_file_is_silent_where_mmzoo_is_gone(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extract("mmzoo_autoload.pth", tmp_path)
    ended = start(tmp_path, "print('started')")
    assert (ended.stdout.strip(), ended.stderr) == ("started", "")
