"""The method without a model: a loss of the zoo is minimised for the pair at hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import SimpleITK as sitk

from mmzoo.registration.deform import fit_lattice
from mmzoo.registration.folding import unfolded
from mmzoo.registration.frame import Box, Pair, choose_box, level_shapes
from mmzoo.registration.lattice import Lattice
from mmzoo.registration.level import make_level
from mmzoo.registration.objective import Objective
from mmzoo.registration.settings import Settings
from mmzoo.registration.transform import composite, lattice_displacement
from mmzoo.spatial.geometry import total_displacement
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
Method = Callable[[Pair, sitk.Transform, Report], Deformation]


def direct(settings: Settings) -> Method:
    """Return the method that moves control points down the slope of a loss."""
    if settings.field == "none":
        return lambda pair, linear, report: Deformation(None)

    def method(pair: Pair, linear: sitk.Transform, report: Report) -> Deformation:
        box = choose_box(pair, settings.resolution_mm, settings.max_voxels)
        fitted, objective = fit_lattice(
            level_shapes(box),
            box.edges_mm,
            lambda shape: make_level(pair, linear, box, shape),
            settings,
            report,
        )
        lattice, guard = unfolded(fitted, objective)
        displacement = lattice_displacement(lattice, pair.fixed, box, box.spacing_mm)
        found = _report(box, lattice, objective) | guard
        return Deformation(displacement, found, _notes(guard))

    return method


def refined(first: Method, settings: Settings) -> Method:
    """Return the method that goes on, by a loss, from the field of another.

    The field of the first stays as it is, as the linear stage does; what is found on top of it is
    charged for alone.
    """

    def method(pair: Pair, linear: sitk.Transform, report: Report) -> Deformation:
        start = first(pair, linear, report)
        whole = composite(linear, start.displacement)
        rest = direct(settings)(pair, whole, report)
        said, notes = {"network": start.report, **rest.report}, (*start.notes, *rest.notes)
        if start.displacement is None or rest.displacement is None:
            return Deformation(rest.displacement or start.displacement, said, notes)
        by_network = sitk.DisplacementFieldTransform(sitk.Image(start.displacement))
        both = composite(by_network, rest.displacement)
        total = total_displacement(both, rest.displacement)
        return Deformation(sitk.Cast(total, sitk.sitkVectorFloat64), said, notes)

    return method


def _report(box: Box, lattice: Lattice, objective: Objective) -> dict:
    return {
        "voxels": list(box.shape),
        "resolution_mm": [round(float(step), 3) for step in box.spacing_mm],
        "control_points": list(lattice.coefficients.shape[:3]),
        "control_mm": [round(float(step), 3) for step in lattice.spacing_mm],
        "loss_before": objective.rest[0],
        "loss_after": objective.similarity(lattice),
    }


def _notes(guard: dict) -> tuple[str, ...]:
    if not guard["mended"]:
        return ()
    return (f"the field folded ({guard['smallest_before']:.2f}): {guard['mended']}",)
