"""The rigid and affine stages, in space: SimpleITK's registration by Mattes mutual information.

Several starts are compared by the similarity itself: what the headers say, middles of the images
and centres of mass on top of each other, each also turned by 20 degrees about every axis. The best
three are followed at 6 mm, the best of these at 3 mm. Four more are followed too, as far as the
affine stage at 6 mm: one of the seven is taken instead if it tells clearly more of the fixed image,
by the information times the share of it that the moving image shows. What the headers say is kept
where nothing tells more. Starts are followed side by side, each by one thread with seeded points: a
pair gives the same transform each time, whatever was registered before.
"""

from __future__ import annotations

import itertools
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import SimpleITK as sitk

from mmzoo.evaluation.affine import as_affine, one_thread
from mmzoo.registration.frame import Pair, shown

COARSE_MM, FINE_MM = 6.0, 3.0
SAMPLES = {COARSE_MM: 8_000, FINE_MM: 20_000}
ITERATIONS = {COARSE_MM: 60, FINE_MM: 40}
FOLLOWED, FIRST = 7, 3  # starts; those of which the best is refined
CLEARLY = 1.05  # times as much must another way tell to be taken instead
TURN = np.deg2rad(20)
BINS = 32
KEPT = (
    "no rigid or affine stage was found after which the moving image tells more of the fixed one "
    "than it does by the headers: kept what they say; check the result"
)
WORST = 0.0  # Mattes' value of images that tell nothing of each other


def register_linear(pair: Pair, kind: str, seed: int = 1) -> tuple[sitk.Transform, list[str]]:
    """Return the transform from points of the fixed image to the moving one.

    Args:
        pair: the images.
        kind: "none", "rigid" or "affine".
        seed: of the points that are drawn.

    Returns:
        The transform, and notes for the user.

    Raises:
        ValueError: "none" although the images do not overlap, or ITK cannot go on.
    """
    overlap = overlaps(pair)
    if kind == "none":
        if not overlap:
            raise ValueError(
                "the images do not overlap in space by what their headers say; use `--initial "
                "rigid` or `affine`, which start from their centres, or mend the headers."
            )
        return sitk.AffineTransform(3), []
    notes = [] if overlap else ["headers do not overlap: started from the images' centres"]
    coarse, fine = pair.reduced(COARSE_MM), pair.reduced(FINE_MM)
    # SimpleITK lets other threads run, so starts are followed on all cores.
    with one_thread(), ThreadPoolExecutor(os.cpu_count()) as pool:

        def each_of(transforms, function) -> list:
            return list(pool.map(lambda transform: function(coarse, transform, seed), transforms))

        starts = list(_starts(coarse, overlap))
        starts = _sorted(starts, each_of(starts, _cost))
        first, rest = starts[:FIRST], starts[FIRST:]
        rest = _sorted(rest, [-each for each in each_of(rest, told)])
        rigid = each_of([*first, *rest[: FOLLOWED - FIRST]], _optimised_coarsely)
        best = min(rigid[:FIRST], key=lambda transform: _cost(fine, transform, seed))
        if _cost(fine, best, seed) >= WORST:
            raise ValueError(
                "the images do not overlap in space, or within their masks; check that the two "
                "belong together and that each mask lies on its image."
            )
        refined = pool.submit(_refined, fine, best, kind, seed)
        others = rigid
        if kind == "affine":
            others = each_of([as_affine(each) for each in rigid], _optimised_coarsely)
        best = refined.result()
        other = max(others, key=lambda transform: told(coarse, transform, seed))
        if told(coarse, other, seed) > CLEARLY * told(coarse, best, seed):
            best = _optimised(fine, other, FINE_MM, seed)
        header = sitk.AffineTransform(3)
        if overlap and told(fine, header, seed) > told(fine, best, seed):
            return header, [KEPT]
    return best, notes


def share_known(pair: Pair, transform: sitk.Transform) -> float:
    """Return the share of the fixed image, or of its mask, that a transform takes into the moving.

    Args:
        pair: the images; with a mask of the moving one, into that.
        transform: takes points of the fixed image to the moving one.
    """
    values = sitk.GetArrayFromImage(shown(pair.moving, pair.moving_mask, pair.fixed, transform))
    if pair.fixed_mask is None:
        return float(values.mean())
    return float(values[sitk.GetArrayViewFromImage(pair.fixed_mask) > 0].mean())


def told(pair: Pair, transform: sitk.Transform, seed: int = 1) -> float:
    """Return how much the moving image tells of the fixed one, nats a voxel of it.

    Mutual information times `share_known`: voxels of which nothing is known count as untold.
    """
    share = share_known(pair, transform)
    return -share * _cost(pair, transform, seed) if share else 0.0


