"""The zoo's losses as a registration of two images minimises them.

TensorFlow is imported when a loss is asked for, so that names can be checked without it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

# Of the bending energy beside each loss but MIND-SSC, mm^2, for a field that bends little; see
# `mmzoo.registration.objective.field_cost` for one that bends much. SEGI's was chosen on pairs that
# benchmarks/register.py does not show: phantoms of seed 100, brains of people 1 to 3. Before
# diffusion was charged too, beside one weight of 160 and a field that was shrunk as a whole where
# it folded: mean Dice of four pairs of two people's brains 0.683 and with it 0.704 (ANTs SyN
# 0.693), of two hearts 0.877 and 0.897, of two abdomens 0.750 and 0.765; TRE of one person's brain
# 0.54 and 0.52 mm, of two breasts 0.95 and 0.93, of two cine hearts 2.51 and 2.27, of two brain
# phantoms 0.84 and 0.84, but of two spines 0.77 and 0.89. A lower weight for all, 80, has brains at
# 0.693 and spines at 1.04. The others have about SEGI's range (NMI half of it) and were not chosen
# further.
WEIGHT = 200.0
# Of SEGI, voxels of the level. The authors' order, and an eps relative to the image's own edges, so
# that noise does not count as edges do. On the same pairs, beside the printed order with 1e-4: Dice
# of abdomens 0.716 to 0.623, hearts 0.875 to 0.841, brains of two people 0.628 to 0.640; TRE of a
# breast 1.39 to 1.54 mm, of one person's brain 0.99 to 0.83 mm. 0.03 and 1 are about as good.
SIGMAS, EPS, ORDER = (1.0, 1.5, 3.0), 0.1, "smooth-then-normalise"

# Of mutual information beside SEGI in "segi-mi": edges say where a border is, mutual information
# which border it is. Without and with it, on pairs of the same seed, after one affine stage each:
# Dice of three abdomens 0.691, 0.548, 0.786 and 0.839, 0.597, 0.822, of a heart 0.875 and 0.918, of
# brains of two people 0.678 and 0.688; TRE of a brain phantom 1.47 and 0.80 mm, of a spine 1.07 and
# 0.62, of one person's brain 0.84 and 0.58. More is too much: with 0.5 the first abdomen has 0.532,
# as it has with control points 6 mm apart and half the bending (0.528).
MI_SHARE = 0.3


# Of MIND-SSC, mm: from a voxel to its neighbours. A patch reaches one voxel of the level.
DILATION_MM = 2.4
FLOOR = 1e-3  # of a voxel's variance, as a share of the mean one


class Similarity(NamedTuple):
    """Image dissimilarity (lower is better): precompute for the fixed image, then evaluate.

    Attributes:
        prepare: from the fixed image (1, dim1, dim2, dim3), tensor in [0, 1], to what can be
            computed of it in advance.
        compare: from that, the warped image and a mask, of the same shape, to a scalar;
            differentiable with respect to the warped image.
    """

    prepare: Callable[[Any], Any]
    compare: Callable[[Any, Any, Any], Any]


class Loss(NamedTuple):
    """A row of `LOSSES`.

    Attributes:
        weight: of the bending energy, mm^2.
        build: from the voxel size along each axis to the `Similarity`.
        clearly: share of a dissimilarity that is 0 for the same image by which a field must lower
            it to be kept although mutual information falls a little; None: not known.
        coarse: share of the weight at coarse levels.
    """

    weight: float
    build: Callable[[Any], Similarity]
    clearly: float | None = None
    coarse: float = 1.0


def similarity(name: str, spacing) -> Similarity:
    """Return a loss as a registration minimises it.

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
    from mmzoo.losses.segi import segi_distance, segi_features

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
    "mind-ssc": Loss(1500.0, _mind_ssc, clearly=0.2, coarse=0.4),
    "segi-mi": Loss(WEIGHT, _segi_mi),
    "segi": Loss(WEIGHT, _segi),
    "mi": Loss(WEIGHT, _plain("mi")),
    "nmi": Loss(100.0, _plain("nmi", num_bins=32, sigma=0.5 / 31)),
    "ncc": Loss(WEIGHT, _plain("ncc")),
    "local-correlation": Loss(WEIGHT, _plain("local_correlation")),
    "local-gradient": Loss(WEIGHT, _plain("local_gradient", eps=0.25)),
}
