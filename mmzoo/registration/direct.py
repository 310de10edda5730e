"""The method without a model: a loss of the zoo is minimised for the pair at hand."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import SimpleITK as sitk

from mmzoo.registration.control_grid import ControlGrid
from mmzoo.registration.deform import compile_levels, fit_controls
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


# A method takes the pair, and returns what finds its deformation: a function of the linear stage's
# transform and of one to report progress to. What the linear stage does not decide, such as what
# has to be compiled, the method begins at once. One that asks a network has the same shape.
Search = Callable[[sitk.Transform, Report], Deformation]
Method = Callable[[ImagePair], Search]


def direct(settings: Settings) -> Method:
    """Return the method that optimises control points for a loss."""
    if settings.field == "none":
        return lambda pair: lambda linear, report: Deformation(None)
    return lambda pair: _optimised(settings, pair)


def _optimised(settings: Settings, pair: ImagePair):
    """Return the search for control points, from a first displacement where there is one."""
    box = choose_box(pair, settings.resolution_mm, settings.max_voxels)
    box = common_box(box, keep_spacing=settings.resolution_mm is not None)
    levels = compile_levels(level_shapes(box), box.edges_mm, settings)

    def search(
        linear: sitk.Transform, report: Report, first: sitk.Image | None = None
    ) -> Deformation:
        fitted, objective = fit_controls(
            levels,
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

    return search


def _displacement_in(displacement: sitk.Image, pair: ImagePair, box: Box, lines) -> np.ndarray:
    """Return a displacement at the middles of a grid over the box, mm along its axes."""
    grid = box.grid(pair.fixed, [len(line) for line in lines])
    return voxels(displacement, grid) * np.array(grid.GetSpacing())


def refined(first: Method, settings: Settings) -> Method:
    """Return the method that optimises control points for a loss from another one's field.

    At the coarse level the control points start from the field, and from none: the lower loss with
    its regularisation is kept.
    """

    def method(pair: ImagePair) -> Search:
        predict = first(pair)
        if settings.field == "none":
            return predict
        optimise = _optimised(settings, pair)

        def search(linear: sitk.Transform, report: Report) -> Deformation:
            start = predict(linear, report)
            found = optimise(linear, report, start.displacement)
            return replace(found, report={"network": start.report, **found.report})

        return search

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
