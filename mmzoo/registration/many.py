"""Many pairs: each registered once, whatever becomes of the others, and all summed up."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mmzoo.errors import in_words
from mmzoo.io.atomic import UNFINISHED, claimed, whole_file
from mmzoo.io.parallel import default_jobs
from mmzoo.io.workers import TaskError, run_tasks
from mmzoo.registration.doubts import DOUBTFUL
from mmzoo.registration.index_page import index_page
from mmzoo.registration.job import asked_for, check_options, earlier_report, register_files
from mmzoo.registration.output import FILES, REPORT
from mmzoo.registration.pair_files import PairFiles
from mmzoo.terminal import Report

SUMMARY, INDEX = "summary.csv", "index.html"
DONE, FAILED, WAITING = "done", "failed", "waiting"
COLUMNS = (
    *("name", "status", "doubts", "dice_before", "dice_linear", "dice_after"),
    *("asd_before_mm", "asd_linear_mm", "asd_after_mm"),
    *("hd95_before_mm", "hd95_linear_mm", "hd95_after_mm"),
    *("tre_before_mm", "tre_linear_mm", "tre_after_mm", "nmi_before", "nmi_linear", "nmi_after"),
    *("share_known", "smallest_determinant", "folding_percent", "seconds"),
    *("error", "fixed", "moving"),
)
Row = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """What is done with each pair.

    Attributes:
        out: folder; each pair has one of its name in it.
        options: of `mmzoo.register`, see `register_files`.
        frame: of points in a CSV.
        command: what the user called.
    """

    out: Path
    options: dict
    frame: str = ""
    command: str = ""


def register_pairs(
    pairs: list[PairFiles],
    plan: Plan,
    *,
    jobs: int = 1,
    overwrite: bool = False,
    progress: Report = lambda stage, done, total: None,
) -> list[Row]:
    """Register pairs, each into a folder of its name, and write `summary.csv` and `index.html`.

    A pair that is there whole, made from the same files with the same options, is not made again;
    one that was interrupted or has failed is. A pair that fails does not end the others.

    Args:
        pairs: from `mmzoo.registration.pair_files`, checked.
        plan: where to, and how.
        jobs: processes. With one all is done in this one, and boxes of the same shape compile once.
        overwrite: replace pairs made from other files or with other options.
        progress: see `mmzoo.register`.

    Returns:
        A row of `COLUMNS` for each pair, in their order.

    Raises:
        ValueError: an option that cannot work, or a folder that must not be replaced; before
            anything is done.
    """
    if jobs < 1:
        raise ValueError(f"`jobs` must be 1 or more, got {jobs}.")
    check_options(plan.options)
    if plan.out.exists() and not plan.out.is_dir():
        raise ValueError(f"{plan.out} is a file; give a folder to write.")
    with claimed(plan.out):
        rows = {pair.name: _row(pair) for pair in pairs}
        todo = []
        for k, pair in enumerate(pairs):
            progress("looking at inputs", k, len(pairs))
            report = _finished(pair, plan, overwrite)
            if report is None:
                todo.append(pair)
            else:
                rows[pair.name] = _done(pair, report)
        progress("looking at inputs", len(pairs), len(pairs))
        plan.out.mkdir(parents=True, exist_ok=True)
        _write(plan.out, rows)
        done = len(pairs) - len(todo)
        progress("pairs", done, len(pairs))
        for name, row in _results(todo, plan, jobs, progress):
            rows[name] = row
            done += 1
            _write(plan.out, rows)
            progress("pairs", done, len(pairs))
    return list(rows.values())


def register_one(pair: PairFiles, plan: Plan, overwrite: bool, progress: Report) -> dict:
    """Register one pair of a table, unless it is there; returns its report, raises its error."""
    check_options(plan.options)
    with claimed(plan.out / pair.name):
        report = _finished(pair, plan, overwrite)
        return report or _register(pair, plan, progress)


def _finished(pair: PairFiles, plan: Plan, overwrite: bool) -> dict | None:
    """Return the report of a pair that is there; None where it is to be made.

    Raises:
        ValueError: what is there was made otherwise, or by something else, and is not to go.
    """
    out = plan.out / pair.name
    if not out.exists() or (out.is_dir() and _is_ours_unfinished(out)):
        return None
    report = earlier_report(out)
    if report is None:
        raise ValueError(
            f"{out} is there and holds no {REPORT}, so it was not made by mmzoo; nothing was "
            "touched. Give another folder."
        )
    try:
        asked = asked_for(pair, plan.options, plan.frame)
    except OSError as error:
        raise ValueError(f"{pair.place}: {in_words(error)}") from error
    if report.get("asked") == asked:
        return report
    if overwrite:
        return None
    raise ValueError(
        f"{out} holds a registration made from {_difference(report.get('asked'), asked)}; nothing "
        "was touched. Give another folder, or --overwrite to replace such pairs."
    )


def _is_ours_unfinished(out: Path) -> bool:
    """Whether a folder holds what an interruption of ours has left, or nothing."""
    names = {path.name for path in out.iterdir()}
    return not names or UNFINISHED in names or (REPORT not in names and names <= set(FILES))


def _difference(earlier: Any, asked: dict) -> str:
    """Return in words in what two registrations differ."""
    if not isinstance(earlier, dict):
        return "files that it does not name, by one pair's command or another version"
    for part, what in (("inputs", "another"), ("options", "another")):
        old, new = earlier.get(part) or {}, asked[part]
        names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
        if names:
            values = f" ({old.get(names[0])}, now {new.get(names[0])})" if part == "options" else ""
            return f"{what} `{names[0]}`{values}"
    return f"the same by another version, {earlier.get('mmzoo')}"


def _results(
    todo: list[PairFiles], plan: Plan, jobs: int, progress: Report
) -> Iterator[tuple[str, Row]]:
    if min(jobs, len(todo)) <= 1:
        predictor = _predictor(plan)
        for pair in todo:
            stages = partial(_stage, progress, pair.name)
            yield pair.name, _outcome(pair, plan, stages, predictor)
        return
    threads = max(1, default_jobs() // jobs)
    for pair, found in run_tasks(partial(_in_process, plan), todo, jobs, threads):
        yield pair.name, _failed(pair, str(found)) if isinstance(found, TaskError) else found


def _stage(progress: Report, name: str, stage: str, done: int, total: int | None) -> None:
    progress(f"{name}: {stage}", done, total)


def _in_process(plan: Plan, pair: PairFiles) -> Row:
    # A process that is ended cannot hand on what it has compiled.
    os.environ["MMZOO_COMPILATION_CACHE"] = "0"
    return _outcome(pair, plan, lambda *_: None, _predictor(plan))


def _register(pair: PairFiles, plan: Plan, progress: Report, predictor: Any = None) -> dict:
    return register_files(
        pair,
        plan.out / pair.name,
        plan.options,
        frame=plan.frame,
        command=plan.command,
        progress=progress,
        predictor=predictor,
    )


_predictors: dict[str, Any] = {}  # of this process


def _predictor(plan: Plan) -> Any:
    """Return the network of a plan, loaded once in a process; None without one."""
    model = plan.options.get("model")
    if model is None:
        return None
    if model not in _predictors:
        from mmzoo.inference.predictor import Predictor

        _predictors[model] = Predictor(model)
    return _predictors[model]


def _outcome(pair: PairFiles, plan: Plan, progress: Report, predictor: Any) -> Row:
    try:
        return _done(pair, _register(pair, plan, progress, predictor))
    except Exception as error:  # whatever it is: the other pairs go on
        return _failed(pair, in_words(error))


def _row(pair: PairFiles, **known: Any) -> Row:
    files = {"fixed": pair.fixed, "moving": pair.moving}
    return dict.fromkeys(COLUMNS, "") | {"name": pair.name, "status": WAITING, **files, **known}


def _failed(pair: PairFiles, reason: str) -> Row:
    return _row(pair, status=FAILED, error=" ".join(reason.split()))


def _done(pair: PairFiles, report: dict) -> Row:
    doubts = [note for note in report["notes"] if note.startswith(DOUBTFUL)]
    figures = {"nmi": "nmi_{}", "dice": "dice_{}", "tre_mm": "tre_{}_mm"}
    figures |= {"asd_mm": "asd_{}_mm", "hd95_mm": "hd95_{}_mm"}
    by_stage = {
        column.format(stage): value
        for name, column in figures.items()
        for stage, value in report.get(name, {}).items()
    }
    return _row(
        pair,
        status=DONE,
        doubts="; ".join(doubts),
        **{name: round(value, 4) for name, value in by_stage.items() if _known(value)},
        share_known=report["share_known"]["after"],
        smallest_determinant=_rounded(report.get("smallest_determinant"), 3),
        folding_percent=_rounded(report.get("folding_percent"), 4),
        seconds=round(sum(report["seconds"].values()), 1),
    )


def _known(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _rounded(value: float | None, digits: int) -> float | str:
    return "" if value is None else round(value, digits)


def _write(out: Path, rows: dict[str, Row]) -> None:
    """Write the summary of all pairs and the page, each whole."""
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(rows.values())
    for name, content in ((SUMMARY, text.getvalue()), (INDEX, index_page(out, rows.values()))):
        with whole_file(out / name) as partial_file:
            partial_file.write_text(content, encoding="utf-8")
