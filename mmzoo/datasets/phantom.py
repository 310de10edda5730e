"""Making phantom data sets: one random person a case, in parallel; an interrupted run goes on."""

from collections.abc import Callable
from pathlib import Path

from mmzoo.checks import check_positive
from mmzoo.datasets import layout
from mmzoo.datasets.folds import make_folds
from mmzoo.io.parallel import run_all
from mmzoo.phantoms.case import choose_grid, make_case, rigid_motions, true_field
from mmzoo.phantoms.settings import PhantomSettings, phantom_module, trait

__all__ = [
    "PhantomSettings",
    "choose_grid",
    "default_size",
    "make_case",
    "make_data_set",
    "rigid_motions",
    "true_field",
]


def make_data_set(
    settings: PhantomSettings,
    out: Path,
    *,
    cases: int,
    folds: int,
    valid: int,
    test: int = 0,
    jobs: int = 1,
    overwrite: bool = False,
    command: str = "",
    report: Callable[[int, int], None] = lambda done, total: None,
) -> dict:
    """Make a phantom data set in DeepReg's layout; goes on where an earlier run stopped.

    Args:
        settings: what the cases are made from.
        out: folder to write; made if it is not there.
        cases: people per modality.
        folds: folds for cross-validation.
        valid: people per modality that validate in each fold.
        test: people per modality that are tested in every fold; 0: each in one fold.
        jobs: processes.
        overwrite: replace an earlier data set of other settings.
        command: what the user typed, kept in ``mmzoo.json``.
        report: called with the number of finished cases and of all.

    Returns:
        The contents of ``mmzoo.json``.

    Raises:
        ValueError: for settings that make no data set, or a folder that holds something else.
    """
    settings.check()
    check_positive("jobs", jobs)
    module = phantom_module(settings.name)
    names = {
        modality: [f"{modality}_{index:03d}" for index in range(cases)]
        for modality in (settings.moving, module.FIXED)
    }
    split = make_folds(names[settings.moving], names[module.FIXED], folds, valid, test)
    layout.open_folder(out, settings.as_dict(), settings.digest, overwrite)
    description = {
        "name": settings.name,
        "kind": "phantom",
        "complete": False,
        "seed": settings.seed,
        "labels": list(module.LABELS),
        "moving": settings.moving,
        "fixed": module.FIXED,
        "pairing": trait(settings.name, "PAIRING"),
        "settings": settings.as_dict(),
        "digest": settings.digest,
        "command": command,
        "cases": {},
        "folds": split,
    }
    if settings.same_person:
        description |= {"field": layout.FIELD, "planes": trait(settings.name, "PLANES")}
    # Before any case, so that an interrupted run is recognised.
    layout.write_description(out, description)
    _make_missing(settings, out, names, jobs, report)
    layout.write_folds(out, split, settings.size, labelled=True, pairing=description["pairing"])
    every = [case for group in names.values() for case in group]
    infos = {case: layout.case_info(out, case) for case in every}
    description |= {"complete": True, "cases": infos}
    layout.write_description(out, description)
    return description


def _make_missing(settings: PhantomSettings, out: Path, names: dict, jobs: int, report) -> None:
    every = [(modality, k) for modality, cases in names.items() for k in range(len(cases))]
    todo = [
        (modality, k)
        for modality, k in every
        if not (out / "images" / f"{names[modality][k]}.nii.gz").exists()
    ]
    report(len(every) - len(todo), len(every))
    tasks = [(settings, out, modality, index) for modality, index in todo]
    for done, _ in enumerate(run_all(_write_case, tasks, jobs), start=1):
        report(len(every) - len(todo) + done, len(every))


def _write_case(settings: PhantomSettings, out: Path, modality: str, index: int) -> None:
    fixed = phantom_module(settings.name).FIXED
    if settings.same_person and modality == fixed:
        pair = f"{settings.moving}_{index:03d}", f"{fixed}_{index:03d}"
        layout.save_field(out, *pair, *true_field(settings, index))
        layout.save_motions(out, *pair, rigid_motions(settings, index))
    # Last: an image that is there means that the case is finished.
    image, labels, affine = make_case(settings, modality, index)
    layout.save_case(out, f"{modality}_{index:03d}", image, labels, affine)


def default_size(name: str) -> tuple[int, int, int]:
    """Return the size of a phantom's images where none is given.

    Raises:
        ValueError: for an unknown phantom.
    """
    return trait(name, "SIZE")
