"""Inputs of a preparation: images and labels with their hashes, and their pairs."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mmzoo.datasets.sets.base import DataSet, Scan
from mmzoo.io.atomic import write_text
from mmzoo.io.digests import add_file
from mmzoo.io.paths import selected

MOST_NAMED = 3
FILE = "sources.json"


def read(out: Path) -> dict:
    """Return the sources that `write` left in a folder; empty if missing or damaged."""
    try:
        found = json.loads((out / FILE).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write(out: Path, sources: dict) -> None:
    """Write sources beside the prepared data."""
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / FILE, json.dumps(sources) + "\n")


def describe(data: DataSet, groups: Iterable[tuple[Scan, ...]], earlier: dict) -> dict:
    """Return what determines the contents of prepared data, apart from the user's choices.

    Args:
        data: the data set.
        groups: scans that are prepared together.
        earlier: the sources of an earlier run; files of the same size and modification time are not
            read again.

    Returns:
        "scans": by case, its files, person, partner and fold. "files": by path, size in bytes,
        modification time in ns and SHA-256. "labels": by name, the values in label maps.
    """
    known = earlier.get("files", {})
    scans: dict[str, dict] = {}
    files: dict[str, list] = {}
    for scan in (scan for group in groups for scan in group):
        paths = {"images": scan.images, "labels": scan.labels}
        named = {kind: [str(path.resolve()) for path in each] for kind, each in paths.items()}
        scans[scan.case] = named | {
            "person": scan.person,
            "pair": scan.pair,
            "fold": data.test_fold(scan),
        }
        for path in [*named["images"], *named["labels"]]:
            files[path] = _fingerprint(selected(Path(path))[0], known.get(path))
    labels = {name: list(values) for name, values in data.structures.items()}
    return {"scans": scans, "files": files, "labels": labels}


def _fingerprint(path: Path, known: Any) -> list:
    """Return bytes, modification time in ns and SHA-256 of a file, or of all files of a folder."""
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    states = [file.stat() for file in files]
    state = [sum(s.st_size for s in states), max((s.st_mtime_ns for s in states), default=0)]
    if isinstance(known, list) and known[:2] == state:
        return known
    digest = hashlib.sha256()
    for name in files:
        add_file(digest, name)
    return [*state, digest.hexdigest()]


def key(sources: dict) -> str:
    """Return a short hash of sources, without modification times."""
    contents = {path: known[2] for path, known in sources["files"].items()}
    text = json.dumps(sources | {"files": contents}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def differences(earlier: dict, now: dict) -> list[str]:
    """Return the changes between the sources of two preparations, in words."""
    found = []
    for kind, what in (("files", "files"), ("scans", "pairs of cases"), ("labels", "labels")):
        before, after = earlier.get(kind, {}), now[kind]
        both = [name for name in after if name in before]
        lists = {
            "new": [name for name in after if name not in before],
            "gone": [name for name in before if name not in after],
            "changed": [name for name in both if _gist(before[name]) != _gist(after[name])],
        }
        found += [
            f"{what} {word}: {listed(names, MOST_NAMED)}" for word, names in lists.items() if names
        ]
    return found


def changed_cases(earlier: dict, now: dict, groups: Iterable[tuple[Scan, ...]]) -> list[str]:
    """Return the cases whose sources changed or are gone, and all cases of the same jobs."""

    def gist(sources: dict, case: str) -> Any:
        scan = sources.get("scans", {}).get(case)
        paths = [*scan["images"], *scan["labels"]] if scan else []
        return scan, [_gist(sources["files"].get(path)) for path in paths]

    found = [case for case in earlier.get("scans", {}) if case not in now["scans"]]
    for group in groups:
        cases = [scan.case for scan in group]
        if any(gist(earlier, case) != gist(now, case) for case in cases):
            found += cases
    return found


def _gist(entry: Any) -> Any:
    """Return what is compared of an entry: of a file its hash alone."""
    return entry[2] if isinstance(entry, list) and len(entry) == 3 else entry


def listed(names: list[str], most: int) -> str:
    """Return names in a line, the first ones and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
