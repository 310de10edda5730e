"""`mmzoo.register`: registration of two images, by a loss or a trained network."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmzoo.checks import check_positive
from mmzoo.io.images import Source
from mmzoo.io.paths import select
from mmzoo.registration.result import Registration
from mmzoo.registration.settings import Settings
from mmzoo.registration.stages import register_pair
from mmzoo.terminal import Report

if TYPE_CHECKING:
    from mmzoo.inference.predictor import Predictor


def register(
    fixed: Source,
    moving: Source,
    *,
    loss: str = Settings.loss,
    initial: str = Settings.initial,
    field: str = Settings.field,
    weight: float | None = None,
    control: float | None = None,
    resolution: float | None = None,
    fixed_mask: Source | None = None,
    moving_mask: Source | None = None,
    moving_label: Source | None = None,
    model: str | Path | Predictor | None = None,
    refine: int = 0,
    geometry: str = "",
    fixed_series: str = "",
    moving_series: str = "",
    seed: int = Settings.seed,
    progress: Report = lambda stage, done, total: None,
    **more: Any,
) -> Registration:
    """Align two images of any size, spacing, orientation and modality.

    Options have the names of those of `mmzoo register`.

    Args:
        fixed: image that stays: NIfTI, MHA, NRRD, MGZ, a folder with one DICOM series, a SimpleITK
            or nibabel image, or (array, spacing_mm) or (array, affine), axes as nibabel has them.
        moving: image that is aligned to it, likewise.
        loss: mind-ssc, segi-mi, segi, mi, nmi, ncc, local-correlation or local-gradient.
        initial: stage before the field: none, rigid or affine.
        field: bspline, dense or none.
        weight: of the regularisation, mm^2; None for the loss's default.
        control: distance of the B-spline's control points, mm; None for 8.
        resolution: voxel size for comparing, mm; None for what the size allows.
        fixed_mask: where the fixed image counts, above 0; all of it if None.
        moving_mask: likewise.
        moving_label: label map of the moving image, on its grid, to be warped too (nearest).
        model: a preset, a run of deepreg_train or a checkpoint, see `mmzoo.Predictor`, or a
            `Predictor`: its network predicts the field after the linear stage. None: a loss of the
            zoo is minimised for this pair.
        refine: with a model, steps of instance optimisation on this pair: of the network's own
            loss, or, where that needs labels, of `loss` from the network's field, as without a
            model: so many steps at the coarse level, and in proportion at the fine one.
        geometry: the form that counts where a NIfTI header has two that differ: sform or qform; ""
            as in ITK.
        fixed_series: number or UID of the fixed DICOM series, of several in a folder.
        moving_series: of the moving one.
        seed: of the points that the first stages draw.
        progress: called with the name of a stage, steps done and steps in all (None: not known).
        more: of `mmzoo.registration.settings.Settings`: steps, max_voxels.

    Returns:
        The transform, the warped image and a report.

    Raises:
        ValueError: for bad input, options or an unreadable run; says what to change.
        TypeError: for an unknown option.
    """
    check_positive("refine", refine, allow_zero=True)
    lengths = {"control_mm": control, "resolution_mm": resolution}
    chosen: dict[str, Any] = {
        "loss": loss,
        "initial": initial,
        "field": field,
        "weight": weight,
        "seed": seed,
    }
    chosen |= {name: value for name, value in lengths.items() if value is not None} | more
    options: dict[str, Any] = {
        "fixed_mask": _select(fixed_mask, geometry),
        "moving_mask": _select(moving_mask, geometry),
        "label": _select(moving_label, geometry),
        "progress": progress,
        **chosen,
    }
    images = _select(fixed, geometry, fixed_series), _select(moving, geometry, moving_series)
    if model is None:
        if refine:
            raise ValueError("`refine` is for a trained network; name one with `model`.")
        return register_pair(*images, **options)
    # Late: a registration without a model needs neither DeepReg nor Keras.
    from mmzoo.inference.predictor import Predictor
    from mmzoo.registration.direct import refined
    from mmzoo.registration.network import network

    predictor = model if isinstance(model, Predictor) else Predictor(model)
    if refine and not predictor.run.compares_images:
        # Trained with labels, it has no loss for a pair without: the field is refined by `loss`.
        names = {each.name for each in fields(Settings)} & set(chosen)
        known: dict[str, Any] = {name: chosen[name] for name in names}
        coarse, fine = Settings.steps
        settings = Settings(**known | {"steps": (refine, round(refine * fine / coarse))})
        method = refined(network(predictor), settings)
    else:
        method = network(predictor, refine)
    found = register_pair(*images, method=method, **options)
    found.report["settings"] |= {"model": predictor.run.name, "refine": refine}
    return found


def _select(source: Source | None, geometry: str, series: str = "") -> Source | None:
    """Return a path with its selected form or series; other sources unchanged."""
    return select(Path(source), geometry, series) if isinstance(source, (str, Path)) else source
