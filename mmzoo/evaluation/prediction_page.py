"""The page of a predicted pair: before and after, field, and the figures of every stage."""

import platform
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

import mmzoo
from mmzoo.evaluation.prediction import PredictedPair, PredictionFolder
from mmzoo.evaluation.scipy_warp import identity_ddf, warp
from mmzoo.evaluation.volumes import PairData
from mmzoo.io.digests import digest
from mmzoo.metrics import jacobian_determinant
from mmzoo.report.scene import MAX_MAP_VOXELS, MAX_VOXELS, Scene, Stage, write_page
from mmzoo.report.volumes import factors_to, shrunk
from mmzoo.spatial.view import Turn, window

FIGURES = {
    "dice": "Dice",
    "asd_mm": "ASD mm",
    "hd95_mm": "HD95 mm",
    "tre_mm": "TRE mm",
    "folding_percent": "folding %",
    "jacobian_std": "Jacobian std",
    "nmi": "NMI",
    "gradient_similarity": "gradient similarity",
    "inverse_consistency_voxels": "inverse error, voxels",
}


def draw_page(
    path: Path,
    data: PairData,
    *,
    structures: tuple[str, ...],
    title: str,
    tables: list[dict],
    notes: list[str],
) -> None:
    """Write the page of a pair.

    Args:
        path: HTML file.
        data: the pair's volumes.
        structures: name of each label channel.
        title: heading.
        tables: see `mmzoo.report.scene.write_page`, likewise `notes`.
        notes: sentences.
    """
    write_page(path, prediction_scene(data, structures), title=title, notes=notes, tables=tables)


def prediction_scene(data: PairData, structures: tuple[str, ...]) -> Scene:
    """Turn a pair to RAS axes, warp it, and join voxels where there are too many."""
    turn = Turn.from_affine(data.affine)
    turned = turn.affine(data.affine, data.fixed.shape)
    shape = turn.volume(data.fixed).shape
    factors = factors_to(shape, turn.spacing_mm, MAX_VOXELS)
    coarse = factors_to(shape, turn.spacing_mm, MAX_MAP_VOXELS)
    limits = window(data.moving)

    def grey(image: np.ndarray, low: float, high: float) -> np.ndarray:
        return np.clip((shrunk(turn.volume(image), factors) - low) / (high - low), 0, 1)

    def label_map(masks: Iterable[np.ndarray]) -> np.ndarray | None:
        if not structures:
            return None
        whole = np.zeros(data.fixed.shape, np.uint8)
        for value, mask in reversed(list(enumerate(masks, start=1))):  # the first lies on top
            whole[mask] = value
        return turn.volume(whole)[tuple(slice(n // 2, None, n) for n in factors)]

    stages = []
    for name, ddf in (("before", identity_ddf(data.fixed.shape)), ("field", data.ddf)):
        warped = grey(warp(data.moving, ddf, data.interpolation), *limits)
        stages.append(
            Stage(name, warped, label_map(warp(m, ddf) >= 0.5 for m in data.moving_labels))
        )
    affine = turned.copy()
    affine[:3, 3] += turned[:3, :3] @ ((np.array(factors) - 1) / 2)
    affine[:3, :3] *= factors
    return Scene(
        fixed=grey(data.fixed, *window(data.fixed)),
        spacing_mm=_steps(turn, factors),
        affine=affine,
        stages=tuple(stages),
        displacement_mm=shrunk(turn.field(data.ddf), coarse) * np.array(turn.spacing_mm),
        determinant=shrunk(turn.volume(jacobian_determinant(data.ddf)), coarse),
        map_spacing_mm=_steps(turn, coarse),
        labels=label_map(data.fixed_labels),
        structures=dict(enumerate(structures, start=1)),
    )


def _steps(turn: Turn, factors: tuple[int, ...]) -> tuple[float, ...]:
    return tuple(step * n for step, n in zip(turn.spacing_mm, factors, strict=True))


def tables_of(
    prediction: PredictionFolder, pair: PredictedPair, rows: pd.DataFrame, settings: dict
) -> list[dict]:
    """Return figures, settings and provenance of a pair.

    Args:
        prediction: which the pair is of.
        pair: its files.
        rows: its rows of `cases.csv`.
        settings: of the evaluation.
    """
    known = {key: title for key, title in FIGURES.items() if rows[key].notna().any()}
    body = [
        [
            row["structure"] or "image",
            row["stage"],
            *(round(row[key], 4) if pd.notna(row[key]) else None for key in known),
        ]
        for row in rows.to_dict("records")
    ]
    names = ("fixed_image", "moving_image", "ddf")
    files = [pair.folder / f"{name}.nii.gz" for name in names]
    sums = [[file.stem.split(".")[0], str(file.resolve()), digest(file)] for file in files]
    said = {
        "method": prediction.method,
        "checkpoint": prediction.checkpoint,
        "moving": pair.moving_name,
        "fixed": pair.fixed_name,
        "seconds": None if np.isnan(pair.seconds) else round(pair.seconds, 2),
        "images sampled by": pair.interpolation,
        **{name: str(value) for name, value in settings.items()},
    }
    versions = [["mmzoo", mmzoo.__version__], ["Python", platform.python_version()]]
    versions.append(["system", platform.platform()])
    return [
        {"title": "Figures", "head": ["structure", "stage", *known.values()], "rows": body},
        {"title": "Settings", "head": [], "rows": [[k, v] for k, v in said.items() if v]},
        {"title": "Files", "head": ["", "path", "SHA-256"], "rows": sums},
        {"title": "Versions", "head": [], "rows": versions},
    ]
