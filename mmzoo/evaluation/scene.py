"""What the picture of a pair shows, worked out before anything is drawn."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import center_of_mass

from mmzoo.evaluation.scipy_warp import identity_ddf, warp
from mmzoo.evaluation.volumes import PairData
from mmzoo.metrics import jacobian_determinant
from mmzoo.report.agreement import local_agreement
from mmzoo.spatial.view import Plane, Turn, grey, planes_through


@dataclass(frozen=True)
class PairScene:
    """All that is drawn of a pair, turned to RAS axes.

    Attributes:
        fixed: fixed image, with its `window`ed grey values in [0, 1]; likewise `moving`
            (on the fixed grid by voxel index) and `warped`.
        ddf: (dim1, dim2, dim3, 3), voxels.
        length_mm: displacement length.
        determinant: Jacobian determinant.
        agreement: of fixed and warped image at each place, [0, 1], NaN where one is flat.
        fixed_labels: one mask a structure, float in [0, 1]; likewise `moving_labels` and
            `warped_labels`.
        planes: the slices to draw.
    """

    fixed: np.ndarray
    moving: np.ndarray
    warped: np.ndarray
    ddf: np.ndarray
    length_mm: np.ndarray
    determinant: np.ndarray
    agreement: np.ndarray
    fixed_labels: list[np.ndarray]
    moving_labels: list[np.ndarray]
    warped_labels: list[np.ndarray]
    planes: list[Plane]


def pair_scene(data: PairData, focus: int | None = None) -> PairScene:
    """Turn the volumes of a pair to RAS axes and choose the slices.

    Args:
        data: the pair's volumes.
        focus: label channel to cut through; the largest if None.
    """
    turn = Turn.from_affine(data.affine)
    still = identity_ddf(data.fixed.shape)
    ddf = turn.field(data.ddf)
    warped = warp(data.moving, data.ddf, data.interpolation)
    fixed = turn.volume(data.fixed)
    greys = grey(fixed), grey(turn.volume(warped), like=data.moving)
    labels = [turn.volume(label.astype(np.float32)) for label in data.fixed_labels]
    centre = _centre(labels, focus, fixed.shape)
    return PairScene(
        fixed=greys[0],
        moving=grey(turn.volume(warp(data.moving, still))),
        warped=greys[1],
        ddf=ddf,
        length_mm=np.linalg.norm(ddf * np.array(turn.spacing_mm), axis=-1),
        determinant=turn.volume(jacobian_determinant(data.ddf)),
        agreement=local_agreement(*greys, turn.spacing_mm),
        fixed_labels=labels,
        moving_labels=[turn.volume(warp(label, still)) for label in data.moving_labels],
        warped_labels=[turn.volume(warp(label, data.ddf)) for label in data.moving_labels],
        planes=planes_through(centre, fixed.shape, turn.spacing_mm),
    )


def _centre(
    labels: list[np.ndarray], focus: int | None, shape: tuple[int, ...]
) -> tuple[float, ...]:
    """Return the centre of the chosen (else largest) structure, or of the grid without one."""
    if labels:
        chosen = max(labels, key=np.sum) if focus is None else labels[focus]
        if chosen.any():
            return center_of_mass(chosen)
    return tuple((n - 1) / 2.0 for n in shape)
