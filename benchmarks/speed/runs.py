"""The measurements in turns, each in a process of its own and kept in a file of its own."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.speed.laptop import trainings
from benchmarks.speed.pieces import PIECES
from benchmarks.speed.steps import FORMS, OLD, SIZES, STEPS
from mmzoo.io.atomic import write_text

HERE = Path(__file__).resolve().parent
PLAIN = "plain"
THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
LONGEST = 400  # seconds that one measurement may take


@dataclass(frozen=True)
class SpeedRun:
    """One subject in one form at one size.

    Attributes:
        subject: key of `PIECES` or `STEPS`, or of one of `laptop.trainings`.
        form: "mmzoo", "DeepReg", "plain", "MONAI", "ConvexAdam" or `OLD`.
        size: (dim1, dim2, dim3).
        command: that prints its figures as JSON.
        threads: of the processor, 0 for all.
    """

    subject: str
    form: str
    size: tuple[int, ...]
    command: tuple[str, ...]
    threads: int = 0

    @property
    def file(self) -> str:
        """Return the name of the file of its results."""
        words = f"{self.subject} {self.form} {name_size(self.size)}".replace(",", "")
        return words.replace(" ", "_").replace("'", "") + ".json"


def name_size(size: tuple[int, ...]) -> str:
    """Return (64, 64, 96) as 64x64x96."""
    return "x".join(map(str, size))


def pieces(sizes, monai: str, names=()) -> Iterator[SpeedRun]:
    """Yield the runs of the pieces, smallest size first, the forms of a piece in turn.

    Args:
        sizes: of volumes.
        monai: a Python with torch, monai and convexAdam, or "" to leave those out.
        names: of the pieces, all if empty.
    """
    for size in sizes:
        for name in names or PIECES:
            forms = dict.fromkeys(PIECES[name].forms, sys.executable)
            if monai and PIECES[name].monai:
                forms["MONAI"] = monai
            if monai and PIECES[name].convex_adam:
                forms["ConvexAdam"] = monai
            for form, python in forms.items():
                script = str(HERE / "measure.py")
                yield SpeedRun(name, form, size, (python, script, name, form, name_size(size)))


def steps(old: str, sizes=SIZES) -> Iterator[SpeedRun]:
    """Yield the runs of training steps; `old` is a Python with TensorFlow 2.3.1 and DeepReg."""
    for size in sizes:
        for title, config in STEPS.items():
            for form in FORMS:
                script = str(HERE.parent / "step.py")
                arguments = ("--one", "--json", "--size", name_size(size))
                yield SpeedRun(title, form, size, (sys.executable, script, str(config), *arguments))
            if old and title == next(iter(STEPS)):
                script = str(HERE / "old_step.py")
                yield SpeedRun(title, OLD, size, (old, script, str(config), name_size(size)))


def laptop(scale: str = "laptop") -> Iterator[SpeedRun]:
    """Yield the runs of one step of each training of the demo and of the papers at a scale."""
    script = str(HERE.parent / "step.py")
    for training in trainings(scale):
        arguments = ["--one", "--json", "--size", name_size(training.size)]
        arguments += ["--batch", str(training.batch)]
        command = (sys.executable, script, *map(str, training.files), *arguments)
        for form, more in {"mmzoo": (), PLAIN: ("--plain",)}.items():
            run = training.subject, form, training.size
            yield SpeedRun(*run, (*command, *more), training.threads)


def measure(runs: list[SpeedRun], out: Path, turns: int, most_gb: float) -> None:
    """Run what is not in the folder yet, all of one turn before the next; tells of each."""
    out.mkdir(parents=True, exist_ok=True)
    waiting = [(turn, run) for turn in range(turns) for run in runs]
    waiting = [(turn, run) for turn, run in waiting if len(read(out / run.file)) <= turn]
    for done, (_, run) in enumerate(waiting, 1):
        measured = read(out / run.file)
        start = time.perf_counter()
        failed = next((each for each in measured if "failed" in each), None)
        measured.append(failed or call(run, most_gb))
        write_text(out / run.file, json.dumps(measured))
        print(f"{done}/{len(waiting)} {_progress(run, measured[-1], start)}", flush=True)


def _progress(run: SpeedRun, figures: dict, start: float) -> str:
    said = figures.get("failed") or f"{figures['gradient_s']:.4f} s, {figures['memory_mb']:.0f} MB"
    took = time.perf_counter() - start
    return f"{run.subject}, {run.form}, {name_size(run.size)}: {said} ({took:.0f} s)"


def read(path: Path) -> list[dict]:
    """Return the figures of each turn that a file holds."""
    return json.loads(path.read_text()) if path.exists() else []


def call(run: SpeedRun, most_gb: float) -> dict:
    """Return what the process of a run printed, or {"failed": why}."""
    accelerate = "0" if run.form == "DeepReg" else "1"
    environment = {**os.environ, "MMZOO_ACCELERATE": accelerate, "CUDA_VISIBLE_DEVICES": ""}
    environment |= {"TF_CPP_MIN_LOG_LEVEL": "3"}
    if run.threads:
        environment |= dict.fromkeys(THREADS, str(run.threads))
    if run.form == OLD:  # the autoload of this Python's mmzoo is none of its business
        environment.pop("PYTHONPATH", None)
    with tempfile.TemporaryFile("w+") as said, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(run.command, env=environment, stdout=said, stderr=errors)
        stopped = _watch(process, most_gb)
        if stopped:
            return {"failed": stopped}
        for stream in (said, errors):
            stream.seek(0)
        if process.returncode:
            raise SystemExit(f"speed: {' '.join(run.command)} failed.\n{errors.read()[-2000:]}")
        return json.loads(said.read().splitlines()[-1])


def _watch(process: subprocess.Popen, most_gb: float) -> str:
    """Wait for a process; end it if it takes too much memory or time, and say so."""
    start, stopped = time.perf_counter(), ""
    status = Path(f"/proc/{process.pid}/statm")
    page = os.sysconf("SC_PAGE_SIZE")
    while process.poll() is None:
        time.sleep(0.05)
        if time.perf_counter() - start > LONGEST:
            stopped = f"more than {LONGEST} s"
        elif process.poll() is None:
            pages = int((status.read_text().split() or ["0", "0"])[1])
            if pages * page > most_gb * 2**30:
                stopped = f"more than {most_gb:g} GB"
        if stopped:
            process.kill()
            process.wait()
    return stopped
