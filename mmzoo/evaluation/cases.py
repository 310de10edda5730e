"""The figures of one pair at each stage: before, affine, network."""

import math
from dataclasses import dataclass

import numpy as np

from mmzoo.evaluation.affine import register_affine
from mmzoo.evaluation.prediction import PredictedPair
from mmzoo.evaluation.scipy_warp import affine_ddf, identity_ddf, warp, warp_label
from mmzoo.evaluation.volumes import PairData, read_pair
from mmzoo.metrics import (
    average_surface_distance,
    determinant_statistics,
    dice,
    gradient_field_similarity,
    hausdorff_distance,
    inverse_consistency_error,
    jacobian_determinant,
    mean_change_at_edge,
    mean_surface_distance,
    normalised_mutual_information,
    rigid_motion_error,
    root_mean_square_error,
    surface_distances,
    target_registration_error,
)

STAGES = ("before", "affine", "network")


@dataclass(frozen=True)
class Case:
    """One row of `cases.csv`: a pair, a structure, a stage.

    The figures from `jacobian_mean` on are of the whole image, so they repeat for each
    structure of a pair. `structure` is "" and the figures of a structure NaN for unlabelled pairs,
    but for `tre_mm`, the mean distance to the true field, which is over the voxels of the fixed
    label, over all where the truth is known for unlabelled pairs; `tre_image_mm` is always over
    all. `rmse_percent` is the root of the mean squared difference between the moving image warped
    by the field and by the true one, over all voxels where the truth is known, in percent of the
    image's range (Zhang et al. 2020, section 3.3). All three are NaN without a true field.
    Of the field inside the fixed label, which lives on the same grid, are: mean and standard
    deviation of the Jacobian determinant J; `edge_jacobian_change`, the mean of |J - 1| over the
    label's voxels with a neighbour outside it; and how far the rigid motion that fits the field is
    from the true one, at the label's centre and in its angle, NaN where the data know none.
    `translation_percent` is the mean absolute difference between a translated image and the fixed
    one, in percent of the fixed one's range, `translation_edges` the gradient similarity between
    the translated image and the warped one; NaN where the prediction saved none.
    `seconds` is the wall time of the registration alone, NaN for other stages than "network".
    """

    pair: str
    moving: str
    fixed: str
    structure: str
    stage: str
    dice: float = math.nan
    asd_mm: float = math.nan
    msd_mm: float = math.nan
    hd_mm: float = math.nan
    hd95_mm: float = math.nan
    hd99_mm: float = math.nan
    tre_mm: float = math.nan
    inside_jacobian_mean: float = math.nan
    inside_jacobian_std: float = math.nan
    edge_jacobian_change: float = math.nan
    motion_mm: float = math.nan
    motion_degrees: float = math.nan
    jacobian_mean: float = math.nan
    jacobian_std: float = math.nan
    folding_percent: float = math.nan
    nmi: float = math.nan
    gradient_similarity: float = math.nan
    inverse_consistency_voxels: float = math.nan
    tre_image_mm: float = math.nan
    rmse_percent: float = math.nan
    translation_percent: float = math.nan
    translation_edges: float = math.nan
    seconds: float = math.nan


def measure_pair(
    pair: PredictedPair,
    structures: tuple[str, ...],
    *,
    before: bool = True,
    affine: bool = True,
    union: str | None = None,
) -> tuple[list[Case], list[str]]:
    """Read a pair and measure it at every stage.

    Args:
        pair: from `open_prediction`.
        structures: one name a label channel.
        before: whether to measure the pair before registration too.
        affine: whether to register the pair affinely too (seconds for a 64^3 pair).
        union: name of a structure more, all of them together; none if None.

    Returns:
        One row for each stage and structure, and notes for the user.

    Raises:
        PredictionError: if a file of the pair cannot be used.
    """
    data = read_pair(pair)
    fields, notes = stage_fields(pair, data, before=before, affine=affine)
    if pair.true_field is not None and data.true_ddf is None:
        notes.append(f"{pair.name}: no tre_mm, {pair.true_field} is on another grid.")
    if union is not None:
        data, structures = data.with_union(), (*structures, union)
    rows = []
    for stage, ddf in fields.items():
        determinant = jacobian_determinant(ddf)
        whole = _image_figures(data, ddf, determinant, stage)
        for name, overlap in _structure_figures(data, ddf, determinant, structures):
            rows.append(
                Case(
                    pair=pair.name,
                    moving=pair.moving_name,
                    fixed=pair.fixed_name,
                    structure=name,
                    stage=stage,
                    **overlap,
                    **whole,
                    seconds=pair.seconds if stage == "network" else math.nan,
                )
            )
    return rows, notes


