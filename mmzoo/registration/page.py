"""The page of a registration: `report.html`, which shows the pair at every stage and the field."""

from __future__ import annotations

import platform
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mmzoo.io.images import read_labels
from mmzoo.metrics import jacobian_determinant
from mmzoo.registration.doubts import DOUBTFUL
from mmzoo.registration.drawing import voxels
from mmzoo.registration.frame import reduced, whole_box
from mmzoo.registration.register import warp
from mmzoo.registration.result import Registration
from mmzoo.report.scene import MAX_MAP_VOXELS, MAX_VOXELS, Scene, Stage, write_page
from mmzoo.spatial.frames import ras_affine
from mmzoo.spatial.view import window

MEASURED = {
    "dice": "Dice",
    "asd_mm": "average surface distance, mm",
    "hd95_mm": "HD95, mm",
    "tre_mm": "distance of landmarks, mm",
    "sd_log_j": "SDlogJ",
    "folds_percent": "folding, %",
}
STAGES = {"before": "before", "linear": "linear", "after": "field"}


def write_report(path: Path, found: Registration, report: dict) -> None:
    """Write the page.

    Args:
        path: HTML file.
        found: the registration.
        report: what `registration.json` holds.
    """
    settings = report["settings"]
    files = report.get("files", {})
    names = [Path(files[side]).name if side in files else side for side in ("moving", "fixed")]
    model = report.get("asked", {}).get("options", {}).get("model")
    by = (
        f"the network {Path(model).name}" if model else f"{settings['field']} by {settings['loss']}"
    )
    title = f"{names[0]} → {names[1]}: {settings['initial']}, then {by}"
    notes = sorted(report["notes"], key=lambda note: not note.startswith(DOUBTFUL))
    scene = build_scene(found, *(files.get(f"{side}_label") for side in ("fixed", "moving")))
    write_page(path, scene, title=title, notes=notes, tables=_tables(report))


def build_scene(
    found: Registration, fixed_label: str | None = None, moving_label: str | None = None
) -> Scene:
    """Resample what a registration holds onto one grid over all of the fixed image.

    Args:
        found: the registration.
        fixed_label: file of a label map of the fixed image, to be outlined where there is also
            that of the moving one.
        moving_label: likewise.
    """
    fixed, moving = found.fixed, found.moving
    box = whole_box(fixed, MAX_VOXELS)
    grid = box.grid(fixed, box.shape)
    step = float(min(box.spacing_mm))
    small = reduced(fixed, step), reduced(moving, step)
    still = sitk.Transform(3, sitk.sitkIdentity)
    ways = {"before": still, "linear": found.linear}
    ways["after"] = found.transform
    if found.displacement is None:
        del ways["after"]
    limits = window(sitk.GetArrayViewFromImage(small[1]))
    labels = _labels(fixed_label, moving_label) if fixed_label and moving_label else None
    stages = tuple(
        Stage(
            STAGES[name],
            _grey(warp(small[1], grid, way, sitk.sitkLinear), limits),
            None if labels is None else _label_array(labels[1], grid, way),
        )
        for name, way in ways.items()
    )
    coarse = whole_box(fixed, MAX_MAP_VOXELS)
    maps = coarse.grid(fixed, coarse.shape)
    field = voxels(found.displacement, maps)
    return Scene(
        fixed=_grey(
            warp(small[0], grid, still, sitk.sitkLinear),
            window(sitk.GetArrayViewFromImage(small[0])),
        ),
        spacing_mm=grid.GetSpacing(),
        affine=ras_affine(grid),
        stages=stages,
        displacement_mm=field * np.array(maps.GetSpacing(), np.float32),
        determinant=jacobian_determinant(field),
        map_spacing_mm=maps.GetSpacing(),
        labels=None if labels is None else _label_array(labels[0], grid, still),
        structures={} if labels is None else labels[2],
    )


