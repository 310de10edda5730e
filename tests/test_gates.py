"""The linter and the formatter see every Python file of the repository."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
RUFF = shutil.which("ruff", path=str(Path(sys.executable).parent)) or shutil.which("ruff")

pytestmark = [
    pytest.mark.skipif(not (REPOSITORY / ".git").exists(), reason="needs a checkout"),
    pytest.mark.skipif(not RUFF, reason="needs ruff"),
]


def lines_of(*command: str, folder: Path = REPOSITORY) -> set[str]:
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return set(ended.stdout.splitlines())


def seen(folder: Path) -> set[str]:
    """Return the files that ruff looks at, by their paths in the repository."""
    files = lines_of(str(RUFF), "check", "--show-files", ".", folder=folder)
    return {str(Path(file).relative_to(folder.resolve())) for file in files}


def test_every_tracked_python_file_is_seen():
    tracked = lines_of("git", "ls-files", "*.py", "*.pyi", "*.ipynb")
    there = {file for file in tracked if (REPOSITORY / file).exists()}
    assert len(there) > 400
    assert there - seen(REPOSITORY) == set()


def test_a_folder_that_is_excluded_would_be_noticed(tmp_path):
    rules = (REPOSITORY / "ruff.toml").read_text()
    (tmp_path / "ruff.toml").write_text('extend-exclude = ["hidden"]\n' + rules)
    for name in ("hidden", "plain"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file.py").write_text("")
    assert {file for file in seen(tmp_path) if file.endswith(".py")} == {"plain/file.py"}
