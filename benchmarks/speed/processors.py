"""The ratios of the targets on each processor: a file a processor, kept beside the page.

Seconds of two machines are not compared; how many times as long another form takes is.
"""

from __future__ import annotations

import datetime
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.speed.results import SpeedResults
from benchmarks.speed.targets import TARGETS
from mmzoo.planning.processor import processor_name, vector_instructions

WIDEST = ("AVX512", "AVX2", "SVE", "NEON")  # instructions that name a processor


@dataclass(frozen=True)
class Processor:
    """What was measured on one processor.

    Attributes:
        processor: its name.
        date: of the measurement.
        ratios: by the targets' names.
    """

    processor: str
    date: str
    ratios: dict[str, float]


def processor() -> str:
    """Return the name of this machine's processor and its widest vector instructions."""
    widest = [w for w in WIDEST if w in (vector_instructions() or [])]
    return ", ".join([processor_name(), *widest[:1]])


def keep(out: Path, results: SpeedResults, name: str) -> list[Processor]:
    """Write the file of this processor; returns all of them, this one first."""
    measured = {target.name: target.measured(results) for target in TARGETS}
    ratios = {key: round(ratio, 2) for key, ratio in measured.items() if ratio is not None}
    own = Processor(name, datetime.date.today().isoformat(), ratios)
    folder = out / "processors"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{slug(name)}.json"
    path.write_text(json.dumps(asdict(own), indent=1) + "\n")
    others = [Processor(**json.loads(p.read_text())) for p in sorted(folder.glob("*.json"))]
    return [own, *(each for each in others if each.processor != name)]


def slug(name: str) -> str:
    """Return a processor's name as a file may have it."""
    return re.sub(r"\W+", "_", name).strip("_").lower()
