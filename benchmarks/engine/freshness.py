"""Say which committed pages of results were made by other code than today's.

    python benchmarks/engine/freshness.py [--strict]

A page's `run.json` holds a hash of each file that made it. The notice is for the reader: numbers
are not made anew with each change, and the page says what they were made with. With --strict the
exit status is 1 if there is such a page.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
NAMED = 4  # changed files that a notice names
SOURCES = (
    "mmzoo/**/*.py",
    "configs/scale/*.yaml",
    "benchmarks/engine/*.py",
    "benchmarks/Snakefile",
)


def hash_sources(paper: str, root: Path = ROOT) -> dict[str, str]:
    """Return the SHA-256 of each file of the repository that makes a paper's page, by its path.

    Args:
        paper: name of its description in benchmarks/papers.
        root: the repository.
    """
    description = root / "benchmarks" / "papers" / f"{paper}.yaml"
    patterns = [*SOURCES, str(description.relative_to(root))]
    if description.is_file():
        patterns.append(f"configs/{yaml.safe_load(description.read_text())['configs']}/*.yaml")
    files = {path for pattern in patterns for path in root.glob(pattern) if path.is_file()}
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(files)
    }


def changed_files(run: dict, root: Path = ROOT) -> list[str]:
    """Return the files that differ from those of a page's `run.json`, came or went since."""
    then, now = run["hashes"], hash_sources(run["paper"], root)
    return sorted(path for path in then.keys() | now.keys() if then.get(path) != now.get(path))


def notice(page: Path, root: Path = ROOT) -> tuple[str, bool]:
    """Return the line on a page, and whether today's code made it.

    Args:
        page: its folder, holds `run.json`.
        root: the repository.
    """
    run = json.loads((page / "run.json").read_text())
    changed = changed_files(run, root)
    if not changed:
        return f"{page.name}: made by today's code", True
    named = changed[:NAMED] + [f"{len(changed) - NAMED} more"] * (len(changed) > NAMED)
    return (
        f"{page.name}: made by other code than today's: {', '.join(named)}, made with "
        f"`{run['command']}` on {run['date']}"
    ), False


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Print a line for each page and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--strict", action="store_true", help="exit 1 if a page is not of today")
    given = parser.parse_args(arguments)
    pages = sorted(path.parent for path in root.glob("benchmarks/results/*/run.json"))
    notices = [notice(page, root) for page in pages]
    for line, _ in notices:
        print(line)
    return int(given.strict and not all(fresh for _, fresh in notices))


if __name__ == "__main__":
    sys.exit(main())
