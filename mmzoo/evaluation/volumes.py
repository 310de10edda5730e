"""Reading the volumes of a predicted pair and checking that they fit together."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from nibabel.affines import voxel_sizes

from mmzoo.evaluation.errors import PredictionError
from mmzoo.evaluation.prediction import PredictedPair
from mmzoo.io.nifti import APART_VOXELS, read_array
from mmzoo.spatial.frames import apart_voxels


@dataclass(frozen=True)
class PairData:
    """Content of one pair.

    Attributes:
        moving: (m_dim1, m_dim2, m_dim3), float32.
        fixed: (f_dim1, f_dim2, f_dim3), float32.
        ddf: (f_dim1, f_dim2, f_dim3, 3), float32, voxels.
        backward_ddf: (m_dim1, m_dim2, m_dim3, 3), voxels, or None.
        moving_labels: one (m_dim1, m_dim2, m_dim3) float32 array a structure, in [0, 1].
        fixed_labels: one (f_dim1, f_dim2, f_dim3) bool array a structure.
        affine: (4, 4), voxel to world in mm, of the fixed grid.
        spacing_mm: voxel size of the fixed grid.
        true_ddf: as `ddf`, NaN where it is not known; None where the data have none, or have it
            on another grid.
        interpolation: how the image is warped at every stage, as the prediction did.
        moving_affine: (4, 4), voxel to world in mm, of the moving grid; the fixed one's if None.
        true_motions: by structure, (4, 4), world of the fixed image to world of the moving one, in
            mm; empty where they are not known.
        translated: the warped image in the fixed one's modality, (f_dim1, f_dim2, f_dim3), where
            the prediction has `translated_image.nii.gz` (method `deform-gan`, when asked).
    """

    moving: np.ndarray
    fixed: np.ndarray
    ddf: np.ndarray
    backward_ddf: np.ndarray | None
    moving_labels: tuple[np.ndarray, ...]
    fixed_labels: tuple[np.ndarray, ...]
    affine: np.ndarray
    spacing_mm: tuple[float, ...]
    true_ddf: np.ndarray | None = None
    interpolation: str = "linear"
    moving_affine: np.ndarray | None = None
    true_motions: dict[str, np.ndarray] = field(default_factory=dict)
    translated: np.ndarray | None = None

    def with_union(self) -> PairData:
        """Return the pair with a label more on either side: all of its own together."""
        moving, fixed = self.moving_labels, self.fixed_labels
        if not moving:
            return self
        union = np.maximum.reduce(moving), np.logical_or.reduce(fixed)
        return replace(self, moving_labels=(*moving, union[0]), fixed_labels=(*fixed, union[1]))


def read_pair(pair: PredictedPair) -> PairData:
    """Read the volumes of a pair and check that they fit together.

    Raises:
        PredictionError: naming the file that is corrupt, has another shape than its partner
            or holds NaN.
    """
    fixed, affine = _read_volume(pair.folder / "fixed_image.nii.gz", rank=3)
    moving, moving_affine = _read_volume(pair.folder / "moving_image.nii.gz", rank=3)
    ddf, place = _read_volume(pair.folder / "ddf.nii.gz", rank=4)
    _check_shape(pair.folder / "ddf.nii.gz", ddf, (*fixed.shape, 3), "the fixed image's grid")
    _check_place(pair.folder / "ddf.nii.gz", place, affine, fixed.shape, "the fixed image")
    backward_path = pair.folder / "backward_ddf.nii.gz"
    backward = _read_volume(backward_path, rank=4)[0] if backward_path.exists() else None
    if backward is not None:
        _check_shape(backward_path, backward, (*moving.shape, 3), "the moving image's grid")
    translated_path = pair.folder / "translated_image.nii.gz"
    translated = _read_volume(translated_path, rank=3)[0] if translated_path.exists() else None
    if translated is not None:
        _check_shape(translated_path, translated, fixed.shape, "the fixed image's grid")
    return PairData(
        moving=moving,
        fixed=fixed,
        ddf=ddf,
        backward_ddf=backward,
        moving_labels=tuple(_read_labels(pair, "moving_label.nii.gz", moving.shape, moving_affine)),
        fixed_labels=tuple(
            label >= 0.5 for label in _read_labels(pair, "fixed_label.nii.gz", fixed.shape, affine)
        ),
        affine=affine,
        spacing_mm=tuple(float(step) for step in voxel_sizes(affine)),
        true_ddf=_read_truth(pair.true_field, ddf.shape),
        interpolation=pair.interpolation,
        moving_affine=moving_affine,
        true_motions=_read_motions(pair.true_motions),
        translated=translated,
    )


def _read_motions(path: Path | None) -> dict[str, np.ndarray]:
    if path is None:
        return {}
    try:
        motions = {
            name: np.array(motion, float) for name, motion in json.loads(path.read_text()).items()
        }
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise PredictionError(
            f"`{path}` must be JSON of a (4, 4) motion for each label, but cannot be read "
            f"({error}); make the data again."
        ) from error
    for name, motion in motions.items():
        if motion.shape != (4, 4):
            raise PredictionError(
                f"`{path}` must hold (4, 4) motions, got {motion.shape} of {name}."
            )
    return motions


def _read_truth(path: Path | None, shape: tuple[int, ...]) -> np.ndarray | None:
    if path is None:
        return None
    truth, _ = _read_volume(path, rank=4, finite=False)
    # Images may have been resized on their way into the network.
    return truth if truth.shape == shape else None


def _read_volume(path: Path, *, rank: int, finite: bool = True) -> tuple[np.ndarray, np.ndarray]:
    try:
        volume, affine = read_array(path)
    except ValueError as error:
        raise PredictionError(
            f"`{path}` must be a NIfTI file, but cannot be used ({error}); predict again."
        ) from error
    if volume.ndim != rank:
        raise PredictionError(f"`{path}` must have rank {rank}, got shape {volume.shape}.")
    if finite and not np.isfinite(volume).all():
        count = int((~np.isfinite(volume)).sum())
        raise PredictionError(
            f"`{path}` must be finite, got {count} values that are NaN or infinite; the training "
            "has probably diverged (lower its learning rate), or the data hold such values."
        )
    return volume, affine


def _check_shape(path: Path, volume: np.ndarray, expected: tuple[int, ...], grid: str) -> None:
    if volume.shape != tuple(expected):
        raise PredictionError(
            f"`{path}` must have shape {tuple(expected)} as {grid}, got {volume.shape}; "
            "the folder mixes two predictions, so predict again into a new one."
        )


def _check_place(
    path: Path, place: np.ndarray, wanted: np.ndarray, shape: tuple[int, ...], image: str
) -> None:
    gap = apart_voxels(wanted, place, shape)
    if not gap <= APART_VOXELS:
        raise PredictionError(
            f"`{path}` does not lie on {image}: by their headers they are up to {gap:.3g} voxels "
            "apart; was one of them changed after the prediction? Predict again."
        )


def _read_labels(
    pair: PredictedPair, name: str, shape: tuple[int, ...], affine: np.ndarray
) -> Iterator[np.ndarray]:
    for folder in pair.label_folders:
        label, place = _read_volume(folder / name, rank=3)
        _check_shape(folder / name, label, shape, "its image")
        _check_place(folder / name, place, affine, shape, "its image")
        yield label
