"""The page of a registration: `report.html`, which shows the pair at every stage and the field."""

import platform
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmzoo.registration.page_scene import STAGES, LabelMaps, registration_scene
from mmzoo.registration.plausibility import DOUBTFUL
from mmzoo.registration.result import Registration, stages_of
from mmzoo.report.scene import write_page

MEASURED = {
    "dice": "Dice",
    "asd_mm": "average surface distance, mm",
    "hd95_mm": "HD95, mm",
    "tre_mm": "distance of landmarks, mm",
    "sd_log_j": "SDlogJ",
    "folds_percent": "folding, %",
}


def write_report(
    path: Path,
    found: Registration,
    report: dict,
    more: Sequence[dict] = (),
    pictures: Mapping[str, bytes] | None = None,
    labels: LabelMaps | None = None,
) -> None:
    """Write the page.

    Args:
        path: HTML file.
        found: the registration.
        report: what `registration.json` holds.
        more: tables that come first.
        pictures: see `write_page`.
        labels: label maps of the fixed and the moving image, to be outlined, if there are any.
    """
    files = report.get("files", {})
    names = [Path(files[side]).name if side in files else side for side in ("moving", "fixed")]
    title = f"{names[0]} → {names[1]}: {stages_of(report['settings'])}"
    notes = sorted(report["notes"], key=lambda note: not note.startswith(DOUBTFUL))
    tables = [*more, *_tables(report)]
    scene = registration_scene(found, labels)
    write_page(path, scene, title=title, notes=notes, tables=tables, pictures=pictures)


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
    """Return the tables of field statistics, settings and origins."""
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
    return [
        {"title": "Field and time", "head": [], "rows": found},
        {"title": "Settings", "head": [], "rows": settings},
        {"title": "Linear stage: fixed to moving, LPS mm", "head": [], "rows": linear},
        *origins(report),
    ]


def origins(report: dict) -> list[dict]:
    """Return the tables of input files and versions."""
    sums = report.get("asked", {}).get("inputs", {})
    files = [[name, path, sums.get(name, "")] for name, path in report.get("files", {}).items()]
    versions = [["mmzoo", report["mmzoo"]], ["SimpleITK", report["SimpleITK"]]]
    versions += [["Python", platform.python_version()], ["system", platform.platform()]]
    command = report.get("command")
    if command:
        versions.append(["command", command])
    return [
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
