"""Plausibility checks of a registration."""

from collections.abc import Mapping

import numpy as np

from mmzoo.registration.climb import climbed
from mmzoo.registration.information import Linear, MutualInformation

DOUBTFUL = "doubtful"  # begins the notes that ask the user to check the result
LEAST_OVERLAP = 0.5  # of the smaller image
FAR_ANGLE = 45.0  # degrees; errors of headers are rarely larger
APART = 0.5  # mean distance of another place, in radii of the fixed image
# Share of the mutual information from which on that is likely: near the headers, and turned far.
RIVAL, RIVAL_TURNED = 0.9, 0.8
RIVALLED = (
    "doubtful: the moving image may lie elsewhere: another position has {:.0f} % of the mutual "
    "information, {:.0f} mm away on average; look at picture.png, and give masks or better headers "
    "if it is wrong"
)
RIVALS = 6  # places that are mirrored
COARSE_STEP_MM, FINE_STEP_MM = 3.0, 1.5
MIRRORED = 1.1  # gain in mutual information from which on one image may be mirrored
LEFT_RIGHT = (
    "doubtful: left and right may be exchanged in one of the images: mirrored, the moving image "
    "has {:.2f} times the mutual information; check how it was converted"
)
STRETCH = 0.7, 1.4  # plausible between two bodies, along any direction
LESS = 0.99  # of the NMI times overlap by headers; two aligned images end a little below
LEAST_SHARED = 0.015  # NMI times overlap; images of one part of a body have more


def implausible(overlap: float, nmi: Mapping, known: Mapping) -> list[str]:
    """Return reasons why a result may be wrong, in sentences.

    Args:
        overlap: share of the smaller image that lies in the other after the linear stage.
        nmi: "before", "linear" and "after": normalised mutual information where both images are
            known, None where nothing is.
        known: likewise: share of the fixed image for which the moving one is known.
            NMI is multiplied by this share, so that a smaller overlap is no gain.
    """
    found = []
    if overlap < LEAST_OVERLAP:
        found.append(
            f"doubtful: only {100 * overlap:.0f} % of the smaller image lies in the other; look at "
            "picture.png, and give masks or better headers if it is wrong"
        )
    before, linear, after = (shared(nmi, known, each) for each in ("before", "linear", "after"))
    if linear < LEAST_SHARED:
        found.append(
            f"doubtful: the images share next to nothing (NMI times overlap {linear:.3f} after the "
            "linear stage): a field would be a guess; check that the two show the same part of a "
            "body"
        )
    if after < LESS * before:
        found.append(
            f"doubtful: the images are less alike than by their headers (NMI times overlap "
            f"{before:.3f} before, {after:.3f} after); `--initial none` keeps what these say"
        )
    return found


def shared(nmi: Mapping, known: Mapping, stage: str) -> float:
    """Return NMI times overlap at a stage, 0 without overlap; arguments as of `implausible`."""
    return (nmi[stage] or 0.0) * known[stage]


def linear_doubts(
    coarse: MutualInformation, fine: MutualInformation, best: Linear, rigid: list[Linear]
) -> list[str]:
    """Return reasons why a map may be wrong.

    Args:
        coarse: the images at 6 mm.
        fine: at 3 mm.
        best: what was chosen.
        rigid: the rigid maps that all starts led to, the best first.
    """
    found = []
    if unlikely(best):
        found.append(f"doubtful: {unlikely(best)}; check the result, or use `--initial rigid`")
    limit = APART * coarse.radius
    near = [each for each in rigid if coarse.apart_mm(each, best) <= limit]
    far = [each for each in rigid if coarse.apart_mm(each, best) > limit]

    def climb(images: MutualInformation, starts: list[Linear], step_mm: float) -> Linear:
        ends = [climbed(images, each, "rigid", step_mm) for each in starts]
        return max(ends, key=images.overlap_weighted)

    def shared(linear: Linear) -> float:
        return fine.overlap_weighted(climb(fine, [linear], FINE_STEP_MM))

    own = shared(near[0]) if near else 0.0
    if not own > 0:
        return found
    rival = shared(far[0]) / own if far else 0.0
    if rival > (RIVAL_TURNED if rotation_degrees(best) > FAR_ANGLE else RIVAL):
        found.append(RIVALLED.format(100 * rival, coarse.apart_mm(far[0], best)))
    seen = [_mirrored(each, coarse.centre) for each in (near[0], *far[:RIVALS])]
    mirrored = shared(climb(coarse, seen, COARSE_STEP_MM)) / own
    if mirrored > MIRRORED:
        found.append(LEFT_RIGHT.format(mirrored))
    return found


def _mirrored(linear: Linear, centre: np.ndarray) -> Linear:
    """Return a map that mirrors the fixed image's left and right about a point first."""
    return Linear.about(centre, linear.at(centre), linear.matrix @ np.diag([-1.0, 1.0, 1.0]))


def unlikely(linear: Linear) -> str:
    """Return why a linear map is implausible between two bodies, or ""."""
    stretches = np.linalg.svd(linear.matrix, compute_uv=False)
    if STRETCH[0] <= stretches.min() and stretches.max() <= STRETCH[1]:
        return ""
    return (
        f"the linear stage stretches the image by {stretches.max():.2f} along one direction and "
        f"{stretches.min():.2f} along another"
    )


def rotation_degrees(linear: Linear) -> float:
    """Return the angle of a linear map's rotation, degrees."""
    left, _, right = np.linalg.svd(linear.matrix)
    cosine = (np.trace(left @ right) - 1) / 2
    return float(np.rad2deg(np.arccos(np.clip(cosine, -1, 1))))
