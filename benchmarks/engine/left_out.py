"""What a scale leaves out of the paper's protocol, in words and as a table of settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from benchmarks.engine import tables
from benchmarks.engine.data import PHANTOM
from benchmarks.engine.paper import Paper, Run
from benchmarks.engine.results import Results
from mmzoo.config_merge import merge, merge_files

LENGTH = ("train.epochs", "train.steps_per_epoch", "train.save_period")


def left_out(results: Results, source: str = PHANTOM) -> list[str]:
    """Return how this scale differs from the paper's protocol, from the description and the runs.

    Args:
        results: what was measured.
        source: of the data.
    """
    paper = results.paper
    lines, every = [], paper.content["data"]
    if source == PHANTOM:
        said = "; ".join(
            f"`{paper.phantom_command(name)}` for {data['title']}"
            for name, data in paper.every_data.items()
            if name in paper.data or name in paper.content.get("training", {})
        )
        lines.append(f"Phantoms, not the paper's images: {said}.")
        for what, of in (("Voxels along each axis", _voxels), ("People", _people)):
            lines += _differing(paper, what, of)
    lines += _differing(paper, "Folds tested", lambda own, data: len(own.test_folds(data)))
    absent = [data["title"] for name, data in every.items() if name not in paper.data]
    if absent:
        lines.append(f"Data sets left out: {'; '.join(absent)}.")
    kinds = {row.kind for row in paper.rows.values()}
    if "rows" in paper.content.get("ablations", {}) and "ablation" not in kinds:
        lines.append("The ablations are left out.")
    if "grid" in paper.content.get("ablations", {}) and "grid" not in kinds:
        lines.append("The grid of settings is left out.")
    return [*lines, *_shorter_training(results), *_fewer_pairs(results)]


def _differing(paper: Paper, what: str, of: Callable[[Paper, str], object]) -> list[str]:
    """Return how a number of each data set differs from the paper's scale, once where alike."""
    full = dataclasses.replace(paper, scale="paper")
    groups: dict[tuple, list[str]] = {}
    for name, data in paper.data.items():
        groups.setdefault((of(paper, name), of(full, name)), []).append(data["title"])
    lines = []
    for (here, wanted), titles in groups.items():
        where = f" ({'; '.join(titles)})" if len(groups) > 1 else ""
        lines += [f"{what}: {here} instead of {wanted}{where}."] if here != wanted else []
    return lines


def _voxels(paper: Paper, data: str) -> str:
    size = [str(voxels) for voxels in paper.size(data)]
    return size[0] if len(set(size)) == 1 else " x ".join(size)


def _people(paper: Paper, data: str) -> int:
    return paper.setting("cases", data)


def _shorter_training(results: Results) -> list[str]:
    """Return one line for each pair of lengths, measured and the paper's, with its rows."""
    paper = results.paper
    lengths: dict[str, dict[tuple[int, int], list[str]]] = {}
    for trained in results.training.itertuples():
        run = Run(trained.data, trained.row, int(trained.fold))
        train = merge_files(paper.config_files(run)).get("train", {})
        full = train.get("epochs", 0) * train.get("steps_per_epoch", 0)
        row = paper.rows[trained.row]
        title = "the grid" if row.kind == "grid" else row.title
        places = lengths.setdefault(title, {}).setdefault((int(trained.steps), full), [])
        places.append(paper.data[trained.data]["title"])
    groups: dict = {}
    for title, own in lengths.items():
        for length, places in own.items():
            where = f" ({'; '.join(dict.fromkeys(places))})" if len(own) > 1 else ""
            groups.setdefault(length, []).append(title + where)
    return [
        f"{here:,} training steps instead of {full:,}: {', '.join(titles)}."
        for (here, full), titles in groups.items()
        if here != full
    ]


def _fewer_pairs(results: Results) -> list[str]:
    """Return a line on the rows that hold only a part of the pairs of the reference."""
    paper, titles = results.paper, []
    reference = paper.content["reference"]
    for row in paper.rows.values():
        for run in (run for run in paper.runs if run.row == row.name):
            own, every = (
                len(results.per_pair(name, run.data, "dice", [run.fold]))
                for name in (row.name, reference)
            )
            if 0 < own < every:
                titles.append(row.title)
    names = ", ".join(dict.fromkeys(titles))
    return [f"Only a part of the test pairs, see the tables: {names}."] if names else []


def changed_settings(paper: Paper) -> str:
    """Return a table of what the scale changes in the configurations, beside their length."""
    groups: dict = {}
    for run in paper.runs:
        row = paper.rows[run.row]
        if row.kind == "row":
            full = _flat(merge_files(paper.config_files(run)))
            here = merge_files([*paper.config_files(run), *paper.scale_files()])
            here = _flat(merge(here, paper.overrides(run)))
            kind = "baseline" if paper.is_conventional(run) else "train"
            for key in sorted(full.keys() | here.keys()):
                ours = key.startswith(kind) and key not in LENGTH
                if ours and full.get(key) != here.get(key):
                    change = (key, str(full.get(key, "–")), str(here.get(key, "–")))
                    groups.setdefault(change, []).append(row.title)
    if not groups:
        return ""
    body = [
        [f"`{key}`", full, here, ", ".join(dict.fromkeys(titles))]
        for (key, full, here), titles in groups.items()
    ]
    head = "Settings that the scale changes, beside the length of the training:\n\n"
    return head + tables.markdown(["setting", "paper's scale", paper.scale, "rows"], body, text=4)


def _flat(config: dict, prefix: str = "") -> dict:
    """Return nested settings with dots in their keys."""
    flat: dict = {}
    for key, value in config.items():
        nested = isinstance(value, dict)
        flat |= _flat(value, f"{prefix}{key}.") if nested else {f"{prefix}{key}": value}
    return flat
