"""The trainings of the papers' laptop benchmarks and of the demo, from what these read."""

import functools
import re
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.engine.paper import ROOT, load_paper, paper_names
from mmzoo.config_merge import merge, merge_files

DEMO = "demo"


@dataclass(frozen=True)
class Training:
    """All trainings of one row on images of one size.

    Attributes:
        of: the paper, or `DEMO`.
        method: the row's title.
        files: configuration files, later ones win.
        size: of the images or patches, (dim1, dim2, dim3).
        batch: pairs a step.
        threads: processor threads, 0 for all.
        steps: of all these trainings together.
    """

    of: str
    method: str
    files: tuple[Path, ...]
    size: tuple[int, ...]
    batch: int
    threads: int
    steps: int

    @property
    def subject(self) -> str:
        """Return what it is called among all that is measured."""
        return f"{self.of}, {self.method}"


@functools.lru_cache
def trainings(scale: str = "laptop") -> tuple[Training, ...]:
    """Return those of the demo, then of the rows of each paper's tables, ablations left out."""
    found = [_demo(scale)]
    for name in paper_names():
        found += _of_paper(name, scale)
    return tuple(found)


def _demo(scale: str) -> Training:
    makefile = (ROOT / "Makefile").read_text()
    sizes = rf"^PEOPLE_{scale} := --size (\d+) (\d+) (\d+) "
    size = tuple(map(int, re.findall(sizes, makefile, re.MULTILINE)[0]))
    name = re.findall(r"configs/\w+/\w+\.yaml", makefile)[0]
    files = (ROOT / name, ROOT / f"configs/scale/{scale}.yaml")
    return _training(DEMO, "MMRegNet", files, {}, size, 0)


def _of_paper(name: str, scale: str) -> list[Training]:
    paper = load_paper(name, scale)
    found: dict[tuple, Training] = {}
    runs = [run for run in paper.runs if paper.rows[run.row].kind == "row"]
    for run in dict.fromkeys(paper.training(run) for run in runs):
        if paper.is_conventional(run):
            continue
        files = (*paper.config_files(run), *paper.scale_files())
        threads = paper.settings.get("threads", 0)
        more = (paper.overrides(run), paper.size(run.data), threads)
        training = _training(name, paper.rows[run.row].title, files, *more)
        key = training.subject, training.size
        if key in found:  # the row's weights may differ between data sets, its pieces do not
            training = replace(found[key], steps=found[key].steps + training.steps)
        found[key] = training
    return list(found.values())


def _training(of: str, method: str, files, overrides: dict, size, threads: int) -> Training:
    config = merge(merge_files(files), overrides)["train"]
    images = config["preprocess"]
    steps = config["epochs"] * config["steps_per_epoch"]
    size = tuple(images.get("patch_size") or size)
    return Training(of, method, files, size, images["batch_size"], threads, steps)
