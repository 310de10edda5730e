"""Scaling of small bodies, such as mice, to human size before registration.

Default lengths (voxel size of the comparison, control-point spacing, margins, bending weight) are
for people. Images of less than 50 mm are enlarged by 10, 100, ...; the result is scaled back.
"""

from dataclasses import replace

import numpy as np
import SimpleITK as sitk

from mmzoo.registration.direct import Deformation
from mmzoo.registration.frame import ImagePair
from mmzoo.registration.settings import Settings

SMALLEST_MM = 50.0  # of an image of people: cube root of its volume; square root of a slice's area
LARGEST = 1e4  # times
LENGTHS = "resolution_mm", "control_mm"  # of a method's report


def enlargement(pair: ImagePair) -> float:
    """Return the factor by which a pair is enlarged: 1 for people, else 10, 100, ...

    The larger of the two images counts: the other may show a part of the body.
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


def enlarged_pair(pair: ImagePair, times: float) -> ImagePair:
    """Return a pair scaled about the origin."""
    return pair.each(lambda image: enlarged(image, times))


def enlarged(image: sitk.Image, times: float) -> sitk.Image:
    """Return an image scaled about the origin; vectors are scaled too."""
    found = sitk.Image(image)
    if image.GetNumberOfComponentsPerPixel() > 1:
        vectors = times * sitk.GetArrayFromImage(image)
        found = sitk.GetImageFromArray(vectors, isVector=True)
        found.CopyInformation(image)
    found.SetOrigin([times * x for x in image.GetOrigin()])
    found.SetSpacing([times * x for x in image.GetSpacing()])
    return found


def enlarged_linear(linear: sitk.Transform, times: float) -> sitk.Transform:
    """Return a linear transform in coordinates scaled about the origin."""
    matrix = [linear.TransformVector(axis, (0.0, 0.0, 0.0)) for axis in np.eye(3).tolist()]
    shift = np.array(linear.TransformPoint((0.0, 0.0, 0.0))) * times
    return sitk.AffineTransform(np.transpose(matrix).ravel().tolist(), shift.tolist())


def enlarged_settings(settings: Settings, times: float) -> Settings:
    """Return settings with the user's lengths scaled."""
    control, resolution, weight = settings.control_mm, settings.resolution_mm, settings.weight
    return replace(
        settings,
        control_mm=control if control == Settings.control_mm else control * times,
        resolution_mm=None if resolution is None else resolution * times,
        weight=None if weight is None else weight * times**2,
    )


def enlarged_deformation(found: Deformation, times: float) -> Deformation:
    """Return a method's result in coordinates scaled about the origin."""
    fields = found.displacement, found.backward
    lengths = {k: v for k, v in found.report.items() if k in LENGTHS}
    return replace(
        found,
        displacement=None if fields[0] is None else enlarged(fields[0], times),
        backward=None if fields[1] is None else enlarged(fields[1], times),
        report=found.report
        | {k: [round(times * each, 6) for each in v] for k, v in lengths.items()},
    )
