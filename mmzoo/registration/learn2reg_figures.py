"""The Learn2Reg challenge's figures of the fields that are written for it."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from nibabel.affines import apply_affine, voxel_sizes

from mmzoo.io.atomic import write_text
from mmzoo.io.json_files import plain
from mmzoo.io.nifti import APART_VOXELS, read_array
from mmzoo.io.points import read_points
from mmzoo.metrics import label_figures, landmark_distances, log_jacobian_std
from mmzoo.spatial.frames import FRAMES, apart_voxels

METRICS = "metrics.json"
NAMES = ("LogJacDetStd", "DSC", "HD95", "TRE")  # as in the challenge's configurations
Grid = tuple[tuple[int, ...], np.ndarray]  # shape, and voxel index to RAS mm


@dataclass(frozen=True)
class ChallengeCase:
    """A field that is to be written, with labels and landmarks to evaluate it.

    Attributes:
        name: as the challenge has it, "0001_0000<--0002_0000".
        path: file of the field.
        grids: of the fixed and the moving image, as their files store them.
        labels: by structure, label maps of the fixed and the moving image. Under "" are maps of
            many values, each a structure.
        points: landmarks of the fixed and the moving image, or None.
        frame: "ras" or "lps", of landmarks in a CSV in mm.
        mask: of the fixed image, where the Jacobian counts, or None.
    """

    name: str
    path: Path
    grids: Sequence[Grid]
    labels: Mapping[str, tuple[Path, Path]] = field(default_factory=dict)
    points: tuple[Path, Path] | None = None
    frame: str = ""
    mask: Path | None = None


def case_figures(case: ChallengeCase, ddf: np.ndarray) -> dict:
    """Return the challenge's figures of a field.

    Args:
        case: labels and landmarks.
        ddf: (*shape, 3), float32 as the file will have it, voxels of the moving array.

    Returns:
        By name of `NAMES`, {"mean", "detailed"}: a number, by label, or by landmark (mm). Means
        leave out labels that one of the maps lacks.

    Raises:
        ValueError: a file cannot be used; says why.
    """
    mask = None if case.mask is None else _on(case.mask, case.grids[0])
    smooth = math.nan if min(ddf.shape[:-1]) < 5 else log_jacobian_std(ddf, mask)
    said: dict = {NAMES[0]: {"mean": smooth, "detailed": smooth}}
    overlap: dict[str, float] = {}
    far: dict[str, float] = {}
    for structure, files in case.labels.items():
        maps = [_on(path, grid) for path, grid in zip(files, case.grids, strict=True)]
        if structure:
            maps = [(each >= 0.5).astype(np.uint8) for each in maps]
        found = label_figures(ddf, *maps)
        overlap |= {structure or str(label): value for label, value in found.dice.items()}
        far |= {structure or str(label): value for label, value in found.hd95.items()}
    for name, values in zip(NAMES[1:3], (overlap, far), strict=True):
        if case.labels:
            said[name] = {"mean": _mean(values.values()), "detailed": values}
    if case.points is not None:
        fixed, moving = (
            _indices(path, case.frame, affine)
            for path, (_, affine) in zip(case.points, case.grids, strict=True)
        )
        steps = voxel_sizes(case.grids[1][1])
        apart = landmark_distances(ddf, fixed, moving, spacing_mm=steps)
        said[NAMES[3]] = {"mean": float(apart.mean()), "detailed": apart.tolist()}
    return said


def write_figures(found: dict[str, dict], out: Path) -> Path:
    """Write `metrics.json`, laid out as the challenge's: the figures of each case, and of all."""
    together = {}
    for name in NAMES:
        values = np.array([said[name]["mean"] for said in found.values() if name in said])
        if values.size:
            spread = {"mean": values.mean(), "std": values.std(), "30": np.quantile(values, 0.3)}
            together[name] = {key: float(value) for key, value in spread.items()}
    path = out / METRICS
    content = plain({"aggregates": together, "cases": found})
    write_text(path, json.dumps(content, indent=2) + "\n")
    return path


def _on(path: Path, grid: Grid) -> np.ndarray:
    """Return the array of a file that must have the voxel grid of its image's file."""
    values, affine = read_array(path)
    if values.shape != grid[0] or not apart_voxels(grid[1], affine, grid[0]) <= APART_VOXELS:
        raise ValueError(
            f"{path} must have its voxels where its image's file has them, of shape {grid[0]}, got "
            f"{values.shape}: the challenge compares arrays as they are stored."
        )
    return values


def _indices(path: Path, frame: str, affine: np.ndarray) -> np.ndarray:
    """Return landmarks as array indices, (n, 3), which a CSV without a heading holds already."""
    if path.is_file() and path.suffix.lower() == ".csv":
        try:
            return np.loadtxt(path, delimiter=",", ndmin=2)[:, :3]
        except ValueError:
            pass  # its first line names columns, in mm
    lps = read_points(path, frame if path.suffix.lower() == ".csv" else "").places
    return apply_affine(np.linalg.inv(affine), lps * FRAMES["ras"])


def _mean(values) -> float:
    known = [value for value in values if not math.isnan(value)]
    return float(np.mean(known)) if known else math.nan
