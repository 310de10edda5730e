"""Making phantom data sets: one seeded person a case, in parallel, restartable."""

import hashlib
import importlib
import json
import os
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from mmzoo.checks import check_choice, check_positive
from mmzoo.data import layout
from mmzoo.data.grid import Grid, check_size
from mmzoo.data.render import draw_intensities, draw_labels, paint

# Raise it when the same settings no longer give the same files: folders of before are then refused.
VERSION = 1
MARGIN_MM = 10.0
PHANTOMS = {"heart": "mmzoo.data.heart", "abdomen": "mmzoo.data.abdomen"}


@dataclass(frozen=True)
class Settings:
    """What decides the contents of a case's files, beside its modality and index.

    Attributes:
        name: which phantom, one of ``PHANTOMS``.
        size: voxels along each axis.
        fov: one of the phantom's fields of view, by name (empty: its first), or box edges in
            millimetres.
        spacing: voxel size in millimetres, or None to take it from the field of view.
        seed: of the whole data set.
        version: of the phantom's code.
        moving: the moving modality (empty: the phantom's first).

    Raises:
        ValueError: for a phantom that there is not.
    """

    name: str
    size: tuple[int, int, int]
    fov: str | tuple[float, float, float] = ""
    spacing: tuple[float, float, float] | None = None
    seed: int = 0
    version: int = VERSION
    moving: str = ""

    def __post_init__(self) -> None:
        module = phantom_module(self.name)
        object.__setattr__(self, "fov", self.fov or next(iter(module.FIELDS)))
        object.__setattr__(self, "moving", self.moving or module.MOVING[0])

    def as_dict(self) -> dict:
        """Return what is stored and hashed; ``moving`` only where the phantom leaves a choice."""
        settings = asdict(self)
        if len(phantom_module(self.name).MOVING) == 1:
            del settings["moving"]
        return settings

    @property
    def digest(self) -> str:
        """Short hash of the settings."""
        return hashlib.sha256(json.dumps(self.as_dict(), sort_keys=True).encode()).hexdigest()[:16]


def phantom_module(name: str):
    """Return the module of an anatomy.

    It has LABELS, MOVING (modalities, the default first), FIXED (modality), TABLES (contrasts by
    modality), FIELDS (by name, the default first: the labels that a box goes round, or None for
    the whole body), ``draw`` and ``acquire``.

    Raises:
        ValueError: for a phantom that there is not.
    """
    check_choice("phantom", name, PHANTOMS)
    return importlib.import_module(PHANTOMS[name])


def make_case(settings: Settings, modality: str, index: int):
    """Make one case in memory.

    Returns:
        image (dim1, dim2, dim3) float32, labels (dim1, dim2, dim3, num_labels) uint8, and affine.
    """
    module = phantom_module(settings.name)
    seeds = np.random.SeedSequence([settings.seed, zlib.crc32(modality.encode()), index])
    # One generator each, so that the same person appears whatever the grid.
    person, contrast, noise = (np.random.default_rng(child) for child in seeds.spawn(3))
    anatomy = module.draw(person)
    table = draw_intensities(contrast, module.TABLES[modality])
    grid = choose_grid(anatomy, settings)
    layers = anatomy.layers(grid.points())
    image = paint(layers, table, grid.spacing_mm, noise)
    image = module.acquire(modality, image, grid, anatomy, contrast, noise)
    return image, draw_labels(layers, module.LABELS), grid.affine


def choose_grid(anatomy, settings: Settings) -> Grid:
    """Return the grid of a field of view on one person.

    A box round the organ differs from person to person, and with it the spacing; a fixed box and a
    given spacing do not.
    """
    fields = phantom_module(settings.name).FIELDS
    if isinstance(settings.fov, str):
        names, edges = fields[settings.fov], anatomy.body_edges_mm
    else:
        names, edges = next(iter(fields.values())), settings.fov
    if names is None:
        centre = anatomy.body_centre_mm
    else:
        lower, upper = organ_box(anatomy, names)
        if isinstance(settings.fov, str) and settings.spacing is None:
            return Grid.covering(lower - MARGIN_MM, upper + MARGIN_MM, settings.size)
        centre = np.mean((lower, upper), axis=0)
    spacing = settings.spacing or np.asarray(edges) / settings.size
    return Grid.centred(centre, spacing, settings.size)


def organ_box(anatomy, names: tuple[str, ...], step_mm: float = 5.0):
    """Return the corners (lower, upper) in millimetres of the box round some structures."""
    edges = np.asarray(anatomy.search_edges_mm)
    grid = Grid.centred(anatomy.centre_mm, [step_mm] * 3, np.ceil(edges / step_mm).astype(int))
    points = grid.points()
    layers = anatomy.layers(points, organ_only=True)
    levels = [layer.level for layer in layers if layer.label in names]
    inside = points[np.minimum.reduce(levels) < 0]
    return inside.min(0) - step_mm / 2, inside.max(0) + step_mm / 2


