"""What was measured, looked up by subject, form and size."""

from __future__ import annotations

import itertools
import statistics
from dataclasses import dataclass
from pathlib import Path

from benchmarks.speed.laptop import Training, trainings
from benchmarks.speed.runs import PLAIN, SpeedRun, read

Size = tuple[int, ...]
FORMS = (PLAIN, "mmzoo")


@dataclass(frozen=True)
class SpeedResults:
    """Figures of all runs that have been made.

    Attributes:
        figures: (subject, form, size) -> "gradient_s", "value_s" and "memory_mb", or "failed".
        machine: of `limits`.
    """

    figures: dict[tuple[str, str, Size], dict]
    machine: dict

    def get(self, subject: str, form: str, size: Size, key: str) -> float | None:
        """Return a figure, None if it was not measured."""
        return self.figures.get((subject, form, size), {}).get(key)

    def failed(self, subject: str, form: str, size: Size) -> str:
        """Return why a run was ended, "" if it was not."""
        return self.figures.get((subject, form, size), {}).get("failed", "")

    def ratio(self, subject: str, other: str, size: Size, key: str = "gradient_s") -> float | None:
        """Return how many times as much another form takes as ours."""
        mine, theirs = (self.get(subject, form, size, key) for form in ("mmzoo", other))
        return theirs / mine if mine and theirs is not None else None

    def laptop(self) -> list[Training]:
        """Return the trainings of the laptop benchmarks that were measured."""
        timed = {key for key, figures in self.figures.items() if "gradient_s" in figures}
        return [t for t in trainings() if all((t.subject, f, t.size) in timed for f in FORMS)]

    def both(self, measured: Training, key: str) -> tuple[float, float]:
        """Return a figure of a step of one of the laptop benchmarks, plain and ours."""
        plain, ours = (self.figures[measured.subject, f, measured.size][key] for f in FORMS)
        return plain, ours

    def hours(self) -> dict[str, tuple[int, float, float]]:
        """Return steps, hours plain and hours ours of all steps of each laptop benchmark."""
        found: dict[str, tuple[int, float, float]] = {}
        for of, group in itertools.groupby(self.laptop(), lambda training: training.of):
            for t in group:
                plain, ours = (t.steps * seconds / 3600 for seconds in self.both(t, "gradient_s"))
                steps, hours_plain, hours_ours = found.get(of, (0, 0.0, 0.0))
                found[of] = steps + t.steps, hours_plain + plain, hours_ours + ours
        return found

    def sizes(self, subjects) -> list[Size]:
        """Return the sizes at which any of these subjects was measured, smallest first."""
        found = {size for subject, _, size in self.figures if subject in subjects}
        return sorted(found, key=voxels)


def voxels(size: Size) -> int:
    """Return how many voxels a volume has."""
    return size[0] * size[1] * size[2]


def collect(runs: list[SpeedRun], out: Path, machine: dict) -> SpeedResults:
    """Read the files of runs: the quickest turn counts, as other work only ever adds; and the
    median of memory."""
    figures = {}
    for run in runs:
        turns = read(out / run.file)
        if turns:
            figures[run.subject, run.form, run.size] = _of_turns(turns)
    return SpeedResults(figures, machine)


def _of_turns(turns: list[dict]) -> dict:
    if any("failed" in turn for turn in turns):
        return next(turn for turn in turns if "failed" in turn)
    best = {key: min(turn[key] for turn in turns) for key in turns[0] if key != "memory_mb"}
    return best | {"memory_mb": statistics.median(turn["memory_mb"] for turn in turns)}
