"""Conventional affine registration of a pair, as the yardstick beside the network.

SimpleITK's `ImageRegistrationMethod` on the voxel grids: both images count as having unit
spacing, zero origin and no rotation, which is exactly what the network is given, so both start
from the same place.

Settings (fixed, so that figures of different runs compare):
* intensities clipped to their 0.5 and 99.5 percentiles;
* similarity Mattes mutual information, 32 bins, linear interpolation;
* start: identity, or centres of mass ("moments") aligned, whichever has the better similarity;
* rigid (Euler), then affine, each over three resolutions (Gaussian sigmas of 3, 1.5 and 0 voxels);
* 5,000, 10,000 and 20,000 points a resolution, drawn at random with a fixed seed. (Neither
  shrinking, which would leave two planes of a stack of ten, nor regular sampling: ITK takes every
  n-th voxel in memory order, all from one plane where n is the length of a row.)
* optimiser: regular-step gradient descent, at most 100 steps a level, from 1 to 0.001 voxels in
  the scale of "physical shift".
One thread, so that sums are formed in one order and a pair gives the same matrix each time;
the pairs run in parallel instead.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
import SimpleITK as sitk

from mmzoo.checks import reason_of
from mmzoo.spatial.frames import matrix_of

Transform = TypeVar("Transform", bound=sitk.Transform)

SEED = 1
SMOOTHING_SIGMAS = (3.0, 1.5, 0.0)
SAMPLES_PER_LEVEL = (5_000, 10_000, 20_000)


def register_affine(moving: np.ndarray, fixed: np.ndarray) -> np.ndarray:
    """Return the affine transform that aligns `moving` to `fixed`.

    Args:
        moving: (m_dim1, m_dim2, m_dim3), any intensities, not constant.
        fixed: (f_dim1, f_dim2, f_dim3), any intensities, not constant.

    Returns:
        (4, 4), float64: takes fixed voxel indices to moving voxel indices, in array axis order.

    Raises:
        ValueError: if an image is constant, or ITK cannot go on (for example because the
            images do not overlap).
    """
    images = _to_itk("fixed", fixed), _to_itk("moving", moving)
    try:
        with one_thread():
            rigid = _optimise(*images, _best_start(*images))
            return matrix_of(_optimise(*images, as_affine(rigid)))
    except RuntimeError as error:
        raise ValueError(
            f"affine registration of this pair failed in ITK: {reason_of(error)}"
        ) from error


@contextmanager
def one_thread() -> Iterator[None]:
    """Hold ITK to one thread; the registration method's own setting does not reach its metric."""
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)


def _to_itk(name: str, volume: np.ndarray) -> sitk.Image:
    low, high = np.percentile(volume, (0.5, 99.5))
    if not high > low:
        low, high = float(volume.min()), float(volume.max())
    if not high > low:
        raise ValueError(f"`{name}` must have contrast to be registered, got a constant image.")
    scaled = np.clip((volume - low) / (high - low), 0.0, 1.0).astype(np.float32)
    # SimpleITK reverses the axes of an array; transposing keeps its x on our first axis.
    return sitk.GetImageFromArray(scaled.transpose())


def _best_start(fixed: sitk.Image, moving: sitk.Image) -> sitk.Euler3DTransform:
    """Return the better of identity and aligned centres of mass, by the similarity itself."""
    centre = [(size - 1) / 2.0 for size in fixed.GetSize()]
    identity = sitk.Euler3DTransform(centre)
    moments = sitk.Euler3DTransform(
        sitk.CenteredTransformInitializer(
            fixed,
            moving,
            sitk.Euler3DTransform(),
            sitk.CenteredTransformInitializerFilter.MOMENTS,
        )
    )
    return min((identity, moments), key=lambda start: _cost(fixed, moving, start))


def _cost(fixed: sitk.Image, moving: sitk.Image, transform: sitk.Transform) -> float:
    method = _similarity()
    method.SetInitialTransform(transform)
    method.SetMetricSamplingPercentage(_share(fixed, SAMPLES_PER_LEVEL[-1]), SEED)
    try:
        return method.MetricEvaluate(fixed, moving)
    except RuntimeError:  # no overlap
        return float("inf")


def _optimise(fixed: sitk.Image, moving: sitk.Image, start: Transform) -> Transform:
    method = _similarity()
    method.SetShrinkFactorsPerLevel([1] * len(SMOOTHING_SIGMAS))
    method.SetSmoothingSigmasPerLevel(SMOOTHING_SIGMAS)
    shares = [_share(fixed, count) for count in SAMPLES_PER_LEVEL]
    method.SetMetricSamplingPercentagePerLevel(shares, SEED)
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=1.0,
        minStep=1e-3,
        numberOfIterations=100,
        relaxationFactor=0.6,
        gradientMagnitudeTolerance=1e-5,
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetInitialTransform(start, inPlace=True)
    method.Execute(fixed, moving)
    return start


def _similarity() -> sitk.ImageRegistrationMethod:
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(numberOfHistogramBins=32)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetInterpolator(sitk.sitkLinear)
    return method


def _share(image: sitk.Image, count: int) -> float:
    return min(1.0, count / float(np.prod(image.GetSize())))


def as_affine(rigid: sitk.Euler3DTransform) -> sitk.AffineTransform:
    """Return a rigid transform as an affine one, about the same centre."""
    affine = sitk.AffineTransform(3)
    affine.SetMatrix(rigid.GetMatrix())
    affine.SetTranslation(rigid.GetTranslation())
    affine.SetCenter(rigid.GetCenter())
    return affine
