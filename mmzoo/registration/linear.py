"""The rigid and affine stages: mutual information maximised from many starts, in physical space.

Starts near the headers: the headers themselves, image centres aligned, centres of mass aligned, and
each of these rotated by 20 degrees both ways about every axis. Starts far from them: 500 evenly
spaced rotations about the image centres and about the centres of mass, of which the best 30 are
kept. All are optimised rigidly at 12 mm, the best at 6 mm, then starts shifted by 25 mm and rotated
by 25 degrees along and about every axis from the best of these, and last affine maps; of several
maps that lead to one place the best is followed. Maps are compared by overlap-weighted mutual
information: mutual information times the share of the fixed image's points that lie in the moving
one.

A map that is rotated far from the headers is taken only if it is clearly better, and an affine map
with implausible stretch only if the best becomes one at 3 mm, with a note. If nothing is better
than the headers, they are kept. Rare intensities are clamped, air and metal of a CT to fat and
bone. The result for a pair is deterministic.
"""

import itertools
from collections.abc import Iterable

import numpy as np
import SimpleITK as sitk

from mmzoo.registration.climb import climbed
from mmzoo.registration.frame import ImagePair
from mmzoo.registration.information import Linear, MutualInformation
from mmzoo.registration.plausibility import FAR_ANGLE, linear_doubts, rotation_degrees, unlikely

ROUGH_MM, COARSE_MM, FINE_MM = 12.0, 6.0, 3.0
SAMPLES = {ROUGH_MM: 2_000, COARSE_MM: 8_000, FINE_MM: 20_000}
ROTATIONS = 500
ROUND = 30  # of the rotations, the best ones
FLAT_STEP = 5  # degrees between those of a slice
FOLLOWED = 10, 3, 6  # best maps: optimised at 6 mm, shifted and rotated, made affine
ROUGHLY = 12  # iterations at 12 mm
CLEARLY = 1.15  # factor by which a map that is rotated far from the headers must be better
LITTLE_MORE = 1.005  # up to this factor better than the headers: the images were aligned
TURN, ASIDE, ASIDE_MM = 20.0, 25.0, 25.0  # degrees, degrees, mm
RANGE = 0.1, 99.9  # percentiles of an image
AIR_HU, BODY_HU = -800.0, (-200.0, 1000.0)  # a smaller minimum means CT; fat to dense bone
KEPT = (
    "no rigid or affine stage was found after which the moving image tells more of the fixed one "
    "than it does by the headers: kept what they say; check the result"
)
TURNED = (
    "the moving image was turned by {:.0f} degrees against what the headers say; look at "
    "picture.png"
)
SAME_MM = 5.0  # mean distance within which two maps are one
Ends = list[tuple[np.ndarray, np.ndarray]]  # a point of the fixed image, and its image


