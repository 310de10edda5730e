"""The method without a model: a loss of the zoo is minimised for the pair at hand."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import SimpleITK as sitk

from mmzoo.registration.control_grid import ControlGrid
from mmzoo.registration.deform import fit_controls
from mmzoo.registration.folding import unfolded
from mmzoo.registration.frame import Box, ImagePair, choose_box, common_box, level_shapes
from mmzoo.registration.objective import Objective
from mmzoo.registration.pyramid import make_level
from mmzoo.registration.settings import Settings
from mmzoo.registration.transform import control_displacement, voxels
from mmzoo.terminal import Report


@dataclass(frozen=True)
class Deformation:
    """What a method has found after the linear stage.

    Attributes:
        displacement: of points of the fixed image, before the linear stage moves them: vector image
            in mm over the fixed image; None for none.
        report: what was done, for `registration.json`.
        notes: for the user.
        backward: of points that the linear stage has brought back from the moving image, onto the
            fixed one, likewise, where a network says it too; else None.
    """

    displacement: sitk.Image | None
    report: dict = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    backward: sitk.Image | None = None


# A method takes the pair, the linear stage's transform and a function to report progress to. One
# that asks a network has the same shape.
Method = Callable[[ImagePair, sitk.Transform, Report], Deformation]


def direct(settings: Settings) -> Method:
    """Return the method that optimises control points for a loss."""
    if settings.field == "none":
        return lambda pair, linear, report: Deformation(None)
    return functools.partial(_optimised, settings, None)


def _optimised(
    settings: Settings,
    first: sitk.Image | None,
    pair: ImagePair,
    linear: sitk.Transform,
    report: Report,
) -> Deformation:
    """Optimise control points, from a first displacement where there is one."""
    box = choose_box(pair, settings.resolution_mm, settings.max_voxels)
    box = common_box(box, keep_spacing=settings.resolution_mm is not None)
    fitted, objective = fit_controls(
        level_shapes(box),
        box.edges_mm,
        lambda shape: make_level(pair, linear, box, shape),
        settings,
        report,
        None if first is None else functools.partial(_displacement_in, first, pair, box),
    )
    controls, guard = unfolded(fitted, objective)
    displacement = control_displacement(controls, pair.fixed, box, box.spacing_mm)
    found = _report(box, controls, objective) | guard
    return Deformation(displacement, found, _notes(guard))


def _displacement_in(displacement: sitk.Image, pair: ImagePair, box: Box, lines) -> np.ndarray:
    """Return a displacement at the middles of a grid over the box, mm along its axes."""
    grid = box.grid(pair.fixed, [len(line) for line in lines])
    return voxels(displacement, grid) * np.array(grid.GetSpacing())


def refined(first: Method, settings: Settings) -> Method:
    """Return the method that optimises control points for a loss from another one's field.

    At the coarse level the control points start from the field, and from none: the lower loss with
    its regularisation is kept.
    """

    def method(pair: ImagePair, linear: sitk.Transform, report: Report) -> Deformation:
        start = first(pair, linear, report)
        if settings.field == "none":
            return start
        found = _optimised(settings, start.displacement, pair, linear, report)
        said = {"network": start.report, **found.report}
        return replace(found, report=said)

    return method


def _report(box: Box, controls: ControlGrid, objective: Objective) -> dict:
    return {
        "voxels": list(box.shape),
        "resolution_mm": [round(float(step), 3) for step in box.spacing_mm],
        "control_points": list(controls.coefficients.shape[:3]),
        "control_mm": [round(float(step), 3) for step in controls.spacing_mm],
        "loss_before": objective.rest[0],
        "loss_after": objective.similarity(controls),
    }


def _notes(guard: dict) -> tuple[str, ...]:
    if not guard["mended"]:
        return ()
    return (f"the field folded ({guard['smallest_before']:.2f}): {guard['mended']}",)
