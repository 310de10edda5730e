"""The pieces that are measured, in TensorFlow: ours, DeepReg's own, and the plain formulation.

A form is a function that returns a function of the piece's tensors, so that only the form measured
imports its library. Forms in PyTorch are in `peers`.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field

Form = Callable[[], Callable]


@dataclass(frozen=True)
class Piece:
    """A loss, warp or regulariser.

    Attributes:
        title: as the page says it.
        tensors: names of `inputs`, in the order of the arguments; the last one is differentiated.
        forms: name of a form -> the form.
        monai: whether `peers` has MONAI's form.
        convex_adam: whether `peers` has ConvexAdam's.
        passes: copies of a volume that value and gradient must at least read or write.
        operations: a voxel, on numbers in the cache, of the best algorithm known; for value and
            gradient. A root, a quotient and an exponential count as one each.
        multiply_adds: a voxel, in products of matrices; 0 where there are none.
        bins: of the histogram, else 0.
    """

    title: str
    tensors: tuple[str, ...]
    forms: dict[str, Form] = field(compare=False)
    monai: bool = False
    convex_adam: bool = False
    passes: int = 0
    operations: int = 0
    multiply_adds: int = 0
    bins: int = 0


# === DeepReg's pieces ===


def _warp():
    from mmzoo.ops.warp import warp

    return warp


def _deepreg_warp():
    from deepreg.model.layer_util import warp_image_ddf

    return lambda volume, ddf: warp_image_ddf(volume, ddf, None)


def _bending():
    from mmzoo.losses import bending_energy

    return lambda ddf: bending_energy(ddf, stencil="nested")


def _deepreg_bending():
    from deepreg.loss.deform import BendingEnergy

    return BendingEnergy()


def _gradient():
    from mmzoo.deepreg.adaptations.acceleration.gradient import gradient_norm

    return gradient_norm


def _deepreg_gradient():
    from deepreg.loss.deform import GradientNorm

    return GradientNorm()


def _lncc():
    from deepreg.loss.image import EPS

    from mmzoo.deepreg.adaptations.acceleration.lncc import lncc

    box = ((1.0,) * 9,) * 3 + ((1.0,),)
    return lambda f, w: lncc(f[..., None], w[..., None], box, 9.0**3, EPS)


def _deepreg_lncc():
    from deepreg.loss.image import LocalNormalizedCrossCorrelation

    return LocalNormalizedCrossCorrelation(kernel_size=9)


def _gmi():
    from deepreg.loss.image import EPS

    from mmzoo.deepreg.adaptations.acceleration.gmi import gmi

    return lambda f, w: gmi(f[..., None], w[..., None], 23, 0.5, EPS)


def _deepreg_gmi(bins: int) -> Form:
    def form():
        from deepreg.loss.image import GlobalMutualInformation

        return GlobalMutualInformation(num_bins=bins)

    return form


def _gncc():
    from mmzoo.losses import ncc

    return ncc


def _deepreg_gncc():
    from deepreg.loss.image import GlobalNormalizedCrossCorrelation

    return GlobalNormalizedCrossCorrelation()


# === The papers' pieces ===


def _loss(name: str, **settings) -> Form:
    def form():
        from mmzoo import losses

        return lambda *tensors: getattr(losses, name)(*tensors, **settings)

    return form


def _plain(name: str, **settings) -> Form:
    def form():
        from benchmarks.speed import plain

        return functools.partial(getattr(plain, name), **settings)

    return form


def _mask_first(form: Form) -> Form:
    """Return a form of (mask, ddf), since the last tensor is what is differentiated."""
    return lambda: lambda mask, ddf: form()(ddf, mask)


PAIR = ("fixed", "warped")
AUTHORS = "smooth-then-normalise"  # SEGI's order in their code
# Operations a voxel; for the gradient those by the last tensor alone.
BOX = 3 * 2  # a running sum: one voxel enters, one leaves, along each axis
SMOOTHED = 3 * (7 + 9 + 19)  # the taps of the three Gaussians
COSINE = 23 + 16  # of two vectors of three numbers, and its gradient
DIFFERENCES = 3
CORRELATION = 3 + 5 * BOX + 15 + (12 + 3 * BOX + 5)  # products, sums, quotient; gradient
WINDOWS = 2 * 2 + 4  # a bin, by a recurrence; gradient


def _mutual_information(title: str, ours: Form, bins: int) -> Piece:
    return Piece(
        title,
        PAIR,
        {"mmzoo": ours, "DeepReg": _deepreg_gmi(bins)},
        monai=True,
        passes=5,
        operations=bins * WINDOWS,
        multiply_adds=2 * bins**2,
        bins=bins,
    )


PIECES = {
    "warp": Piece(
        "trilinear warp",
        ("volume", "ddf"),
        {"mmzoo": _warp, "DeepReg": _deepreg_warp},
        monai=True,
        passes=13,  # volume, ddf, result; volume, ddf, upstream, gradient
        operations=40 + 56,  # places, 8 voxels weighted; both again, and the slopes
    ),
    "lncc": Piece(
        "local NCC, 9 voxels",
        PAIR,
        {"mmzoo": _lncc, "DeepReg": _deepreg_lncc},
        monai=True,
        passes=5,
        operations=CORRELATION,
    ),
    "bending": Piece(
        "bending energy",
        ("ddf",),
        {"mmzoo": _bending, "DeepReg": _deepreg_bending},
        monai=True,
        passes=9,
        operations=3 * (26 + 25),  # six derivatives of each component, and back
    ),
    "gradient": Piece(
        "gradient norm",
        ("ddf",),
        {"mmzoo": _gradient, "DeepReg": _deepreg_gradient},
        monai=True,
        passes=9,
        operations=3 * 3 * (3 + 3),
    ),
    "gmi": _mutual_information("gmi, 23 bins", _gmi, 23),
    "mi24": _mutual_information("mi, 24 bins", _loss("mi", num_bins=24), 24),
    "mi64": _mutual_information("mi, 64 bins", _loss("mi", num_bins=64), 64),
    "nmi64": Piece(
        "nmi, 64 bins",
        PAIR,
        {"mmzoo": _loss("nmi"), "plain": _plain("nmi")},
        passes=5,
        operations=2 * (2 * 3 * 5 + 3**2 * 2) + 9,  # pairs of the three bins that count
        bins=64,
    ),
    "ncc": Piece(
        "ncc", PAIR, {"mmzoo": _gncc, "DeepReg": _deepreg_gncc}, passes=5, operations=8 + 4
    ),
    "segi": Piece(
        "segi, 3 sigmas",
        PAIR,
        {
            "mmzoo": _loss("segi", order=AUTHORS),
            "plain": _plain("segi", order=AUTHORS),
        },
        passes=5,
        operations=3 * SMOOTHED + 3 * (3 * DIFFERENCES + COSINE),
    ),
    "mind-ssc": Piece(
        "mind-ssc, 3 voxels, 2 apart",
        PAIR,
        {"mmzoo": _loss("mind_ssc"), "plain": _plain("mind_ssc")},
        convex_adam=True,
        passes=5,
        operations=12 * (2 * (2 + BOX + 5) + 3 + 13 + BOX),  # 12 distances of both
    ),
    "local-gradient": Piece(
        "local-gradient, 7 voxels",
        PAIR,
        {"mmzoo": _loss("local_gradient"), "plain": _plain("local_gradient")},
        passes=5,
        operations=3 * DIFFERENCES + 9 * BOX + COSINE,
    ),
    "local-correlation": Piece(
        "local-correlation, 7 voxels",
        PAIR,
        {"mmzoo": _loss("local_correlation"), "plain": _plain("local_correlation")},
        passes=5,
        operations=2 + CORRELATION,
    ),
    "diffusion": Piece(
        "diffusion",
        ("ddf",),
        {"mmzoo": _loss("diffusion_energy"), "plain": _plain("diffusion")},
        monai=True,
        passes=9,
        operations=3 * 3 * (3 + 3),
    ),
    "rigidity": Piece(
        "rigidity, bones in 2 % of the volume",
        ("bones", "ddf"),
        {
            "mmzoo": _mask_first(_loss("rigidity")),
            "plain": _mask_first(_plain("rigidity")),
        },
        passes=4,
        operations=6,  # 300 in the bones
    ),
}
