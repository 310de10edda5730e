"""What landmarks and label maps say of a registration: distances and overlap."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from mmzoo.io import images
from mmzoo.io.images import Loaded
from mmzoo.io.points import read_points
from mmzoo.metrics import dice
from mmzoo.registration.pair_files import PairFiles, check_partners
from mmzoo.registration.register import warp
from mmzoo.registration.result import Registration
from mmzoo.spatial.points import transform_points


def quality(found: Registration, pair: PairFiles, frame: str = "") -> dict:
    """Return Dice and target registration error, as far as a pair has labels and points.

    Args:
        found: the registration.
        pair: the files.
        frame: of points in a CSV: "ras" or "lps".

    Returns:
        "dice", the mean over all labels that either map has, and "dice_by_label" (nearest);
        "tre_mm", the mean distance of the fixed image's landmarks, carried to the moving image,
        from the moving one's. Each by stage: "before" (by the headers), "linear", "after".

    Raises:
        ValueError: files that cannot be used; says why.
    """
    check_partners(pair)
    said: dict = {}
    if pair.fixed_label is not None and pair.moving_label is not None:
        fixed = images.read_labels(pair.fixed_label, on=Loaded(found.fixed, "RAS", title="fixed"))
        moving = images.read_labels(
            pair.moving_label, on=Loaded(found.moving, "RAS", title="moving")
        )
        by_label = {
            stage: _dice(fixed.image, warp(moving.image, fixed.image, transform, None))
            for stage, transform in _stages(found).items()
        }
        said["dice"] = {k: round(float(np.mean(list(v.values()))), 4) for k, v in by_label.items()}
        said["dice_by_label"] = by_label
    if pair.fixed_points is not None and pair.moving_points is not None:
        fixed_points, moving_points = read_landmarks(pair, frame)
        said["tre_mm"] = {
            stage: round(float(_distances(transform, fixed_points, moving_points).mean()), 3)
            for stage, transform in _stages(found).items()
        }
    return said


def read_landmarks(pair: PairFiles, frame: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the landmarks of both images, (n, 3) each, LPS mm.

    Raises:
        ValueError: they cannot be read, or are not as many.
    """
    files = [path for path in (pair.fixed_points, pair.moving_points) if path is not None]
    fixed, moving = (_points(path, frame) for path in files)
    if len(fixed) != len(moving):
        raise ValueError(
            f"{files[0]} has {len(fixed)} points and {files[1]} {len(moving)}: they must be the "
            "same landmarks in the same order."
        )
    return fixed, moving


def _points(path, frame: str) -> np.ndarray:
    return read_points(path, frame if path.name.lower().endswith(".csv") else "").places


def _stages(found: Registration) -> dict[str, sitk.Transform]:
    still = sitk.Transform(3, sitk.sitkIdentity)
    return {"before": still, "linear": found.linear, "after": found.transform}


def _distances(transform: sitk.Transform, fixed: np.ndarray, moving: np.ndarray) -> np.ndarray:
    return np.linalg.norm(transform_points(transform, fixed) - moving, axis=1)


def _dice(fixed: sitk.Image, warped: sitk.Image) -> dict[str, float]:
    """Return the Dice of each label that one of two maps on a grid has."""
    arrays = [sitk.GetArrayViewFromImage(each) for each in (fixed, warped)]
    values = set(np.unique(arrays[0])) | set(np.unique(arrays[1]))
    wanted = sorted(int(value) for value in values if value != 0)
    return {
        str(value): round(float(dice(*(array == value for array in arrays))), 4) for value in wanted
    }