def overlaps(pair: Pair) -> bool:
    """Whether a tenth of the middle of either image's points lie in the other, by the headers."""
    ends = [np.linspace(0.05, 0.95, 7)] * 3
    share = []
    for image, other in ((pair.fixed, pair.moving), (pair.moving, pair.fixed)):
        size, limit = np.array(image.GetSize()) - 1, np.array(other.GetSize()) - 1
        inside = []
        for part in itertools.product(*ends):
            point = image.TransformContinuousIndexToPhysicalPoint((size * part).tolist())
            index = np.array(other.TransformPhysicalPointToContinuousIndex(point))
            inside.append(bool(np.all((index >= 0) & (index <= limit))))
        share.append(np.mean(inside))
    return bool(max(share) >= 0.1)


def _starts(pair: Pair, overlap: bool):
    """Yield rigid transforms to start from, those that the headers suggest first."""
    initializer = sitk.CenteredTransformInitializer
    kinds = sitk.CenteredTransformInitializerFilter
    # Moments and rotations need images that are not all background at their darkest.
    images = [_above_darkest(image) for image in (pair.fixed, pair.moving)]
    found = [
        sitk.Euler3DTransform(initializer(*images, sitk.Euler3DTransform(), way))
        for way in (kinds.GEOMETRY, kinds.MOMENTS)
    ]
    if overlap:
        header = sitk.Euler3DTransform()
        header.SetCenter(found[1].GetCenter())
        found.insert(0, header)
    yield from found
    for start, axis, sign in itertools.product(found, range(3), (-1, 1)):
        turned = sitk.Euler3DTransform(start)
        angles = [0.0, 0.0, 0.0]
        angles[axis] = sign * TURN
        turned.SetRotation(*angles)
        yield turned


def _above_darkest(image: sitk.Image) -> sitk.Image:
    return image - float(sitk.GetArrayViewFromImage(image).min())


def _method(pair: Pair, resolution_mm: float, seed: int) -> sitk.ImageRegistrationMethod:
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(numberOfHistogramBins=BINS)
    method.SetMetricSamplingStrategy(method.RANDOM)
    voxels = float(np.prod(pair.fixed.GetSize()))
    method.SetMetricSamplingPercentage(min(1.0, SAMPLES[resolution_mm] / voxels), seed)
    method.SetInterpolator(sitk.sitkLinear)
    if pair.fixed_mask is not None:
        method.SetMetricFixedMask(pair.fixed_mask)
    if pair.moving_mask is not None:
        method.SetMetricMovingMask(pair.moving_mask)
    return method


def _cost(pair: Pair, transform: sitk.Transform, seed: int) -> float:
    method = _method(pair, COARSE_MM, seed)
    # The value does not need the gradients of whole images, which take up to half of the time.
    method.MetricUseFixedImageGradientFilterOff()
    method.MetricUseMovingImageGradientFilterOff()
    method.SetInitialTransform(transform)
    try:
        return method.MetricEvaluate(pair.fixed, pair.moving)
    except RuntimeError:  # no overlap
        return float("inf")


def _sorted(transforms: list, by: list[float]) -> list:
    return [transforms[i] for i in np.argsort(by, kind="stable")]


def _refined(pair: Pair, rigid, kind: str, seed: int):
    """Return a rigid transform's own optimum, and from there the affine one."""
    best = _optimised(pair, rigid, FINE_MM, seed)
    return _optimised(pair, as_affine(best), FINE_MM, seed) if kind == "affine" else best


def _optimised_coarsely(pair: Pair, start, seed: int):
    return _optimised(pair, start, COARSE_MM, seed)


def _optimised(pair: Pair, start, resolution_mm: float, seed: int):
    """Return a copy of a transform, moved to a better similarity; itself where none was found."""
    transform = type(start)(start)
    method = _method(pair, resolution_mm, seed)
    # With line searches: steps of fixed length stop, in rotation, far from where they should.
    method.SetOptimizerAsConjugateGradientLineSearch(
        learningRate=resolution_mm / 2,
        numberOfIterations=ITERATIONS[resolution_mm],
        convergenceMinimumValue=1e-5,
        convergenceWindowSize=6,
        lineSearchLowerLimit=0,
        lineSearchUpperLimit=4,
        lineSearchEpsilon=0.1,
        lineSearchMaximumIterations=8,
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetInitialTransform(transform, inPlace=True)
    try:
        method.Execute(pair.fixed, pair.moving)
    except RuntimeError:  # it has lost the other image
        return start
    return min((start, transform), key=lambda each: _cost(pair, each, seed))