def register_linear(pair: ImagePair, kind: str, seed: int = 1) -> tuple[sitk.Transform, list[str]]:
    """Return the transform from points of the fixed image to the moving one.

    Args:
        pair: the images.
        kind: "none", "rigid" or "affine".
        seed: of the points that are drawn.

    Returns:
        The transform, and notes for the user.

    Raises:
        ValueError: "none" although the images do not overlap, or no overlapping map is found.
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
    small = _in_range(pair.reduced(COARSE_MM))
    coarse = MutualInformation(small, SAMPLES[COARSE_MM], seed)
    rough = MutualInformation(_in_range(pair.reduced(ROUGH_MM)), SAMPLES[ROUGH_MM], seed)
    centres = _centres(small)
    unturned = _unturned(centres, overlap)
    middle = centres[0][0]
    turns = _turns(TURN, pair.flat)
    turned = [Linear.about(middle, each.at(middle), turn) for each in unturned for turn in turns]
    starts = unturned + turned + _best_first(rough, _all_round(centres, pair.flat))[:ROUND]
    rigid = _rigid_maps(rough, coarse, unturned, starts)
    found = _affine_maps(coarse, rigid) if kind == "affine" else rigid
    if not coarse.overlap_weighted(found[0]) > 0:
        raise ValueError(
            "the images do not overlap in space, or within their masks; check that the two "
            "belong together and that each mask lies on its image."
        )

    fine = MutualInformation(_in_range(pair.reduced(FINE_MM)), SAMPLES[FINE_MM], seed)

    # A map near overlapping headers is replaced only by a clearly better one.
    def liked(linear: Linear) -> float:
        trusted = overlap and rotation_degrees(linear) <= FAR_ANGLE
        return fine.overlap_weighted(linear) * (CLEARLY if trusted else 1.0)

    best = climbed(fine, max(found, key=liked), kind, FINE_MM / 2)
    by_headers = fine.overlap_weighted(Linear.still()) if overlap else 0.0
    if by_headers * LITTLE_MORE > fine.overlap_weighted(best):
        return Linear.still().to_itk(), [KEPT] if by_headers > fine.overlap_weighted(best) else []
    notes += linear_doubts(coarse, fine, best, rigid)
    if overlap and rotation_degrees(best) > FAR_ANGLE:
        notes.append(TURNED.format(rotation_degrees(best)))
    return best.to_itk(), notes


def _rigid_maps(
    rough: MutualInformation, coarse: MutualInformation, first: list[Linear], starts: list[Linear]
) -> list[Linear]:
    """Return the rigid maps that all starts lead to, the best first."""
    finely, aside, further = FOLLOWED

    def climbed_roughly(some: Iterable[Linear]) -> list[Linear]:
        return [climbed(rough, each, "rigid", ROUGH_MM / 2, ROUGHLY) for each in some]

    # Small structures are lost at 12 mm: the first starts are optimised at 6 mm at once.
    some = first + _distinct(rough, climbed_roughly(starts), finely)
    found = _climbed_finely(coarse, some, "rigid")
    sides = [side for each in found[:aside] for side in _sides(each, coarse)]
    some = _distinct(coarse, climbed_roughly(sides), further)
    found += _climbed_finely(coarse, some, "rigid")
    return _distinct(coarse, found, len(found))


def _affine_maps(coarse: MutualInformation, rigid: list[Linear]) -> list[Linear]:
    """Return the plausible affine maps that the best rigid ones become, the best first."""
    found = _climbed_finely(coarse, rigid[: FOLLOWED[2]], "affine")
    return [each for each in found if not unlikely(each)] or found


def _climbed_finely(coarse: MutualInformation, some: Iterable[Linear], kind: str) -> list[Linear]:
    return _best_first(coarse, [climbed(coarse, each, kind, COARSE_MM / 2) for each in some])


def _distinct(images: MutualInformation, maps: Iterable[Linear], most: int) -> list[Linear]:
    """Return the best of maps that lead to different places, the best first, so many at most."""
    kept: list[Linear] = []
    for each in _best_first(images, maps):
        if len(kept) < most and all(images.apart_mm(each, other) > SAME_MM for other in kept):
            kept.append(each)
    return kept


def _best_first(images: MutualInformation, maps: Iterable[Linear]) -> list[Linear]:
    """Return maps in the order of their overlap-weighted mutual information, the best first."""
    return sorted(maps, key=images.overlap_weighted, reverse=True)


def overlaps(pair: ImagePair) -> bool:
    """Whether a tenth of a grid of points over either image lies in the other, by the headers."""
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


def _centres(pair: ImagePair) -> Ends:
    """Return the centres of mass of the two images, and their geometric centres."""
    images = (pair.fixed, pair.fixed_mask), (pair.moving, pair.moving_mask)
    fixed, moving = (_centre_of_mass(*each) for each in images)
    return [(fixed, moving), (_middle(pair.fixed), _middle(pair.moving))]


def _unturned(centres: Ends, overlap: bool) -> list[Linear]:
    """Return the translations that align centres, and the identity if the headers overlap."""
    found = [Linear.about(a, b, np.eye(3)) for a, b in centres]
    return [*found, Linear.still()] if overlap else found


def _all_round(centres: Ends, flat: bool) -> list[Linear]:
    """Return evenly spaced rotations about each centre: super-Fibonacci spirals (Alexa 2022)."""
    if flat:
        turns = [_turns(float(degrees), flat)[1] for degrees in range(0, 360, FLAT_STEP)]
        return [Linear.about(a, b, turn) for (a, b), turn in itertools.product(centres, turns)]
    at = np.arange(ROTATIONS) + 0.5
    share = at / ROTATIONS
    first, second = 2 * np.pi * at / np.sqrt(2), 2 * np.pi * at / 1.533751168755204288118041413
    inner, outer = np.sqrt(share), np.sqrt(1 - share)
    quaternions = np.stack(
        [inner * np.sin(first), inner * np.cos(first), outer * np.sin(second)]
        + [outer * np.cos(second)],
        axis=1,
    )
    turn, turns = sitk.VersorTransform(), []
    for quaternion in quaternions.tolist():
        turn.SetRotation(quaternion)
        turns.append(np.array(turn.GetMatrix()).reshape(3, 3))
    return [Linear.about(a, b, turn) for (a, b), turn in itertools.product(centres, turns)]


def _sides(linear: Linear, images: MutualInformation) -> list[Linear]:
    """Return a map shifted along, and rotated about, each axis, both ways."""
    centre, goal = images.centre, linear.at(images.centre)
    along = np.eye(3)[: 2 if images.flat else 3]
    shifts = ASIDE_MM * np.concatenate([along, -along])
    return [Linear.about(centre, goal + shift, linear.matrix) for shift in shifts] + [
        Linear.about(centre, goal, turn @ linear.matrix) for turn in _turns(ASIDE, images.flat)
    ]


def _middle(image: sitk.Image) -> np.ndarray:
    half = (np.array(image.GetSize()) - 1) / 2
    return np.array(image.TransformContinuousIndexToPhysicalPoint(half.tolist()))


def _centre_of_mass(image: sitk.Image, mask: sitk.Image | None) -> np.ndarray:
    values = sitk.GetArrayFromImage(image).T.astype(np.float64)
    values -= values.min()
    if mask is not None:
        values *= sitk.GetArrayViewFromImage(mask).T > 0
    whole = values.sum()
    if not whole > 0:
        return _middle(image)
    lines = [values.sum(axis=tuple({0, 1, 2} - {axis})) for axis in range(3)]
    index = [float(line @ np.arange(len(line)) / whole) for line in lines]
    return np.array(image.TransformContinuousIndexToPhysicalPoint(index))


def _turns(degrees: float, flat: bool) -> list[np.ndarray]:
    """Return rotations by an angle, both ways, about each axis; for slices about z."""
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    found = []
    for axis, sign in itertools.product((2,) if flat else range(3), (-1, 1)):
        turn = np.eye(3)
        others = [k for k in range(3) if k != axis]
        turn[np.ix_(others, others)] = [[cosine, -sign * sine], [sign * sine, cosine]]
        found.append(turn)
    return found


def _in_range(pair: ImagePair) -> ImagePair:
    """Return the pair with rare intensities clamped, so that they do not take up bins."""
    images = (pair.fixed, pair.fixed_mask), (pair.moving, pair.moving_mask)
    fixed, moving = (_held(*each) for each in images)
    return ImagePair(fixed, moving, pair.fixed_mask, pair.moving_mask, pair.flat)


def _held(image: sitk.Image, mask: sitk.Image | None) -> sitk.Image:
    values = sitk.GetArrayViewFromImage(image)
    inside = values if mask is None else values[sitk.GetArrayViewFromImage(mask) > 0]
    if not inside.size:  # a mask thinner than the voxels
        return image
    low, high = (float(each) for each in np.percentile(inside, RANGE))
    if low < AIR_HU:  # CT: clamp air and metal
        low, high = max(low, BODY_HU[0]), min(high, BODY_HU[1])
    return sitk.Clamp(image, lowerBound=low, upperBound=high) if high > low else image
