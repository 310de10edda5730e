"""The description of a paper, `benchmarks/papers/NAME.yaml`, and the runs that follow from it.

A description elsewhere is named by its path; its `configs` may be a folder beside it.

title, authors, year   of the paper
configs                folder under configs/ that holds its rows
reference              row that the others are compared with; its median case is drawn
unit                   what is independent in a test: "fixed" (person of the fixed image), "pair",
                       "person" (pairs of one person each)
before                 title of the pairs before registration ("before")
data                   NAME: {title, phantom: {name, moving, fov}, structures: {label: title}}
                       and `overlays: {file: file that goes after it on these data}`; `union`
                       names the structure that is all labels together; with `trained_on: NAME` the
                       networks of another data set, or of one under `training`, predict on them
training               data sets to train on alone: NAME: {title, phantom}
tables                 HEADING of a table of the paper: [its data sets], or {data, figures,
                       columns} with figures of `measures.FIGURES` and columns of `tables.COLUMNS`;
                       with `marks` a turned one, see `turned.py`
pictures               of cases, of `page.PICTURES`: [cases] where left out
boxes                  FILE.png: {caption, data, figures, kind} of a figure of boxes or violins
ranking                table of ranks, see `ranks.py`
scales                 smoke, laptop, night, paper: {size, cases, folds} of the phantoms (size: one
                       number or three) and valid (0), test (people tested in every fold; 0: each
                       in one), fov (the phantom's), test_folds (all), each the same for all data or
                       {DATA: value}; data (all), stages (none), threads (all cores)
paper_voxels           {file: [keys]}: lengths of a voxel in the paper's voxels, which rows with
                       that file of configuration get: the paper scale's size over this one's
rows                   NAME: {title} with `configs` where it is not NAME.yaml alone, `settings`
                       {KEY.WITH.DOTS: value} over them, and `data` where it does not run on all;
                       the reference does
ablations              rows and a grid of settings that run on `data` and `test_folds` only; they
                       stand beside `reference`, the paper's own where it is left out
stages                 {rows, data, settings}: rows that also predict with their checkpoints of the
                       scale's `stages` (epochs), with further settings; they are called ROW_stage1,
                       ROW_stage2, …, ROW_last in claims
registration           data sets whose median case `registration.png` shows, see `panels.py`
printed                ROW: {DATA/STRUCTURE or DATA: {figure: [mean, std, marks], column: text}},
                       median and interquartile range in a turned table
claims                 [{quote, where, test, ...}], see `claims.py`
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.engine.rows import Row, rows_of
from mmzoo.checks import check_choice
from mmzoo.config_merge import merge_files, read_file

ROOT = Path(__file__).parents[2]
PAPERS = ROOT / "benchmarks" / "papers"
SCALES = ("smoke", "laptop", "night", "paper")
SEED = 0  # of the phantoms
PHANTOM_OPTIONS = ("moving", "fov", "motion", "noise", "blur")


@dataclass(frozen=True)
class Run:
    """One row on one fold of one data set."""

    data: str
    row: str
    fold: int

    @property
    def folder(self) -> str:
        """Where it lives, below the benchmark's folder."""
        return f"runs/{self.data}/{self.row}/fold{self.fold}"


