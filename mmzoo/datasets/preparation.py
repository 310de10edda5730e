"""Preparing a data set: in parallel, with checks and a report; an interrupted run goes on.

A job is one image, or the two of one person on one grid. Each file is an atomic write and the image
comes last, so a case whose image exists is complete; its notes are in `cases/`.
"""

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from mmzoo.checks import check_choice
from mmzoo.datasets import hdf5, layout, one_case, reporting, sources
from mmzoo.datasets.choices import Choices
from mmzoo.datasets.folds import SPLITS, Fold, make_folds, one_split, without_split
from mmzoo.datasets.sets.base import DataSet, Scan
from mmzoo.io.parallel import run_all

# Increase it when the same settings no longer give the same files.
VERSION = 1
FORMATS = ("nifti", "h5")
Progress = Callable[[int, int], None]


def prepare(
    data: DataSet,
    source: Path,
    out: Path,
    choices: Choices,
    *,
    name: str,
    jobs: int = 1,
    allow_partial: bool = False,
    overwrite: bool = False,
    form: str = "nifti",
    command: str = "",
    progress: Progress = lambda done, total: None,
) -> dict:
    """Bring a download into DeepReg's layout; goes on where an earlier run stopped.

    Args:
        data: which data set.
        source: folder that it was unpacked to.
        out: folder to write.
        choices: see ``Choices``.
        name: of the data set, kept in ``mmzoo.json``.
        jobs: processes.
        allow_partial: go on though there are fewer people than the official download has.
        overwrite: replace what was prepared there with other choices.
        form: "nifti", or "h5": DeepReg's h5 files beside the NIfTI ones.
        command: what the user typed.
        progress: called with the number of finished jobs and of all.

    Returns:
        The contents of ``mmzoo.json``; ``report.json`` and ``report.md`` lie beside it.

    Raises:
        ValueError: for wrong numbers of people, or unfit files; says which and what to change.
    """
    check_choice("format", form, FORMATS)
    choices = choices.settle(data)
    found = find_scans(data, Path(source), choices)
    report = reporting.Report(name, data.title, data.page, str(source), data.remarks)
    report.count(data, found, choices)
    if report.missing and not allow_partial:
        raise ValueError(report.explain_missing(source))
    groups = group_scans(data, found, choices)
    earlier = sources.read(out)
    made_from = sources.describe(data, groups, earlier)
    settings = {
        "version": VERSION,
        "name": name,
        "files": sources.key(made_from),
        **asdict(choices),
    }
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]
    if not overwrite and _goes_on(out, settings) and earlier:
        for case in sources.changed_cases(earlier, made_from, groups):
            one_case.remove_case(out, case)
    else:
        changes = sources.differences(earlier, made_from) if earlier else []
        layout.open_folder(out, settings, digest, overwrite, changes)
    sources.write(out, made_from)
    description = {
        "name": name,
        "kind": "real",
        "complete": False,
        "digest": digest,
        "seed": choices.seed,
        "labels": list(choices.structures),
        "moving": choices.moving,
        "fixed": choices.fixed,
        "pairing": data.pairing(choices.moving, choices.fixed),
        "settings": settings,
        "command": command,
        "cases": {},
        "folds": [],
    }
    # Before any case, so that an interrupted run is recognised.
    layout.write_description(out, description)
    failed = _prepare_missing(data, groups, out, choices, jobs, progress)
    infos = {scan.case: one_case.read_info(out, scan.case) for group in groups for scan in group}
    report.cases(infos, failed)
    reporting.write(out, report)
    if failed:
        raise ValueError(_explain_failed(failed, out))
    return _finish(data, groups, infos, out, choices, description, form)


def _goes_on(out: Path, settings: dict) -> bool:
    """Whether a folder holds an unfinished run of the same settings, even of other files."""
    before = layout.read_description(out)
    if before is None or before.get("complete", True):
        return False
    same = json.loads(json.dumps(settings)) | {"files": ""}
    return before.get("settings", {}) | {"files": ""} == same


def find_scans(data: DataSet, source: Path, choices: Choices) -> list[Scan]:
    """Return all scans of a download.

    Raises:
        ValueError: if there is none of the two modalities.
    """
    if not source.is_dir():
        raise ValueError(f"{source} is not a folder; give where {data.title} was unpacked.")
    found = data.find(source)
    if not any(scan.modality in (choices.moving, choices.fixed) for scan in found):
        raise ValueError(
            f"{source} holds no {choices.moving} or {choices.fixed} image of {data.title}; looked "
            f"for {data.layout}, at any depth. Is it unpacked? It is had at {data.page}."
        )
    return [scan.select(choices.geometry) for scan in found] if choices.geometry else found


def group_scans(data: DataSet, found: list[Scan], choices: Choices) -> list[tuple[Scan, ...]]:
    """Return jobs: (scan,), or (moving, fixed) of a person who has both."""
    labelled = [scan for scan in found if scan.labels or not data.structures]
    kept = [scan for scan in labelled if not {scan.case, scan.person} & set(choices.without)]
    sides = {
        modality: [scan for scan in kept if scan.modality == modality][: choices.people]
        for modality in (choices.moving, choices.fixed)
    }
    if data.pairing(choices.moving, choices.fixed) != "same":
        return [(scan,) for scans in sides.values() for scan in scans]
    own = {scan.pair or scan.person: scan for scan in kept if scan.modality == choices.fixed}
    movings = [scan for scan in kept if scan.modality == choices.moving]
    pairs: list[tuple[Scan, ...]] = [
        (m, own[m.pair or m.person]) for m in movings if (m.pair or m.person) in own
    ]
    return pairs[: choices.people]


