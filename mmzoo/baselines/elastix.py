"""elastix (Klein et al. 2010) through itk-elastix: B-splines by mutual information, as one field.

The defaults are the conventional row of de Vos 2020, section 3.1: normalised mutual information
with 64 bins, three resolutions of images smoothed by 4, 2 and 1 voxels, 1000 iterations each, 4096
points a step, drawn anew within a random region of the image. The paper does not print the rest,
which is as elastix's own parameter files have it: adaptive stochastic gradient descent, a region a
third of the longest edge, a grid of control points that halves its spacing with each resolution,
no affine stage. Of the final spacing (16 mm) those files have 4 to 64 mm, 16 in the examples of
Klein 2010; the breast DCE-MRI entry Par0032 of the parameter database has 40.

Both images have the voxel size of the fixed one, zero origin and no rotation, so that the same
voxel index is the same place at the start, as for the networks; spacing of control points and
sample region are in mm. With the seed fixed and one ITK thread the same pair gives the same field,
bit by bit.
"""

import tempfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from mmzoo.checks import check_choice

SEED = "1"
METRICS = (
    "NormalizedMutualInformation",
    "AdvancedMattesMutualInformation",
    "AdvancedNormalizedCorrelation",
    "AdvancedMeanSquares",
)
STAGES = {
    "none": (),
    "rigid": ("EulerTransform",),
    "affine": ("EulerTransform", "AffineTransform"),
}


@dataclass(frozen=True)
class ElastixSettings:
    """What a configuration may say.

    Attributes:
        metric: elastix's name of the similarity, one of `METRICS`.
        bins: of its histogram, along each intensity.
        iterations: of each resolution.
        pyramid: smoothing of each resolution in voxels, coarse to fine; three numbers in the place
            of one give each axis its own.
        samples: points of each iteration.
        sample_region_mm: edge of the random region they are drawn from, or three; None for a third
            of the image's longest edge.
        grid_spacing_mm: between control points at the last resolution, or three numbers.
        initial: stage before the B-spline: "none", "rigid" or "affine" (rigid, then affine).
    """

    metric: str = "NormalizedMutualInformation"
    bins: int = 64
    iterations: int = 1000
    pyramid: tuple = (4, 2, 1)
    samples: int = 4096
    sample_region_mm: float | tuple | None = None
    grid_spacing_mm: float | tuple = 16.0
    initial: str = "none"


def check_settings(settings: dict) -> None:
    """Raise ValueError unless itk-elastix is installed and these are settings with fit values."""
    _read(settings)
    load_itk()


def register(
    moving: np.ndarray, fixed: np.ndarray, settings: dict, spacing_mm: tuple[float, ...]
) -> np.ndarray:
    """Return the field that aligns `moving` to `fixed`.

    Args:
        moving: (m_dim1, m_dim2, m_dim3), not constant.
        fixed: (f_dim1, f_dim2, f_dim3), not constant.
        settings: see `ElastixSettings`.
        spacing_mm: voxel size along each axis.

    Returns:
        (f_dim1, f_dim2, f_dim3, 3), float32, voxels: warped(x) = moving(x + ddf(x)). All stages
        in one, without interpolating between them. Costs about 10 ms an iteration.

    Raises:
        ValueError: itk-elastix is not installed, or a setting does not fit.
        RuntimeError: elastix cannot register the pair; says why.
    """
    given, itk = _read(settings), load_itk()
    images = [_image(itk, volume, spacing_mm) for volume in (fixed, moving)]
    method = itk.ElastixRegistrationMethod.New(*images)
    method.SetParameterObject(_parameters(itk, given))
    run_elastix(method)
    return _dense_field(itk, method.GetCombinationTransform(), images[0])


def parameter_maps(settings: ElastixSettings) -> list[dict[str, tuple[str, ...]]]:
    """Return elastix's parameters of each stage, as its parameter files would have them."""
    shared: dict[str, Any] = {
        "Registration": "MultiResolutionRegistration",
        "FixedImagePyramid": "FixedSmoothingImagePyramid",
        "MovingImagePyramid": "MovingSmoothingImagePyramid",
        "NumberOfResolutions": len(settings.pyramid),
        "ImagePyramidSchedule": [step for level in settings.pyramid for step in _three(level)],
        "Metric": settings.metric,
        "NumberOfHistogramBins": settings.bins,
        "Optimizer": "AdaptiveStochasticGradientDescent",
        "AutomaticParameterEstimation": "true",
        "MaximumNumberOfIterations": settings.iterations,
        "ImageSampler": "RandomCoordinate",
        "NumberOfSpatialSamples": settings.samples,
        "NewSamplesEveryIteration": "true",
        "UseRandomSampleRegion": "true",
        "RandomSeed": SEED,
        "Interpolator": "LinearInterpolator",
        "ResampleInterpolator": "FinalLinearInterpolator",
        "Resampler": "DefaultResampler",
        "WriteResultImage": "false",
        "HowToCombineTransforms": "Compose",
    }
    if settings.sample_region_mm is not None:
        shared["SampleRegionSize"] = _three(settings.sample_region_mm)
    linear = [
        {**shared, "Transform": name, "AutomaticScalesEstimation": "true"}
        for name in STAGES[settings.initial]
    ]
    spacing = _three(settings.grid_spacing_mm)
    spline = {"Transform": "BSplineTransform", "FinalGridSpacingInPhysicalUnits": spacing}
    return [
        {name: tuple(str(part) for part in _listed(value)) for name, value in stage.items()}
        for stage in (*linear, {**shared, **spline})
    ]


