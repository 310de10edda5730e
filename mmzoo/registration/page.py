"""The page of a registration: `report.html`, which shows the pair at every stage and the field."""

from __future__ import annotations

import platform
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mmzoo.metrics import jacobian_determinant
from mmzoo.registration.drawing import voxels
from mmzoo.registration.frame import reduced, whole_box
from mmzoo.registration.register import Registration, warp
from mmzoo.report.scene import MAX_MAP_VOXELS, MAX_VOXELS, Scene, Stage, write_page
from mmzoo.spatial.frames import ras_affine
from mmzoo.spatial.view import window

STAGES = {"before": "before", "linear": "linear", "after": "field"}


def write_report(path: Path, found: Registration, report: dict) -> None:
    """Write the page.

    Args:
        path: HTML file.
        found: the registration.
        report: what `registration.json` holds.
    """
    settings = report["settings"]
    names = [Path(name).name for name in report.get("files", {}).values()][:2]
    pair = f"{names[1]} → {names[0]}" if len(names) == 2 else "moving → fixed"
    by = settings["loss"] if report.get("model") is None else "a network"
    title = f"{pair}: {settings['initial']}, then {settings['field']} by {by}"
    notes = sorted(report["notes"], key=lambda note: not note.startswith("doubtful"))
    write_page(path, build_scene(found), title=title, notes=notes, tables=_tables(report))


def build_scene(found: Registration) -> Scene:
    """Resample what a registration holds onto one grid over all of the fixed image."""
    fixed, moving = found.fixed, found.moving
    box = whole_box(fixed, MAX_VOXELS)
    grid = box.grid(fixed, box.shape)
    step = float(min(box.spacing_mm))
    small = reduced(fixed, step), reduced(moving, step)
    ways = {"before": sitk.Transform(3, sitk.sitkIdentity), "linear": found.linear}
    ways["after"] = found.transform
    if found.displacement is None:
        del ways["after"]
    limits = window(sitk.GetArrayViewFromImage(small[1]))
    stages = tuple(
        Stage(STAGES[name], _grey(warp(small[1], grid, way, sitk.sitkLinear), limits))
        for name, way in ways.items()
    )
    coarse = whole_box(fixed, MAX_MAP_VOXELS)
    maps = coarse.grid(fixed, coarse.shape)
    field = voxels(found.displacement, maps)
    return Scene(
        fixed=_grey(
            warp(small[0], grid, sitk.Transform(3, sitk.sitkIdentity), sitk.sitkLinear),
            window(sitk.GetArrayViewFromImage(small[0])),
        ),
        spacing_mm=grid.GetSpacing(),
        affine=ras_affine(grid),
        stages=stages,
        displacement_mm=field * np.array(maps.GetSpacing(), np.float32),
        determinant=jacobian_determinant(field),
        map_spacing_mm=maps.GetSpacing(),
    )


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
    return [figures, *report.get("measured_tables", []), *_details(report)]


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
    sums = report.get("sha256", {})
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
