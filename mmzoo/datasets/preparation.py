"""Preparing a data set: many people side by side, restartable, checked, with a report.

Each piece of work is one image, or the two of one person on one grid. Its files are written last
image first whole, so that what is there is finished; what was seen on the way is in `cases/`.
"""

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from mmzoo.checks import check_choice, check_positive
from mmzoo.datasets import hdf5, layout, one_case, reporting, sources
from mmzoo.datasets.sets.base import DataSet, Recipe, Scan
from mmzoo.io.parallel import run_all
from mmzoo.spatial.grid import check_size

# Raise it when the same settings no longer give the same files.
VERSION = 1
FORMATS = ("nifti", "h5")
CROPS = ("labels", "body", "nonzero", "none")
NORMALISATIONS = ("zscore", "brain", "none")
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Choices:
    """What a user may choose; empty or None: as the data set has it.

    Attributes:
        moving: modality that is registered.
        fixed: modality that it is registered to.
        structures: names of the labels that are written.
        recipe: the steps.
        folds: folds for cross-validation, or one.
        valid: people of each modality that validate, in each fold.
        seed: of what is drawn; with ``shuffle`` also of the order of people before they are split.
        shuffle: split people in an order drawn by ``seed`` instead of that of their names.
        people: take so many of each modality, the first.
        without: names of cases or people that are left out.
        deform_mm: largest displacement of moving images that lie on their fixed ones.
        geometry: what counts in NIfTI headers that say two places: sform, qform, or empty for
            ITK's rule.
    """

    moving: str = ""
    fixed: str = ""
    structures: tuple[str, ...] = ()
    recipe: Recipe | None = None
    folds: int | None = None
    valid: int = 0
    seed: int = 0
    shuffle: bool = False
    people: int | None = None
    without: tuple[str, ...] = ()
    deform_mm: float | None = None
    geometry: str = ""

    def settle(self, data: DataSet) -> "Choices":
        """Return the choices with the data set's own where none was made, all checked.

        Raises:
            ValueError: for a choice that the data set does not leave.
        """
        deform_mm = data.deform_mm if self.deform_mm is None else self.deform_mm
        settled = replace(
            self,
            moving=self.moving or data.moving,
            fixed=self.fixed or data.fixed,
            structures=self.structures or data.wanted or tuple(data.structures),
            recipe=self.recipe or data.recipe,
            deform_mm=deform_mm,
        )
        settled._check(data)
        return settled

    def _check(self, data: DataSet) -> None:
        check_choice("moving", self.moving, data.modalities)
        check_choice("fixed", self.fixed, data.modalities)
        recipe, deform_mm = self.recipe or data.recipe, self.deform_mm or 0.0
        for name in (*self.structures, *recipe.around):
            check_choice("structures", name, data.structures)
        check_recipe(recipe)
        check_positive("deform", deform_mm, allow_zero=True)
        check_positive("people", 1 if self.people is None else self.people)
        if deform_mm and data.pairing(self.moving, self.fixed) != "same":
            raise ValueError(
                f"`deform` is for two images of one person, got {deform_mm} for "
                f"{self.moving} and {self.fixed} of different people; leave it out."
            )


def check_recipe(recipe: Recipe) -> None:
    """Raise ValueError for steps that cannot be done."""
    check_size(recipe.size, (1, 1, 1), (4, 4, 4))
    for length in recipe.spacing or ():
        check_positive("spacing", length)
    check_positive("margin", recipe.margin_mm, allow_zero=True)
    check_choice("normalise", recipe.normalise, NORMALISATIONS)
    if isinstance(recipe.crop, str):
        check_choice("crop", recipe.crop, CROPS)
        return
    for length in recipe.crop:
        check_positive("crop", length)


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
        progress: is told how many pieces of work are done, of how many.

    Returns:
        The contents of ``mmzoo.json``; ``report.json`` and ``report.md`` lie beside it.

    Raises:
        ValueError: where counts are off, or files do not fit; says which and how to mend it.
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
            one_case.remove(out, case)
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
    # Before any case, so that an interrupted run can be told from another data set.
    layout.write_description(out, description)
    failed = _prepare_missing(data, groups, out, choices, jobs, progress)
    infos = {scan.case: one_case.read_info(out, scan.case) for group in groups for scan in group}
    report.cases(infos, failed)
    reporting.write(out, report)
    if failed:
        raise ValueError(_explain_failed(failed, out))
    return _finish(data, groups, infos, out, choices, description, form)


def _goes_on(out: Path, settings: dict) -> bool:
    """Say whether a folder holds an unfinished run of the same settings, be it of other files."""
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
    """Return pieces of work: (scan,), or (moving, fixed) of one person, who has both."""
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
    """Prepare what is not there yet; return what went wrong, by case."""
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


def split_people(data: DataSet, groups: Iterable, choices: Choices) -> list[layout.Fold]:
    """Split by people: all images of a person are always in the same split.

    Returns:
        Folds; one that trains and tests on everyone where there are too few people to split.
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


def _given_folds(data: DataSet, sides, choices: Choices) -> list[layout.Fold]:
    """Return the folds that the data set names itself, if it does."""
    tested = {scan.person: data.test_fold(scan) for side in sides for scan in side}
    folds = []
    for number in sorted({fold for fold in tested.values() if fold is not None}):
        test = [person for person, fold in tested.items() if fold == number]
        rest = [person for person, fold in tested.items() if fold != number]
        ends = {"test": test, "valid": rest[: choices.valid], "train": rest[choices.valid :]}
        folds.append({split: {"moving": ends[split], "fixed": ends[split]} for split in ends})
    return folds


def _folds(data: DataSet, people, choices: Choices, fewest: int) -> list[layout.Fold]:
    moving, fixed = people
    most = min(len(moving), len(fixed)) // fewest
    whole = layout.without_split(moving, fixed)
    if choices.folds is None and isinstance(data.split, tuple):
        return layout.one_split(moving, fixed, data.split, fewest) if most >= 2 else whole
    folds = choices.folds or min(int(data.split), most)  # type: ignore[arg-type]
    return layout.make_folds(moving, fixed, folds, choices.valid) if folds >= 2 else whole


def _with_cases(fold: layout.Fold, sides) -> layout.Fold:
    """Return a fold of people as one of their cases, in one order on both sides."""
    return {
        split: {
            role: [scan.case for scan in side if scan.person in set(fold[split][role])]
            for role, side in zip(("moving", "fixed"), sides, strict=True)
        }
        for split in layout.SPLITS
    }


def _in_order(people: list[str], choices: Choices) -> list[str]:
    if not choices.shuffle:
        return people
    order = np.random.default_rng(choices.seed).permutation(len(people))
    return [people[k] for k in order]