def stage_fields(
    pair: PredictedPair, data: PairData, *, before: bool = True, affine: bool
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return the field of each stage, (f_dim1, f_dim2, f_dim3, 3) in voxels, and notes.

    "before" is the identity of voxel indices, which is where the network starts. A pair whose
    affine registration fails has no such stage, and a note says so.
    """
    fields = {"before": identity_ddf(data.fixed.shape)} if before else {}
    notes = []
    if before and data.moving.shape != data.fixed.shape:
        notes.append(
            f"{pair.name}: moving {data.moving.shape} and fixed {data.fixed.shape} differ in "
            "shape; before registration they are compared voxel index by voxel index."
        )
    if affine:
        try:
            matrix = register_affine(data.moving, data.fixed)
            fields["affine"] = affine_ddf(matrix, data.fixed.shape)
        except ValueError as error:
            notes.append(f"{pair.name}: no affine figures, {error}")
    fields["network"] = data.ddf
    return fields, notes


def _structure_figures(
    data: PairData, ddf: np.ndarray, determinant: np.ndarray, structures: tuple[str, ...]
) -> list[tuple[str, dict[str, float]]]:
    if not structures:
        return [("", {"tre_mm": _error(data, ddf)})]
    figures = []
    for name, moving, fixed in zip(structures, data.moving_labels, data.fixed_labels, strict=True):
        overlap = _overlap(fixed, warp_label(moving, ddf), data.spacing_mm)
        jacobian = determinant_statistics(determinant, fixed)
        inside = {
            "tre_mm": _error(data, ddf, fixed),
            "inside_jacobian_mean": jacobian.mean,
            "inside_jacobian_std": jacobian.std,
            "edge_jacobian_change": mean_change_at_edge(determinant, fixed),
        }
        figures.append((name, overlap | inside | _motion_error(data, ddf, name, fixed)))
    return figures


def _motion_error(
    data: PairData, ddf: np.ndarray, name: str, fixed: np.ndarray
) -> dict[str, float]:
    if name not in data.true_motions:
        return {}
    error = rigid_motion_error(
        ddf,
        fixed,
        data.true_motions[name],
        fixed_affine=data.affine,
        moving_affine=data.affine if data.moving_affine is None else data.moving_affine,
    )
    return {"motion_mm": error.shift_mm, "motion_degrees": error.turn_degrees}


def _error(data: PairData, ddf: np.ndarray, mask: np.ndarray | None = None) -> float:
    if data.true_ddf is None:
        return math.nan
    return target_registration_error(ddf, data.true_ddf, spacing_mm=data.spacing_mm, mask=mask)


def _overlap(
    fixed: np.ndarray, warped: np.ndarray, spacing_mm: tuple[float, ...]
) -> dict[str, float]:
    distances = surface_distances(fixed, warped, spacing_mm=spacing_mm)
    return {
        "dice": dice(fixed, warped),
        "asd_mm": average_surface_distance(distances),
        "msd_mm": mean_surface_distance(distances),
        "hd_mm": hausdorff_distance(distances, percent=100),
        "hd95_mm": hausdorff_distance(distances, percent=95),
        "hd99_mm": hausdorff_distance(distances, percent=99),
    }


def _image_figures(
    data: PairData, ddf: np.ndarray, determinant: np.ndarray, stage: str
) -> dict[str, float]:
    warped = warp(data.moving, ddf, data.interpolation)
    jacobian = determinant_statistics(determinant)
    figures = {
        "jacobian_mean": jacobian.mean,
        "jacobian_std": jacobian.std,
        "folding_percent": jacobian.folding_percent,
        "nmi": normalised_mutual_information(data.fixed, warped),
        "gradient_similarity": gradient_field_similarity(
            data.fixed, warped, spacing_mm=data.spacing_mm
        ),
        "tre_image_mm": _error(data, ddf),
        "rmse_percent": _intensity_error(data, warped),
    }
    backward = data.backward_ddf
    if stage == "network" and backward is not None and backward.shape == ddf.shape:
        figures["inverse_consistency_voxels"] = inverse_consistency_error(ddf, backward)
    if stage == "network" and data.translated is not None:
        figures |= _translation_figures(data, warped, data.translated)
    return figures


def _intensity_error(data: PairData, warped: np.ndarray) -> float:
    """Return how much a warped image differs from the rightly warped one, in percent."""
    if data.true_ddf is None:
        return math.nan
    known = np.isfinite(data.true_ddf).all(axis=-1)
    truth = warp(data.moving, np.where(known[..., None], data.true_ddf, 0), data.interpolation)
    return _percent(root_mean_square_error(warped, truth, known), data.moving)


def _translation_figures(
    data: PairData, warped: np.ndarray, translated: np.ndarray
) -> dict[str, float]:
    error = float(np.abs(translated - data.fixed).mean())
    edges = gradient_field_similarity(warped, translated, spacing_mm=data.spacing_mm)
    return {
        "translation_percent": _percent(error, data.fixed),
        "translation_edges": edges,
    }


def _percent(error: float, image: np.ndarray) -> float:
    """Return an error in percent of an image's range; NaN for a constant image."""
    span = float(np.ptp(image))
    return 100 * error / span if span else math.nan
