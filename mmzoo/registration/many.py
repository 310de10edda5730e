"""Registration of many pairs, each independent of the others, with a summary."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mmzoo.errors import in_words
from mmzoo.io.atomic import UNFINISHED, claimed
from mmzoo.io.parallel import default_jobs
from mmzoo.io.workers import TaskError, run_tasks
from mmzoo.registration.job import asked_for, check_options, earlier_report, register_files
from mmzoo.registration.output import FILES, REPORT
from mmzoo.registration.pair_files import PairFiles
from mmzoo.registration.summary import Row, Summary, done_row, failed_row, pair_row
from mmzoo.terminal import Report


@dataclass(frozen=True)
class Batch:
    """Settings for all pairs.

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
    plan: Batch,
    *,
    jobs: int = 1,
    overwrite: bool = False,
    progress: Report = lambda stage, done, total: None,
) -> list[Row]:
    """Register pairs, each into a folder of its name, and write `summary.csv` and `index.html`.

    A complete pair, made from the same files with the same options, is not registered again; one
    that was interrupted or has failed is. A failed pair does not stop the others. Summary and page
    are written as pairs end, see `Summary`.

    Args:
        pairs: from `mmzoo.registration.pair_files`, checked.
        plan: settings.
        jobs: processes. With one, all runs in this process, and boxes of the same shape compile
            once.
        overwrite: replace pairs that were made from other files or with other options.
        progress: see `mmzoo.register`.

    Returns:
        A row of `COLUMNS` for each pair, in their order.

    Raises:
        ValueError: an unfit option, or a folder that must not be replaced; raised before any
            registration.
    """
    if jobs < 1:
        raise ValueError(f"`jobs` must be 1 or more, got {jobs}.")
    check_options(plan.options)
    if plan.out.exists() and not plan.out.is_dir():
        raise ValueError(f"{plan.out} is a file; give a folder to write.")
    with claimed(plan.out):
        rows = {pair.name: pair_row(pair) for pair in pairs}
        summary = Summary(plan.out, rows)
        todo = []
        for k, pair in enumerate(pairs):
            progress("looking at inputs", k, len(pairs))
            report = _finished(pair, plan, overwrite)
            if report is None:
                todo.append(pair)
            else:
                rows[pair.name] = done_row(pair, report)
        progress("looking at inputs", len(pairs), len(pairs))
        plan.out.mkdir(parents=True, exist_ok=True)
        done = len(pairs) - len(todo)
        progress("pairs", done, len(pairs))
        with summary:
            for name, row in _results(todo, plan, jobs, progress):
                rows[name] = row
                done += 1
                summary.write_in_time()
                progress("pairs", done, len(pairs))
    return list(rows.values())


def register_one(pair: PairFiles, plan: Batch, overwrite: bool, progress: Report) -> dict:
    """Register one pair of a table, unless it is there; returns its report, raises its error."""
    check_options(plan.options)
    with claimed(plan.out / pair.name):
        report = _finished(pair, plan, overwrite)
        return report or _register(pair, plan, progress)


def _finished(pair: PairFiles, plan: Batch, overwrite: bool) -> dict | None:
    """Return the report of a finished pair; None if it must be registered.

    Raises:
        ValueError: the folder holds something else that must not be replaced.
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
    """Whether a folder is empty, or left by an interrupted registration."""
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
    todo: list[PairFiles], plan: Batch, jobs: int, progress: Report
) -> Iterator[tuple[str, Row]]:
    if min(jobs, len(todo)) <= 1:
        predictor = _predictor(plan)
        for pair in todo:
            stages = partial(_stage, progress, pair.name)
            yield pair.name, _outcome(pair, plan, stages, predictor)
        return
    threads = max(1, default_jobs() // jobs)
    for pair, found in run_tasks(partial(_in_process, plan), todo, jobs, threads):
        yield pair.name, failed_row(pair, str(found)) if isinstance(found, TaskError) else found


def _stage(progress: Report, name: str, stage: str, done: int, total: int | None) -> None:
    progress(f"{name}: {stage}", done, total)


def _in_process(plan: Batch, pair: PairFiles) -> Row:
    # A killed process cannot add its compiled code to the cache.
    os.environ["MMZOO_COMPILATION_CACHE"] = "0"
    return _outcome(pair, plan, lambda *_: None, _predictor(plan))


def _register(pair: PairFiles, plan: Batch, progress: Report, predictor: Any = None) -> dict:
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


def _predictor(plan: Batch) -> Any:
    """Return the network of a plan, loaded once in a process; None without one."""
    model = plan.options.get("model")
    if model is None:
        return None
    if model not in _predictors:
        from mmzoo.inference.predictor import Predictor

        _predictors[model] = Predictor(model)
    return _predictors[model]


def _outcome(pair: PairFiles, plan: Batch, progress: Report, predictor: Any) -> Row:
    try:
        return done_row(pair, _register(pair, plan, progress, predictor))
    except Exception as error:  # of any type: the other pairs go on
        return failed_row(pair, in_words(error))