def _prepare_missing(data, groups, out, choices, jobs, progress) -> dict[str, str]:
    """Prepare missing cases; return error messages by case."""
    todo = [group for group in groups if not all(one_case.is_done(out, scan) for scan in group)]
    progress(len(groups) - len(todo), len(groups))
    failed = {}
    tasks = [(data, group, out, choices) for group in todo]
    for done, (case, error) in enumerate(run_all(one_case.prepare_group, tasks, jobs), start=1):
        progress(len(groups) - len(todo) + done, len(groups))
        if error:
            failed[case] = error
    return failed


def _explain_failed(failed: dict[str, str], out: Path) -> str:
    listed = "\n".join(f"* {case}: {error}" for case, error in sorted(failed.items()))
    return (
        f"{len(failed)} case(s) cannot be used:\n{listed}\n"
        f"Mend the files, or leave cases out with --without {' '.join(sorted(failed))}; "
        f"{out / reporting.MARKDOWN} has the whole list, and what is done is kept."
    )


def _finish(data, groups, infos, out: Path, choices: Choices, description: dict, form: str) -> dict:
    """Split people, link the folders, and write the description."""
    usable = [group for group in groups if not any(infos[s.case].get("left_out") for s in group)]
    folds = split_people(data, usable, choices)
    shape, labelled = (choices.recipe or data.recipe).size, bool(data.structures)
    layout.write_folds(out, folds, shape, labelled=labelled, pairing=description["pairing"])
    if form == "h5":
        hdf5.write_folds(out, folds, shape, labelled=labelled, pairing=description["pairing"])
    cases = {
        scan.case: layout.case_info(out, scan.case) | infos[scan.case]
        for group in usable
        for scan in group
    }
    extra = {"field": layout.FIELD} if choices.deform_mm else {}
    description |= {"complete": True, "cases": cases, "folds": folds, **extra}
    layout.write_description(out, description)
    return description


def split_people(data: DataSet, groups: Iterable, choices: Choices) -> list[Fold]:
    """Split by people: all images of a person are always in the same split.

    Returns:
        Folds; a single one that trains and tests on everyone if there are too few people to split.
    """
    scans = {scan.case: scan for group in groups for scan in group}.values()
    sides = [
        [scan for scan in scans if scan.modality == modality]
        for modality in (choices.moving, choices.fixed)
    ]
    pairing = data.pairing(choices.moving, choices.fixed)
    if pairing != "all":
        both = {scan.person for scan in sides[0]} & {scan.person for scan in sides[1]}
        sides = [[scan for scan in side if scan.person in both] for side in sides]
    people = [list(dict.fromkeys(scan.person for scan in side)) for side in sides]
    if set(people[0]) & set(people[1]):
        everyone = list(dict.fromkeys(people[0] + people[1]))
        people = [everyone, everyone]
    people = [_in_order(names, choices) for names in people]
    fewest = 2 if pairing == "others" else 1
    folds = _given_folds(data, sides, choices) or _folds(data, people, choices, fewest)
    return [_with_cases(fold, sides) for fold in folds]


def _given_folds(data: DataSet, sides, choices: Choices) -> list[Fold]:
    """Return the folds that the data set defines itself, if it does."""
    tested = {scan.person: data.test_fold(scan) for side in sides for scan in side}
    folds = []
    for number in sorted({fold for fold in tested.values() if fold is not None}):
        test = [person for person, fold in tested.items() if fold == number]
        rest = [person for person, fold in tested.items() if fold != number]
        ends = {"test": test, "valid": rest[: choices.valid], "train": rest[choices.valid :]}
        folds.append({split: {"moving": ends[split], "fixed": ends[split]} for split in ends})
    return folds


def _folds(data: DataSet, people, choices: Choices, fewest: int) -> list[Fold]:
    moving, fixed = people
    most = min(len(moving), len(fixed)) // fewest
    whole = without_split(moving, fixed)
    if choices.folds is None and isinstance(data.split, tuple):
        return one_split(moving, fixed, data.split, fewest) if most >= 2 else whole
    folds = choices.folds or min(int(data.split), most)  # type: ignore[arg-type]
    return make_folds(moving, fixed, folds, choices.valid) if folds >= 2 else whole


def _with_cases(fold: Fold, sides) -> Fold:
    """Return a fold of people as a fold of cases, moving and fixed in the same order."""
    return {
        split: {
            role: [scan.case for scan in side if scan.person in set(fold[split][role])]
            for role, side in zip(("moving", "fixed"), sides, strict=True)
        }
        for split in SPLITS
    }


def _in_order(people: list[str], choices: Choices) -> list[str]:
    if not choices.shuffle:
        return people
    order = np.random.default_rng(choices.seed).permutation(len(people))
    return [people[k] for k in order]