def _labels(fixed: str, moving: str) -> tuple[sitk.Image, sitk.Image, dict[int, str]]:
    """Return both label maps with values from 1 on, and the names of these."""
    maps = [read_labels(Path(file)).image for file in (fixed, moving)]
    arrays = [sitk.GetArrayViewFromImage(each) for each in maps]
    values = np.union1d(*(np.unique(array) for array in arrays))
    values = values[values != 0][:255]
    ranked = []
    for image, array in zip(maps, arrays, strict=True):
        place = np.searchsorted(values, array).clip(0, max(len(values) - 1, 0))
        known = values[place] == array if len(values) else np.zeros(array.shape, bool)
        ranked.append(sitk.GetImageFromArray(np.where(known, place + 1, 0).astype(np.uint8)))
        ranked[-1].CopyInformation(image)
    names = {k: f"label {value}" for k, value in enumerate(values, start=1)}
    return ranked[0], ranked[1], names


def _label_array(labels: sitk.Image, grid: sitk.Image, way: sitk.Transform) -> np.ndarray:
    return sitk.GetArrayFromImage(warp(labels, grid, way, None)).T


def _grey(image: sitk.Image, limits: tuple[float, float]) -> np.ndarray:
    low, high = limits
    values = (sitk.GetArrayViewFromImage(image).T - np.float32(low)) / np.float32(high - low)
    return np.clip(values, 0, 1)


def _tables(report: dict) -> list[dict]:
    rows = [
        [title, *(report[key].get(stage) for stage in STAGES)]
        for title, key in (
            ("normalised mutual information", "nmi"),
            ("share of the fixed image that the moving one shows", "share_known"),
        )
    ]
    figures = {"title": "Figures", "head": ["", *STAGES.values()], "rows": rows}
    for name, title in MEASURED.items():
        if name in report:
            rows.append([title, *(report[name].get(stage) for stage in STAGES)])
    return [figures, *_by_label(report), *_details(report)]


def _by_label(report: dict) -> list[dict]:
    """Return the table of overlap, label by label, where there are labels."""
    tables = []
    for name, title in MEASURED.items():
        if found := report.get(f"{name}_by_label"):
            labels = sorted({label for stage in found.values() for label in stage}, key=int)
            rows = [[label, *(found[stage].get(label) for stage in STAGES)] for label in labels]
            head = ["label", *STAGES.values()]
            tables.append({"title": title, "head": head, "rows": rows})
    return tables


def _details(report: dict) -> list[dict]:
    """Return what was found of the field, the settings, and where all of it comes from."""
    said = {
        "smallest determinant": report.get("smallest_determinant"),
        "folding, % of the voxels": report.get("folding_percent"),
        "loss before the field": report.get("loss_before"),
        "loss after it": report.get("loss_after"),
        **{f"seconds, {name}": value for name, value in report["seconds"].items()},
    }
    found = [[name, _short(value)] for name, value in said.items() if value is not None]
    settings = [[name, _short(value)] for name, value in report["settings"].items()]
    linear = [[_short(value) for value in row] for row in report["linear"]]
    sums = report.get("asked", {}).get("inputs", {})
    files = [[name, path, sums.get(name, "")] for name, path in report.get("files", {}).items()]
    versions = [["mmzoo", report["mmzoo"]], ["SimpleITK", report["SimpleITK"]]]
    versions += [["Python", platform.python_version()], ["system", platform.platform()]]
    command = report.get("command")
    if command:
        versions.append(["command", command])
    return [
        {"title": "Field and time", "head": [], "rows": found},
        {"title": "Settings", "head": [], "rows": settings},
        {"title": "Linear stage: fixed to moving, LPS mm", "head": [], "rows": linear},
        {"title": "Files", "head": ["", "path", "SHA-256"], "rows": files},
        {"title": "Versions", "head": [], "rows": versions},
    ]


def _short(value):
    """Return a value as a cell: numbers with four digits, lists in one line."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "by default"}[value]
    if isinstance(value, (int, str)):
        return value
    if isinstance(value, float):
        return float(f"{value:.4g}")
    return ", ".join(str(_short(each)) for each in value)
