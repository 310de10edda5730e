"""DeepReg's own unit tests pass where the zoo is installed, as far as they do without it.

They are run in a copy of the folder that holds them: MMZOO_DEEPREG_TESTS, or shared/deepreg-tests
beside the repository. deepreg_own_failures.yaml names those that fail without the zoo too.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

HERE = Path(__file__).parent
REPOSITORY = HERE.parent
FOLDER = Path(os.environ.get("MMZOO_DEEPREG_TESTS", REPOSITORY.parent / "shared" / "deepreg-tests"))
KNOWN = yaml.safe_load((HERE / "deepreg_own_failures.yaml").read_text())
NETWORK = "test/unit/test_download.py"

pytestmark = pytest.mark.slow


def copied(folder: Path, to: Path) -> Path:
    """Copy a folder that may be read-only; the tests write beside themselves."""
    shutil.copytree(folder, to, copy_function=shutil.copyfile)
    for path in (to, *to.rglob("*")):
        path.chmod(path.stat().st_mode | 0o700)
    return to


@pytest.mark.skipif(not FOLDER.is_dir(), reason=f"DeepReg's own tests are not at {FOLDER}")
def test_what_deepreg_accepts_it_accepts_with_the_zoo(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rfE", "test/unit", f"--ignore={NETWORK}"]
        + ["-p", "mmzoo.deepreg.autoload", "-p", "no:cacheprovider", "-W", "ignore"],
        cwd=copied(FOLDER, tmp_path / "tests"),
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    failed = set(re.findall(r"^(?:FAILED|ERROR) test/unit/(.*?)(?: - .*)?$", ended.stdout, re.M))
    known = {name for names in KNOWN.values() for name in names}
    assert failed == known, ended.stdout[-10000:] + ended.stderr[-2000:]
    assert int(re.search(r"(\d+) passed", ended.stdout)[1]) > 350
