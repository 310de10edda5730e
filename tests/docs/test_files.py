"""Each row of the table of situations names a test that is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = [
    line
    for line in (ROOT / "docs/files.md").read_text().splitlines()
    if line.startswith("| ") and not line.startswith(("| ---", "| situation", "| file", "| object"))
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip()[:50])
def test_a_situation_has_its_test(row):
    names = re.findall(r"`(\w[\w/]*\.py)::(test_\w+)`", row)
    assert names, f"this row names no test: {row}"
    for file, name in names:
        path = ROOT / "tests" / file
        assert path.is_file() and f"def {name}(" in path.read_text(), f"{file} has no {name}"