@dataclass(frozen=True)
class Paper:
    """A paper's description and the runs of one scale.

    Attributes:
        path: of its description.
        scale: smoke, laptop, night or paper.
        content: what the file holds.
    """

    path: Path
    scale: str
    content: dict

    @property
    def name(self) -> str:
        """Name of the paper: its file's."""
        return self.path.stem

    @property
    def config_folder(self) -> Path:
        """Return the folder of the rows' configurations."""
        beside = self.path.parent / self.content["configs"]
        return beside if beside.is_dir() else ROOT / "configs" / self.content["configs"]

    @property
    def settings(self) -> dict:
        """What the scale says."""
        return self.content["scales"][self.scale]

    @property
    def data(self) -> dict[str, dict]:
        """The data sets that this scale uses, by name."""
        every = self.content["data"]
        return {name: every[name] for name in self.settings.get("data", every)}

    @property
    def every_data(self) -> dict[str, dict]:
        """All data sets, those to train on alone too, by name."""
        return {**self.content["data"], **self.content.get("training", {})}

    @property
    def rows(self) -> dict[str, Row]:
        """All rows by name: of the tables, the ablations, the grid and stages, in this order."""
        return {row.name: row for row in rows_of(self.content, self.settings)}

    @property
    def runs(self) -> list[Run]:
        """Every run of this scale."""
        return [
            Run(name, row.name, fold)
            for row in self.rows.values()
            for name in self.data
            if row.data is None or name in row.data
            for fold in self._folds_of(row, name)
        ]

    def _folds_of(self, row: Row, data: str) -> list[int]:
        folds = self.test_folds(data)
        if row.kind == "stage":
            return folds[:1]
        return [
            fold
            for fold in folds
            if row.kind == "row" or fold in self.content["ablations"]["test_folds"]
        ]

    def labels(self, data: str) -> dict[str, str]:
        """Return the titles of a data set's labels: its structures without their union."""
        entry = self.content["data"][data]
        structures, union = entry["structures"], entry.get("union")
        return {label: title for label, title in structures.items() if label != union}

    def training(self, run: Run) -> Run:
        """Return the run whose training a run predicts with: itself, where nothing else is said."""
        data = self.every_data[run.data].get("trained_on", run.data)
        return Run(data, self.rows[run.row].of or run.row, run.fold)

    def setting(self, key: str, data: str, default: Any = None, scale: str = "") -> Any:
        """Return what a scale, this one if none is named, says of a data set, or of all alike."""
        value = self.content["scales"][scale or self.scale].get(key, default)
        return value.get(data, default) if isinstance(value, dict) else value

    def test_folds(self, data: str) -> list[int]:
        """Return the folds of a data set that are tested."""
        return list(self.setting("test_folds", data, range(self.setting("folds", data))))

    def size(self, data: str, scale: str = "") -> tuple[int, ...]:
        """Return the voxels of a data set's phantoms along each axis, at this scale or another."""
        size = self.setting("size", data, scale=scale)
        return tuple(size) if isinstance(size, list) else (size,) * 3

    def config_files(self, run: Run) -> list[Path]:
        """Return the configuration files of a run, without data and scale."""
        folder = self.config_folder
        overlays = self.every_data[run.data].get("overlays", {})
        files = []
        for name in self.rows[run.row].configs:
            files += [folder / name] + ([folder / overlays[name]] if name in overlays else [])
        return files

    def phantom_command(self, data: str) -> str:
        """Return the command that makes a data set's phantoms, without the folder to write."""
        phantom = self.every_data[data]["phantom"]
        options = {name: phantom[name] for name in PHANTOM_OPTIONS if name in phantom}
        options |= {"fov": fov} if (fov := self.setting("fov", data)) else {}
        options |= {"seed": SEED, "valid": self.setting("valid", data, 0)}
        options |= {"test": test} if (test := self.setting("test", data)) else {}
        options |= {"size": " ".join(str(voxels) for voxels in self.size(data))}
        options |= {name: self.setting(name, data) for name in ("cases", "folds")}
        given = " ".join(f"--{name} {value}" for name, value in options.items())
        return f"mmzoo phantom {phantom['name']} {given}"

    def digest(self, run: Run, data: str | Path) -> str:
        """Return a short hash of all that a run is made from: configuration and data set.

        Args:
            run: the run.
            data: folder of its data set; for phantoms the command that makes them counts.
        """
        made = self.phantom_command(run.data)
        description = Path(data) / "mmzoo.json"
        if Path(data).is_absolute() and description.is_file():
            made = description.read_text()
        config = merge_files([*self.config_files(run), *self.scale_files()])
        return _hash([config, self.overrides(run), made])

    def page_digest(self) -> str:
        """Return a short hash of what the page is made from, beside the runs."""
        engine = sorted((ROOT / "benchmarks" / "engine").glob("*.py"))
        return _hash([self.content, *(path.read_text() for path in engine)])

    def scale_files(self) -> list[Path]:
        """Return the file of the scale, none at the paper's."""
        path = ROOT / "configs" / "scale" / f"{self.scale}.yaml"
        return [path] if path.is_file() else []

    def is_conventional(self, run: Run) -> bool:
        """Whether a row is a conventional tool and not a network to train."""
        return "baseline" in merge_files(self.config_files(run))

    def overrides(self, run: Run) -> dict:
        """Return what is written over the configuration: the length of training, a grid's point."""
        row = self.rows[run.row]
        merged: dict = {}
        kind = "row" if row.kind == "stage" else row.kind
        shorter = self.settings.get("overrides", {}).get(kind, {})
        for key, value in {**shorter, **self._voxels(run), **row.settings}.items():
            _put(merged, key, value)
        return merged

    def _voxels(self, run: Run) -> dict[str, list[float]]:
        """Return the settings of a run that say how long a voxel is, in the paper's voxels."""
        keys = self.content.get("paper_voxels", {})
        found = [key for name in self.rows[run.row].configs for key in keys.get(name, ())]
        if not found:
            return {}
        sizes = zip(self.size(run.data, "paper"), self.size(run.data), strict=True)
        return dict.fromkeys(found, [theirs / ours for theirs, ours in sizes])


def load_paper(name: str, scale: str) -> Paper:
    """Read a paper's description.

    Args:
        name: file name in benchmarks/papers without ending, or path of a description.
        scale: smoke, laptop, night or paper.

    Raises:
        ValueError: there is no such paper or scale, or a row lacks its configuration file.
    """
    path = Path(name).expanduser().resolve()
    if path.suffix != ".yaml":
        check_choice("PAPER", name, paper_names())
        path = PAPERS / f"{name}.yaml"
    content = read_file(path)
    check_choice("SCALE", scale, content["scales"])
    paper = Paper(path, scale, content)
    for run in paper.runs:
        for file in paper.config_files(run):
            if not file.is_file():
                raise ValueError(
                    f"Row {run.row!r} of {paper.name} wants {file}, which is not there; write it, "
                    "or name the row's files with `configs`."
                )
    return paper


def paper_names() -> list[str]:
    """Return the papers that can be reproduced."""
    return sorted(path.stem for path in PAPERS.glob("*.yaml"))


def _hash(content) -> str:
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _put(config: dict, key: str, value) -> None:
    """Set a nested key that is written with dots."""
    *sections, last = key.split(".")
    for section in sections:
        config = config.setdefault(section, {})
    config[last] = value
