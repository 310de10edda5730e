"""All measured cases of a paper's runs as one tidy table.

A row `before` stands beside the paper's own: the same pairs, not registered. A structure that
vanished (one label of the two is empty, or both) has no surface distance, and its pair would drop
out of every mean, in favour of the method that lost it. So it counts as worst: Dice 0, and as
distance the largest that any row has on that structure; `vanished` marks it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.engine.measures import FIGURES
from benchmarks.engine.paper import Paper, Run
from mmzoo.checks import check_choice

BEFORE = "before"
PAIR = ["fold", "moving", "fixed"]
DISTANCES = ("asd_mm", "msd_mm", "hd_mm", "hd95_mm", "hd99_mm")
UNITS = {  # what is independent, in words
    "fixed": "the means per fixed person",
    "pair": "the pairs",
    "person": "the means per person",
}


@dataclass(frozen=True)
class Results:
    """What was measured of a paper.

    Attributes:
        paper: its description.
        cases: a line for each row, pair and structure: data, row, fold, then the columns of
            `mmzoo.evaluation.cases.Case` without the stage; `structure` is the paper's title of
            it, `vanished` is said above. Dice in [0, 1].
        training: data, row, fold, seconds, steps and threads of each training.
        missing: runs without cases, because they failed or were not made.
    """

    paper: Paper
    cases: pd.DataFrame
    training: pd.DataFrame
    missing: tuple[Run, ...]

    def values(
        self, row: str, place: str, figure: str, folds: Iterable[int] | None = None
    ) -> pd.Series:
        """Return a figure of each pair as it is shown (percent, mm), indexed by `PAIR`.

        Args:
            row: of the paper, or "before".
            place: "DATA/STRUCTURE", or "DATA" for a figure of the whole image.
            figure: of `FIGURES`.
            folds: to keep; all if None.

        Raises:
            ValueError: a structure is named for a figure that has none, or not where it has.
        """
        kind = FIGURES[figure]
        data, _, structure = place.partition("/")
        if kind.whole == bool(structure):
            wanted = "DATA, of the whole image" if kind.whole else "DATA/STRUCTURE"
            raise ValueError(f"The figure {figure!r} is of {wanted}, got {place!r}.")
        if kind.whole:
            return self.per_pair(row, data, kind.column, folds) * kind.scale
        cases = self._of(row, data, folds)
        cases = cases[cases["structure"] == structure]
        return cases.set_index(PAIR)[kind.column] * kind.scale

    def runs_on(self, row: str, data: str) -> bool:
        """Whether a row has runs on a data set at this scale, finished or missing."""
        return bool(self._folds(self._source(row), data))

    def per_pair(
        self, row: str, data: str, column: str, folds: Iterable[int] | None = None
    ) -> pd.Series:
        """Return a column that is of the whole image, such as seconds, indexed by `PAIR`."""
        return self._of(row, data, folds).drop_duplicates(PAIR).set_index(PAIR)[column]

    def in_units(
        self, rows: list[str], place: str, figure: str, folds: Iterable[int] | None = None
    ) -> pd.DataFrame:
        """Return the means of several rows in what is independent, one column a row.

        A unit is a person of the fixed images, with the mean over those registered to it and over
        folds (or a pair, where the paper's `unit` says so). Only pairs that all the rows have
        count.
        """
        return self.as_units({row: self.values(row, place, figure, folds) for row in rows})

    def as_units(self, columns: dict[str, pd.Series]) -> pd.DataFrame:
        """Return figures of pairs in what is independent; only pairs that all columns have count.

        Args:
            columns: by name, each indexed by `PAIR`.
        """
        values = pd.concat(columns, axis=1, join="inner")
        if self.paper.content["unit"] == "pair":
            return values
        return values.groupby(level="fixed").mean()

    def lacking(self, rows: Iterable[str], data: Iterable[str]) -> str:
        """Return why rows cannot be compared on data sets, in words; "" if they can.

        Only folds that all the rows are tested on at this scale are needed.
        """
        wanted = [self._source(row) for row in rows]
        for name in data:
            folds = {row: self._folds(row, name) for row in wanted}
            for row, tested in folds.items():
                if not tested:
                    return f"the {self.paper.scale} scale has no run of {row} on {name}"
            common = set.intersection(*folds.values())
            for run in self.missing:
                if run.data == name and run.row in wanted and run.fold in common:
                    return f"the run {run.data}, {run.row}, fold {run.fold} is missing"
        return ""

    @property
    def methods(self) -> list[str]:
        """The rows of the tables, without ablations, grid and stages."""
        return [row.name for row in self.paper.rows.values() if row.kind == "row"]

    def title(self, row: str) -> str:
        """Return a row's title for tables."""
        if row == BEFORE:
            return self.paper.content.get("before", BEFORE)
        return self.paper.rows[row].title

    def _of(self, row: str, data: str, folds: Iterable[int] | None) -> pd.DataFrame:
        cases = self.cases[(self.cases["row"] == row) & (self.cases["data"] == data)]
        return cases if folds is None else cases[cases["fold"].isin(list(folds))]

    def _folds(self, row: str, data: str) -> set[int]:
        return {run.fold for run in self.paper.runs if (run.data, run.row) == (data, row)}

    def _source(self, row: str) -> str:
        """Return the row whose runs hold a row's cases."""
        return self.paper.content["reference"] if row == BEFORE else row


def places(paper: Paper, figure: str = "dice") -> list[str]:
    """Return every "DATA/STRUCTURE" of a paper's scale, or every "DATA" for a whole image's."""
    if FIGURES[figure].whole:
        return list(paper.data)
    return [
        f"{name}/{title}"
        for name, data in paper.data.items()
        for title in data["structures"].values()
    ]


def place_title(paper: Paper, place: str) -> str:
    """Return the name of a "DATA/STRUCTURE", or of a "DATA", for tables."""
    data, _, structure = place.partition("/")
    title = paper.data[data]["title"]
    return f"{structure} ({title})" if structure else title


def name_folds(runs: Iterable[Run], *parts: str) -> str:
    """Return runs in words, those that differ in their fold alone together.

    Args:
        runs: to name.
        parts: what of a run to name before its folds, of "data" and "row".
    """
    folds: dict[str, list[str]] = {}
    for run in runs:
        folds.setdefault(", ".join(getattr(run, part) for part in parts), []).append(str(run.fold))
    return "; ".join(
        f"{name}, fold{'s' if len(own) > 1 else ''} {' '.join(own)}" for name, own in folds.items()
    )


def collect(paper: Paper, out: str | Path) -> Results:
    """Read the cases of all runs that have some.

    Args:
        paper: description and scale.
        out: folder of the benchmark, holds `runs/`.

    Raises:
        ValueError: there are no cases at all, or those of a run lack a structure or names.
    """
    frames, training, missing = [], [], []
    for run in paper.runs:
        folder = Path(out) / run.folder
        if (folder / "evaluation" / "cases.csv").is_file():
            frames.append(_read_cases(folder / "evaluation" / "cases.csv", paper, run))
        else:
            missing.append(run)
        note = Path(out) / paper.training(run).folder / "train_seconds.json"
        if note.is_file() and paper.rows[run.row].kind != "stage":
            measured = json.loads(note.read_text())
            training.append({"data": run.data, "row": run.row, "fold": run.fold, **measured})
    if not frames:
        raise ValueError(
            f"{out} must hold finished runs of {paper.name} at the {paper.scale} scale, such as "
            f"{paper.runs[0].folder}/evaluation/cases.csv, but holds none; run the benchmark first."
        )
    columns = ["data", "row", "fold", "seconds", "steps", "threads"]
    return Results(
        paper,
        _count_vanished_as_worst(pd.concat(frames, ignore_index=True)),
        pd.DataFrame(training, columns=columns),
        tuple(missing),
    )


def _read_cases(path: Path, paper: Paper, run: Run) -> pd.DataFrame:
    """Return one run's cases under the paper's names of rows and structures."""
    cases = pd.read_csv(path, dtype={"pair": str, "moving": str, "fixed": str})
    if cases[["moving", "fixed"]].isna().any(axis=None):
        raise ValueError(
            f"{path} must name the people of each pair, since pairs that share one are not "
            "independent, but some are empty; predict again, which writes pairs.json."
        )
    titles = paper.data[run.data]["structures"]
    for name in titles:
        check_choice(f"structure in {path}", name, cases["structure"].unique())
    stages = {"network": run.row}
    if run.row == paper.content["reference"]:
        stages[BEFORE] = BEFORE
    cases = cases[cases["structure"].isin(titles) & cases["stage"].isin(stages)]
    cases = cases.assign(
        structure=cases["structure"].map(titles),
        data=run.data,
        row=cases["stage"].map(stages),
        fold=run.fold,
    )
    first = ["data", "row", "fold"]
    return cases[[*first, *(name for name in cases if name not in [*first, "stage"])]]


def _count_vanished_as_worst(cases: pd.DataFrame) -> pd.DataFrame:
    """Replace the figures of vanished structures; see the head of this file."""
    lost = ~np.isfinite(cases["asd_mm"])
    cases = cases.assign(vanished=lost, dice=cases["dice"].fillna(0.0))
    for column in cases.columns.intersection(DISTANCES):
        finite = cases[column].where(np.isfinite(cases[column]))
        worst = finite.groupby([cases["data"], cases["structure"]]).transform("max")
        cases[column] = finite.fillna(worst)
    return cases
