"""What the jobs on one run share: their arguments, configuration files and processes."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

from benchmarks.engine.paper import Paper, Run, load_paper
from mmzoo.config_merge import merge_files


@dataclass(frozen=True)
class Job:
    """One run and how it is to be worked on.

    Attributes:
        paper: whose run.
        run: data set, row and fold.
        data: folder of the data set.
        threads: processor threads.
        gpu: of DeepReg's -g, empty for none.
    """

    paper: Paper
    run: Run
    data: Path
    threads: int
    gpu: str

    @property
    def folder(self) -> Path:
        """Where the run lives."""
        return Path(self.run.folder)

    def config_files(self) -> list[str]:
        """Write the run's overrides and return all files for `-c`, in their order."""
        fold, *overrides = self.own_files()
        files = [*self.paper.config_files(self.run), fold, *self.paper.scale_files(), *overrides]
        return [str(file) for file in files]

    def own_files(self) -> list[str]:
        """Write the run's overrides and return the file of its data, and theirs if any."""
        files = [self.data / f"fold{self.run.fold}.yaml"]
        overrides = self.paper.overrides(self.run)
        if overrides:
            self.folder.mkdir(parents=True, exist_ok=True)
            path = self.folder / "overrides.yaml"
            path.write_text(yaml.safe_dump(overrides))
            files.append(path)
        return [str(file) for file in files]

    def config(self) -> dict:
        """Return the merged configuration."""
        return merge_files(self.config_files())

    def call(self, command: str, *arguments: str) -> None:
        """Run a command of this environment with the run's threads; end as it ends."""
        threads = str(self.threads)
        names = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
        environment = {**os.environ, **dict.fromkeys(names, threads)}
        path = Path(sys.executable).parent / command
        status = subprocess.run([path, *arguments], env=environment, check=False).returncode
        if status:
            raise SystemExit(status if status > 0 else 1)


def parse_job(description: str) -> Job:
    """Read a job from the command line."""
    parser = argparse.ArgumentParser(description=description)
    for name in ("paper", "scale", "data", "row"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--fold", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="of the data set")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--gpu", default="")
    given = parser.parse_args()
    paper = load_paper(given.paper, given.scale)
    run = Run(given.data, given.row, given.fold)
    return Job(paper, run, given.folder, given.threads, given.gpu)


def forget_other(folder: Path, settings: str, made: Path) -> None:
    """Remove what was made from other settings, so that the same settings go on from there.

    Args:
        folder: of the run; holds `settings.json`.
        settings: what the run is made from now.
        made: folder to remove.
    """
    note = folder / "settings.json"
    if note.is_file() and json.loads(note.read_text())["settings"] != settings:
        shutil.rmtree(made, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps({"settings": settings}) + "\n")
