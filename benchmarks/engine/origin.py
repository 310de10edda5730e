"""What made a page: command, seeds, versions, machine, commit and hashes of files."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

from benchmarks.engine.data import PHANTOM
from benchmarks.engine.freshness import hash_sources
from benchmarks.engine.paper import PAPERS, ROOT, SEED, Paper
from mmzoo.config_merge import merge_files
from mmzoo.planning.processor import processor_name

PACKAGES = {
    "mmzoo": "mmzoo",
    "TensorFlow": "tensorflow",
    "DeepReg": "deepreg",
    "NumPy": "numpy",
    "ANTsPy": "antspyx",
    "itk-elastix": "itk-elastix",
}
SOURCES = ("mmzoo", "configs", "benchmarks/engine", "benchmarks/papers", "benchmarks/Snakefile")


def describe_run(paper: Paper, source: str = PHANTOM) -> dict:
    """Return what made a page: command, seeds, versions, machine, date, commit and file hashes."""
    name = paper.name if paper.path.parent == PAPERS else paper.path.name
    command = f"make benchmark PAPER={name} SCALE={paper.scale}"
    reference = next(run for run in paper.runs if run.row == paper.content["reference"])
    config = merge_files(paper.config_files(reference))
    seeds = {"phantoms": SEED, "training": config.get("train", {}).get("seed")}
    return {
        "paper": paper.name,
        "scale": paper.scale,
        "command": command + ("" if source == PHANTOM else f" DATA={Path(source).name}"),
        "seeds": seeds,
        "versions": _versions(),
        "machine": _machine(),
        "date": datetime.date.today().isoformat(),
        "commit": _commit(),
        "hashes": hash_sources(paper.name, ROOT),
    }


def _versions() -> dict[str, str]:
    versions = {"Python": platform.python_version()}
    for title, package in PACKAGES.items():
        try:
            versions[title] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _machine() -> dict:
    """Return cores, processor and memory."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"cores": os.cpu_count(), "cpu": processor_name(), "memory_gb": round(memory / 2**30)}


def _commit() -> str:
    """Return the commit, and whether what made the page is committed."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(ROOT), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        commit = git("rev-parse", "--short=12", "HEAD")
        changed = git("status", "--porcelain", "--", *SOURCES)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return commit + (" with uncommitted changes" if changed else "")