def make_data_set(
    settings: Settings,
    out: Path,
    *,
    cases: int,
    folds: int,
    valid: int,
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
        jobs: processes.
        overwrite: throw away an earlier data set with other settings.
        command: what the user typed, kept in ``mmzoo.json``.
        report: called with the number of finished cases and of all.

    Returns:
        The contents of ``mmzoo.json``.

    Raises:
        ValueError: for settings that make no data set, or a folder that holds something else.
    """
    _check(settings)
    check_positive("jobs", jobs)
    module = phantom_module(settings.name)
    names = {
        modality: [f"{modality}_{index:03d}" for index in range(cases)]
        for modality in (settings.moving, module.FIXED)
    }
    split = layout.make_folds(names[settings.moving], names[module.FIXED], folds, valid)
    _open_folder(out, settings, overwrite)
    description = {
        "name": settings.name,
        "kind": "phantom",
        "complete": False,
        "seed": settings.seed,
        "labels": list(module.LABELS),
        "moving": settings.moving,
        "fixed": module.FIXED,
        "pairing": "all",
        "settings": settings.as_dict(),
        "digest": settings.digest,
        "command": command,
        "cases": {},
        "folds": split,
    }
    # Written before any case, so that an interrupted run can be told from another data set.
    layout.write_description(out, description)
    _make_missing(settings, out, names, jobs, report)
    layout.write_folds(out, split, settings.size, labelled=True)
    every = [case for group in names.values() for case in group]
    infos = {case: layout.case_info(out, case) for case in every}
    description |= {"complete": True, "cases": infos}
    layout.write_description(out, description)
    return description


def _check(settings: Settings) -> None:
    module = phantom_module(settings.name)
    check_choice("moving", settings.moving, module.MOVING)
    check_size(settings.size)
    check_positive("seed", settings.seed, allow_zero=True)
    if isinstance(settings.fov, tuple):
        for length in settings.fov:
            check_positive("fov", length)
    else:
        check_choice("fov", settings.fov, module.FIELDS)
    for length in settings.spacing or ():
        check_positive("spacing", length)
    if isinstance(settings.fov, tuple) and settings.spacing is not None:
        raise ValueError(
            "`spacing` with `size` already says how large the field of view is; "
            f"leave out one of spacing {settings.spacing} and fov {settings.fov}."
        )


def _open_folder(out: Path, settings: Settings, overwrite: bool) -> None:
    """Check that the folder is empty, or is an earlier run of the same settings."""
    earlier = layout.read_description(out)
    if earlier and not overwrite and earlier.get("digest") != settings.digest:
        raise ValueError(
            f"{out} holds data made with other settings ({_differences(earlier, settings)}); "
            "nothing in it was touched. Give another folder, or --overwrite to replace it."
        )
    if earlier is None or earlier.get("digest") != settings.digest:
        layout.check_new_folder(out, overwrite)
        layout.clear_data_set(out)


def _differences(earlier: dict, settings: Settings) -> str:
    now = json.loads(json.dumps(settings.as_dict()))
    before = earlier.get("settings", {})
    return ", ".join(
        f"{key} {before.get(key)!r} there, {now[key]!r} asked for"
        for key in now
        if before.get(key) != now[key]
    )


def _make_missing(settings: Settings, out: Path, names: dict, jobs: int, report) -> None:
    every = [(modality, k) for modality, cases in names.items() for k in range(len(cases))]
    todo = [
        (modality, k)
        for modality, k in every
        if not (out / "images" / f"{names[modality][k]}.nii.gz").exists()
    ]
    report(len(every) - len(todo), len(every))
    tasks = [(settings, out, modality, index) for modality, index in todo]
    for done, _ in enumerate(_run(tasks, min(jobs, len(tasks))), start=1):
        report(len(every) - len(todo) + done, len(every))


def _run(tasks: list, jobs: int) -> Iterator[None]:
    if jobs <= 1:
        for task in tasks:
            _write_case(*task)
            yield
        return
    # Fresh interpreters: forking one that has threads, as a progress bar has, may hang.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(_write_case, *task) for task in tasks]
        try:
            yield from (future.result() for future in as_completed(futures))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _write_case(settings: Settings, out: Path, modality: str, index: int) -> None:
    image, labels, affine = make_case(settings, modality, index)
    layout.save_case(out, f"{modality}_{index:03d}", image, labels, affine)


def default_jobs() -> int:
    """Return the number of processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
