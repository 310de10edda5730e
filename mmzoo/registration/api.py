"""`mmzoo.register`: two images aligned by a trained network, or without one."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from mmzoo.checks import check_positive
from mmzoo.registration.register import Registration
from mmzoo.registration.register import register as register_directly


def register(
    fixed: Any,
    moving: Any,
    *,
    model: str | Path | None = None,
    refine: int = 0,
    **options: Any,
) -> Registration:
    """Align two images of any size, spacing, orientation and modality.

    Args:
        fixed: NIfTI, MHA, NRRD, a folder with one DICOM series, or a SimpleITK image.
        moving: likewise.
        model: a preset, a run of deepreg_train or a checkpoint, see `mmzoo.Predictor`: its network
            says the field after the linear stage. None: a loss of the zoo is minimised for this
            pair.
        refine: with a model, steps of instance optimisation on this pair: of the network's own
            loss, or, where that needs labels, of `loss` from the network's field, as without a
            model (so many steps at the coarse level, half as many at the fine one).
        options: of `mmzoo.registration.register`: masks, label, progress, and the settings; with a
            model those of the linear stage alone (`initial`, `seed`) matter, unless a loss refines
            its field.

    Returns:
        The transform, the warped image and a report.

    Raises:
        ValueError: for bad input, options or a run that cannot be read; says how to mend it.
    """
    check_positive("refine", refine, allow_zero=True)
    if model is None:
        if refine:
            raise ValueError("`refine` is for a trained network; name one with `model`.")
        return register_directly(fixed, moving, **options)
    # Late: a registration without a model needs neither DeepReg nor Keras.
    from mmzoo.inference.predictor import Predictor
    from mmzoo.registration.network import network

    predictor = Predictor(model)
    if not refine or predictor.run.compares_images:
        return register_directly(fixed, moving, method=network(predictor, refine), **options)
    # A network that learnt from labels has no loss for a pair without: one of the zoo's goes on.
    from mmzoo.registration.direct import refined
    from mmzoo.registration.settings import Settings

    names = {field.name for field in fields(Settings)}
    chosen = {name: value for name, value in options.items() if name in names}
    method = refined(network(predictor), Settings(**chosen, steps=(refine, refine // 2)))
    return register_directly(fixed, moving, method=method, **options)
