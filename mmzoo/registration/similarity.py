"""The losses of a registration without a network, and their weights.

TensorFlow is imported when a loss is asked for, so that names can be checked without it.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

# Weight of the bending energy, mm^2, for each loss but MIND-SSC, at low bending energy; see
# `objective.field_cost` and docs/tuning.md.
WEIGHT = 200.0
# Settings of SEGI, in voxels of the pyramid level: the authors' order, and an eps relative to the
# image's gradients, which suppresses noise; see docs/tuning.md.
SIGMAS, EPS, ORDER = (1.0, 1.5, 3.0), 0.1, "smooth-then-normalise"

# Weight of mutual information in "segi-mi": SEGI locates edges, mutual information says which
# tissues they separate; see docs/tuning.md.
MI_SHARE = 0.3


# Of MIND-SSC, mm: from a voxel to its neighbours. A patch reaches one voxel of the pyramid level.
DILATION_MM = 2.4
FLOOR = 1e-3  # of a voxel's variance, as a share of the mean one


class Similarity(NamedTuple):
    """Image dissimilarity (lower is better): precompute for the fixed image, then evaluate.

    Attributes:
        prepare: from the fixed image (1, dim1, dim2, dim3), tensor in [0, 1], to its precomputed
            features.
        compare: from these, the warped image and a mask of its shape to a scalar; differentiable
            with respect to the warped image.
    """

    prepare: Callable[[Any], Any]
    compare: Callable[[Any, Any, Any], Any]


class LossChoice(NamedTuple):
    """A row of `LOSSES`.

    Attributes:
        weight: of the bending energy, mm^2.
        build: from the voxel size along each axis to the `Similarity`.
        clearly: share by which a field must lower the dissimilarity to be kept although mutual
            information falls a little; None: never.
        coarse: share of the weight at coarse levels.
        sharpest: blur of sharp images, see `objective.field_cost`; 1: as of blurred ones.
    """

    weight: float
    build: Callable[[Any], Similarity]
    clearly: float | None = None
    coarse: float = 1.0
    sharpest: float = 1.0


def similarity(name: str, spacing) -> Similarity:
    """Return a loss for given voxel sizes.

    Args:
        name: of a loss, a key of `LOSSES`.
        spacing: voxel size along each axis.
    """
    return LOSSES[name].build(spacing)


def _plain(name: str, **settings) -> Callable[[Any], Similarity]:
    """Return the `build` of a function of `mmzoo.losses`, with its settings."""

    def build(_) -> Similarity:
        from mmzoo import losses

        function = functools.partial(getattr(losses, name), **settings)
        return Similarity(lambda fixed: fixed, lambda *images: function(*images)[0])

    return build


def _segi(spacing) -> Similarity:
    from mmzoo.losses.segi_features import segi_distance, segi_features

    lengths = [step / min(spacing) for step in spacing]

    def features(volume):
        return segi_features(volume, SIGMAS, ORDER, EPS, lengths, relative=True)

    return Similarity(
        features, lambda mine, warped, mask: segi_distance(mine, features(warped), mask)[0]
    )


def _mind_ssc(spacing) -> Similarity:
    from mmzoo.losses.mind_ssc import in_voxels, mind_ssc_distance, mind_ssc_features

    steps, _ = in_voxels(DILATION_MM, 0, [float(step) for step in spacing])
    reach = (1, 1, 1)

    def features(volume):
        return mind_ssc_features(volume, steps, reach)

    return Similarity(
        features,
        lambda mine, warped, mask: mind_ssc_distance(mine, features(warped), mask, steps, FLOOR)[0],
    )


def _sum_of(first: Similarity, share: float, second: Similarity) -> Similarity:
    def compare(prepared, warped, mask):
        return first.compare(prepared[0], warped, mask) + share * second.compare(
            prepared[1], warped, mask
        )

    return Similarity(lambda fixed: (first.prepare(fixed), second.prepare(fixed)), compare)


def _segi_mi(spacing) -> Similarity:
    return _sum_of(_segi(spacing), MI_SHARE, _plain("mi")(spacing))


LOSSES = {
    "mind-ssc": LossChoice(1500.0, _mind_ssc, clearly=0.2, coarse=0.4, sharpest=1 / 3),
    "segi-mi": LossChoice(WEIGHT, _segi_mi),
    "segi": LossChoice(WEIGHT, _segi),
    "mi": LossChoice(WEIGHT, _plain("mi")),
    "nmi": LossChoice(100.0, _plain("nmi", num_bins=32, sigma=0.5 / 31)),
    "ncc": LossChoice(WEIGHT, _plain("ncc")),
    "local-correlation": LossChoice(WEIGHT, _plain("local_correlation")),
    "local-gradient": LossChoice(WEIGHT, _plain("local_gradient", eps=0.25)),
}
