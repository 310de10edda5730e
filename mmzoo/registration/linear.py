"""The rigid and affine stages, in space: SimpleITK's registration by Mattes mutual information.

Several starts are compared by the similarity itself: what the headers say, middles of the images
and centres of mass on top of each other, each also turned by 20 degrees about every axis. The best
three are followed at 6 mm, the best of these at 3 mm. Four more are followed too, as far as the
affine stage at 6 mm, and so is the best of eight that turn one image by quarters about any axes and
30 degrees more or less: one of the eight is taken instead if it tells clearly more of the fixed
image, by the information times the share of it that the moving image shows. An affine map that no
body has is not among them, and if it is what was refined, it is said. What the headers say is kept
where nothing tells more. Intensities that few voxels have count as the next ones, air and metal of
a CT as fat and bone. Starts are followed side by side, each by one thread with seeded points: a
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
FAR = 8  # starts that are turned by quarters, followed rigidly; the best of them further
CLEARLY = 1.05  # times as much must another way tell to be taken instead
TURN, FAR_TURN = np.deg2rad(20), np.deg2rad(30)
BINS = 32
RANGE = 0.1, 99.9  # percentiles of an image
AIR_HU, BODY_HU = -800.0, (-200.0, 1000.0)  # below the first it is CT; fat to dense bone
KEPT = (
    "no rigid or affine stage was found after which the moving image tells more of the fixed one "
    "than it does by the headers: kept what they say; check the result"
)
STRETCH = 0.7, 1.4  # of a body against another, along any direction
FAR_ANGLE = 45.0  # degrees, by which headers are rarely off
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
    coarse, fine = (_in_range(pair.reduced(size)) for size in (COARSE_MM, FINE_MM))
    # SimpleITK lets other threads run, so starts are followed on all cores.
    with one_thread(), ThreadPoolExecutor(os.cpu_count()) as pool:

        def each_of(transforms, function) -> list:
            return list(pool.map(lambda transform: function(coarse, transform, seed), transforms))

        starts = list(_starts(coarse, overlap))
        starts = _sorted(starts, each_of(starts, _cost))
        first, rest = starts[:FIRST], starts[FIRST:]
        rest = _sorted(rest, [-each for each in each_of(rest, told)])
        far = list(_far_starts(coarse))
        far = each_of(_sorted(far, each_of(far, _cost))[:FAR], _optimised_coarsely)
        far = _sorted(far, [-each for each in each_of(far, told)])[:1]
        rigid = each_of([*first, *rest[: FOLLOWED - FIRST]], _optimised_coarsely) + far
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
        others = [each for each in others if not unlikely(each)] or [best]
        other = max(others, key=lambda transform: told(coarse, transform, seed))
        # What is near the headers, where they say anything, is not left for a little more.
        trusted = overlap and _angle(best) <= FAR_ANGLE
        margin = CLEARLY if trusted else 1.0
        if told(coarse, other, seed) > margin * told(coarse, best, seed):
            best = _optimised(fine, other, FINE_MM, seed)
        if unlikely(best):
            notes.append(f"doubtful: {unlikely(best)}; check the result, or use `--initial rigid`")
        header = sitk.AffineTransform(3)
        if overlap and told(fine, header, seed) > told(fine, best, seed):
            return header, [KEPT]
    if overlap and _angle(best) > FAR_ANGLE:
        notes.append(
            f"doubtful: the moving image was turned by {_angle(best):.0f} degrees against what the "
            "headers say; look at picture.png"
        )
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


def unlikely(linear: sitk.Transform) -> str:
    """Return why no body is related to another by a linear transform, "" where it may be."""
    stretches = np.linalg.svd(_matrix_of(linear), compute_uv=False)
    if STRETCH[0] <= stretches.min() and stretches.max() <= STRETCH[1]:
        return ""
    return (
        f"the linear stage stretches the image by {stretches.max():.2f} along one direction and "
        f"{stretches.min():.2f} along another"
    )


def _matrix_of(linear: sitk.Transform) -> np.ndarray:
    origin = np.array(linear.TransformPoint((0.0, 0.0, 0.0)))
    return (
        np.stack([linear.TransformPoint(axis) for axis in np.eye(3).tolist()], 1) - origin[:, None]
    )


def _angle(linear: sitk.Transform) -> float:
    """Return the angle of a linear transform's rotation, degrees."""
    left, _, right = np.linalg.svd(_matrix_of(linear))
    cosine = (np.trace(left @ right) - 1) / 2
    return float(np.rad2deg(np.arccos(np.clip(cosine, -1, 1))))


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


def _far_starts(pair: Pair):
    """Yield turns by quarters about the centres of mass, each also turned about every axis."""
    images = [_above_darkest(image) for image in (pair.fixed, pair.moving)]
    way = sitk.CenteredTransformInitializerFilter.MOMENTS
    centred = sitk.CenteredTransformInitializer(*images, sitk.Euler3DTransform(), way)
    middle = sitk.Euler3DTransform(centred)
    more = [np.eye(3)] + [
        _turn(axis, sign * FAR_TURN) for axis, sign in itertools.product(range(3), (-1, 1))
    ]
    for quarters, rest in itertools.product(_quarters(), more):
        turned = sitk.Euler3DTransform(middle)
        turned.SetMatrix((quarters @ rest).ravel().tolist())
        yield turned


def _quarters() -> list[np.ndarray]:
    """Return the 23 rotations that take a cube to itself but for none."""
    found = []
    for order, signs in itertools.product(
        itertools.permutations(range(3)), itertools.product((-1.0, 1.0), repeat=3)
    ):
        matrix = np.diag(signs)[list(order)]
        if np.linalg.det(matrix) > 0 and np.trace(matrix) < 3:
            found.append(matrix)
    return found


def _turn(axis: int, angle: float) -> np.ndarray:
    angles = [0.0, 0.0, 0.0]
    angles[axis] = float(angle)
    turn = sitk.Euler3DTransform()
    turn.SetRotation(*angles)
    return np.array(turn.GetMatrix()).reshape(3, 3)


def _in_range(pair: Pair) -> Pair:
    """Return the pair without intensities that few voxels have, so that none takes up the bins."""
    images = (pair.fixed, pair.fixed_mask), (pair.moving, pair.moving_mask)
    fixed, moving = (_held(*each) for each in images)
    return Pair(fixed, moving, pair.fixed_mask, pair.moving_mask)


def _held(image: sitk.Image, mask: sitk.Image | None) -> sitk.Image:
    values = sitk.GetArrayViewFromImage(image)
    inside = values if mask is None else values[sitk.GetArrayViewFromImage(mask) > 0]
    if not inside.size:  # a mask thinner than the voxels
        return image
    low, high = (float(each) for each in np.percentile(inside, RANGE))
    if low < AIR_HU:  # CT: neither air nor metal is of the body
        low, high = max(low, BODY_HU[0]), min(high, BODY_HU[1])
    return sitk.Clamp(image, lowerBound=low, upperBound=high) if high > low else image


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