def _parameters(itk, settings: ElastixSettings):
    parameters = itk.ParameterObject.New()
    for stage in parameter_maps(settings):
        parameters.AddParameterMap(stage)
    return parameters


def _image(itk, volume: np.ndarray, spacing_mm: tuple[float, ...]):
    """Return an ITK image whose x, y, z are our first, second, third axis."""
    image = itk.image_from_array(np.ascontiguousarray(volume.T, dtype=np.float32))
    image.SetSpacing([float(step) for step in spacing_mm])
    return image


def run_elastix(method) -> None:
    """Run a registration; RuntimeError with the reason, which elastix writes to its log alone."""
    with tempfile.TemporaryDirectory() as folder:
        method.SetLogToConsole(False)
        method.SetLogToFile(True)
        method.SetOutputDirectory(folder)
        method.SetLogFileName("elastix.log")
        try:
            method.UpdateLargestPossibleRegion()
        except RuntimeError as error:
            log = (Path(folder) / "elastix.log").read_text()
            reason = log.rpartition("ITK ERROR: ")[2].split("\n\n")[0]
            raise RuntimeError(f"elastix: {' '.join(reason.split())}") from error


def _dense_field(itk, transform, fixed) -> np.ndarray:
    """Return a transform of points in mm, sampled at the voxels of an image, in voxels."""
    field = itk.transform_to_displacement_field_filter(
        transform, use_reference_image=True, reference_image=fixed
    )
    displacements = itk.array_from_image(field).transpose(2, 1, 0, 3)
    return (displacements / np.array(fixed.GetSpacing())).astype(np.float32)


def load_itk():
    """Return the module itk with elastix; ValueError if it is not installed."""
    try:
        import itk

        _ = itk.ElastixRegistrationMethod  # loads what is wrapped, some seconds
    except (ImportError, AttributeError) as error:
        raise ValueError(
            f"The tool 'elastix' needs itk-elastix, which is not installed here ({error}): "
            'pip install "mmzoo[benchmark]"'
        ) from error
    return itk


# === Settings ===


def _read(settings: dict) -> ElastixSettings:
    for name in settings:
        check_choice("baseline.settings", name, [entry.name for entry in fields(ElastixSettings)])
    given = ElastixSettings(**settings)
    check_choice("baseline.settings.metric", given.metric, METRICS)
    check_choice("baseline.settings.initial", given.initial, STAGES)
    if not isinstance(given.pyramid, (list, tuple)) or not given.pyramid:
        raise ValueError(
            "`baseline.settings.pyramid` must name each resolution, as [4, 2, 1], got "
            f"{given.pyramid!r}."
        )
    for name in ("bins", "iterations", "samples"):
        _check_number(name, getattr(given, name), whole=True)
    for level in given.pyramid:
        _check_axes("pyramid", level, whole=True)
    _check_axes("grid_spacing_mm", given.grid_spacing_mm)
    if given.sample_region_mm is not None:
        _check_axes("sample_region_mm", given.sample_region_mm)
    return given


def _check_axes(name: str, value, whole: bool = False) -> None:
    parts = _three(value)
    if len(parts) != 3:
        raise ValueError(
            f"`baseline.settings.{name}` must be one number, or three where the axes differ, got "
            f"{value!r}."
        )
    for part in parts:
        _check_number(name, part, whole)


def _check_number(name: str, number, whole: bool) -> None:
    kind = int if whole else (int, float)
    if not isinstance(number, kind) or isinstance(number, bool) or not 0 < number < np.inf:
        wanted = "a whole number of 1 or more" if whole else "a number above 0"
        raise ValueError(f"`baseline.settings.{name}` must be {wanted}, got {number!r}.")


def _listed(value) -> list:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _three(value) -> list:
    """Return one number for each axis, if one is given for all."""
    return list(value) if isinstance(value, (list, tuple)) else [value] * 3
