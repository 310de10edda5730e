"""Bodies of any size: what is smaller than a person is registered as if it were one.

Lengths (voxels at which images are compared, control points, margins, the weight of bending) are
chosen for people. Images of less than 50 mm, as of mice, count as ten times as large, or a hundred
times; what is found is brought back to their own size.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import SimpleITK as sitk

from mmzoo.registration.direct import Deformation
from mmzoo.registration.frame import Pair
from mmzoo.registration.settings import Settings

SMALLEST_MM = 50.0  # of an image of people: the cube root of what it shows; of a slice, the root
LARGEST = 1e4  # times
LENGTHS = "resolution_mm", "control_mm"  # of a method's report


def enlargement(pair: Pair) -> float:
    """Return by what a pair counts as larger: 1 for people, else ten, a hundred, ...

    Decided by the larger of the two images, so that a part of a body does not make it a mouse.
    """
    axes = 2 if pair.flat else 3
    edges = [
        float(np.prod(np.multiply(image.GetSize(), image.GetSpacing())[:axes])) ** (1 / axes)
        for image in (pair.fixed, pair.moving)
    ]
    times = 1.0
    while max(edges) * times < SMALLEST_MM and times < LARGEST:
        times *= 10
    return times


def enlarged_pair(pair: Pair, times: float) -> Pair:
    """Return a pair in space that was stretched about the origin."""
    masks = pair.fixed_mask, pair.moving_mask
    larger = [None if mask is None else enlarged(mask, times) for mask in masks]
    images = enlarged(pair.fixed, times), enlarged(pair.moving, times)
    return Pair(*images, larger[0], larger[1], pair.flat)


def enlarged(image: sitk.Image, times: float) -> sitk.Image:
    """Return an image in space that was stretched about the origin; vectors are stretched too."""
    found = sitk.Image(image)
    if image.GetNumberOfComponentsPerPixel() > 1:
        vectors = times * sitk.GetArrayFromImage(image)
        found = sitk.GetImageFromArray(vectors, isVector=True)
        found.CopyInformation(image)
    found.SetOrigin([times * x for x in image.GetOrigin()])
    found.SetSpacing([times * x for x in image.GetSpacing()])
    return found


def enlarged_linear(linear: sitk.Transform, times: float) -> sitk.Transform:
    """Return a linear transform as it is in space that was stretched about the origin."""
    matrix = [linear.TransformVector(axis, (0.0, 0.0, 0.0)) for axis in np.eye(3).tolist()]
    shift = np.array(linear.TransformPoint((0.0, 0.0, 0.0))) * times
    return sitk.AffineTransform(np.transpose(matrix).ravel().tolist(), shift.tolist())


def enlarged_settings(settings: Settings, times: float) -> Settings:
    """Return settings in which lengths that the user gave are those of the larger body."""
    control, resolution, weight = settings.control_mm, settings.resolution_mm, settings.weight
    return replace(
        settings,
        control_mm=control if control == Settings.control_mm else control * times,
        resolution_mm=None if resolution is None else resolution * times,
        weight=None if weight is None else weight * times**2,
    )


def enlarged_deformation(found: Deformation, times: float) -> Deformation:
    """Return what a method has found as it is in space that was stretched about the origin."""
    fields = found.displacement, found.backward
    lengths = {k: v for k, v in found.report.items() if k in LENGTHS}
    return replace(
        found,
        displacement=None if fields[0] is None else enlarged(fields[0], times),
        backward=None if fields[1] is None else enlarged(fields[1], times),
        report=found.report
        | {k: [round(times * each, 6) for each in v] for k, v in lengths.items()},
    )
