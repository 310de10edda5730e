"""Spatially encoded gradient information (SEGI): similarity of smoothed gradient directions.

Compares the directions of edges and not their strength, at several scales of smoothing, which
averages out noise. With the absolute cosine an edge matches its counterpart also where contrast is
reversed, as between CT and MR.

Source: Ding et al. 2021, MMRegNet, Eq. 4-8. Authors' code: NanYoMy/mmregnet.
Differs from the paper (each is an option): the absolute value of the cosine is the default, as in
the authors' code; Eq. 8 prints the signed one. Differs from the authors' code: the order of
Eq. 5 is the default (they smooth the raw gradient, then normalise); the sigmas are the printed
ones (their code has 1, 2, 3). Both count in voxels; `spacing` is ours.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from mmzoo.checks import check_choice, check_positive
from mmzoo.framework import keras
from mmzoo.losses.base import FunctionLoss, mask_of_differences, mean_over_channels
from mmzoo.losses.spacing import Spacing, per_axis
from mmzoo.ops.compiled import compiled, recomputed
from mmzoo.ops.filters import gaussian_kernel, gaussian_smooth, weighted_mean
from mmzoo.ops.finite_difference import backward_gradient
from mmzoo.ops.slabs import slab_mean
from mmzoo.ops.smooth_gradient import (
    Line,
    gradient_cosine,
    smooth,
    smooth_gradient,
    smoothed_line,
    whole_line,
)

SIGMAS = (1.0, 1.5, 3.0)  # Sigma, section 3 of the paper, in voxels
ORDERS = ("normalise-then-smooth", "smooth-then-normalise")


def segi(
    fixed: tf.Tensor,
    warped: tf.Tensor,
    mask: tf.Tensor | None = None,
    *,
    sigmas: Sequence[float] = SIGMAS,
    order: str = "normalise-then-smooth",
    absolute: bool = True,
    eps: float = 1e-5,
    spacing: Spacing = 1.0,
) -> tf.Tensor:
    """Return the SEGI dissimilarity of two images (lower is better).

        G_I = grad I / |grad I|                     (Eq. 4)
        SG_I^s = Gaussian(s) * G_I                  (Eq. 5)
        L = 1/K sum_s mean_x -cos(SG_a^s, SG_b^s)   (Eq. 7, 8; |cos| if `absolute`)

    where |v| is sqrt(|v|^2 + eps). Differences are one-sided without the first planes; smoothing
    counts zeros outside the volume. Symmetric in its two volumes, unchanged when one of them is
    multiplied by -1 (if `absolute`) or shifted by a constant, and by scaling as long as gradients
    stay well above sqrt(eps). A sigma costs three passes over a volume. If smoothing comes
    first, it is done a slab at a time, the gradient's volume alone is kept from value to gradient,
    and differences are taken of the smoothed volume: their rounding grows with the intensities.
    The printed order costs nine, keeps nothing, and takes about three copies of the gradient of
    both volumes.
    With `sigmas` [0] nothing is smoothed: plain normalised gradient information (Haber and
    Modersitzki 2006), whose two orders differ by eps alone.

    Args:
        fixed: (batch, dim1, dim2, dim3) or with a channel axis (the mean over channels is
            returned), dims known and at least 2, finite; made for intensities in about [0, 1].
        warped: the same shape.
        mask: (batch or 1, dim1, dim2, dim3); voxels count by its value. All alike if None.
        sigmas: standard deviations of the neighbourhoods, in the unit of `spacing`; 0 for none.
        order: "normalise-then-smooth" (Eq. 5) or "smooth-then-normalise" (authors' code: the
            gradient is smoothed raw and only the cosine normalises).
        absolute: take |cos| (contrast may reverse); false is the printed Eq. 8.
        eps: added to squared norms; gradients below sqrt(eps) per voxel count less.
        spacing: length of a voxel, a number or one an axis, in the unit of `sigmas`: voxels by
            default; at twice the paper's voxel size 2 keeps the paper's sigmas. Along an axis
            smoothing takes sigma / spacing voxels. Differences are divided by the spacing over
            its geometric mean, so that directions are physical, and eps stays one per voxel.

    Returns:
        (batch,), in [-1, 0] if `absolute`, else in [-1, 1]. Two constant volumes give 0.

    Raises:
        ValueError: unequal shapes, a wrong rank, an unknown order, a negative sigma, eps or spacing
            not positive.
    """
    check_settings(sigmas, order, eps)
    spacing = per_axis(spacing)
    total = _mean_cosine(tuple(map(float, sigmas)), order, absolute, float(eps), spacing)

    def compare(fixed: tf.Tensor, warped: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        return -total(fixed, warped, mask_of_differences(mask, fixed)) / len(sigmas)  # Eq. 7, 8

    return mean_over_channels(compare, fixed, warped, mask)


@functools.lru_cache
def _mean_cosine(
    sigmas: tuple[float, ...], order: str, absolute: bool, eps: float, spacing: tuple[float, ...]
) -> Callable[..., tf.Tensor]:
    """Return the sum over sigmas of the mean cosine, as a function of two volumes and a mask.

    Loops over voxels are compiled, one a piece; sums are left to TensorFlow, which keeps all cores
    busy with them where XLA does not.
    """
    if order == "normalise-then-smooth":  # in slabs, normalising their margins too takes longer
        compare = compiled(lambda a, b: cosine(normalise(a, eps), normalise(b, eps), absolute))

        def of_whole(sigma, fixed, warped, mask):
            whole = tf.ones(fixed.shape[1:2], fixed.dtype), slice(1, fixed.shape[1])
            a, b = (smoothed(v, sigma, order, eps, spacing, *whole) for v in (fixed, warped))
            return weighted_mean(compare(a, b), mask[:, 1:])

        means = [recomputed(functools.partial(of_whole, sigma)) for sigma in sigmas]
        return lambda *tensors: tf.add_n([mean(*tensors) for mean in means])

    # A voxel depends on a Gaussian's tail, on a difference, and on whether that is the first one.
    margin = max(len(gaussian_kernel(sigma / spacing[0])) // 2 for sigma in sigmas) + 2

    def of_slab(sigma, fixed, warped, inside):
        lines = _lines(fixed, sigma, spacing, inside, slice(margin, inside.shape[0] - margin))
        compare = gradient_cosine(absolute, eps, _per_length(spacing))
        return compare(smooth(fixed, lines), smooth(warped, lines), lines)

    return slab_mean(*(functools.partial(of_slab, sigma) for sigma in sigmas), margin=margin)


def smoothed(
    volume: tf.Tensor,
    sigma: float,
    order: str,
    eps: float,
    spacing: tuple[float, ...],
    inside: tf.Tensor,
    rows: slice,
) -> tf.Tensor:
    """Return SG_I of Eq. 5 before its length is made one, (batch, 3, rows, dim2 - 1, dim3 - 1).

    Args:
        volume: (batch, dim1, dim2, dim3), some rows of a volume.
        sigma: as in `segi`, likewise order and eps.
        order: one of `ORDERS`.
        eps: above 0.
        spacing: three lengths.
        inside: (dim1,), 1 for rows that are of the volume, else 0.
        rows: that are wanted, the first row of the volume aside.
    """
    if order == "normalise-then-smooth":
        edges = _compiled_edges(eps, spacing)(volume, inside)  # begin at the second row
        along = [sigma / length for length in spacing]
        return gaussian_smooth(edges, along, slice(rows.start - 1, rows.stop - 1))
    differences = smooth_gradient(volume, _lines(volume, sigma, spacing, inside, rows))
    return _scaled(differences, spacing)


def _lines(
    volume: tf.Tensor, sigma: float, spacing: tuple[float, ...], inside: tf.Tensor, rows: slice
) -> list[Line]:
    """Return how the axes of some rows of a volume are smoothed."""
    along = [sigma / length for length in spacing]
    others = zip(along[1:], volume.shape[2:], strict=True)
    whole = [whole_line(sigma, length, volume.dtype) for sigma, length in others]
    return [smoothed_line(along[0], inside, rows), *whole]


@functools.lru_cache
def _compiled_edges(eps: float, spacing: tuple[float, ...]) -> Callable[..., tf.Tensor]:
    def edges(volume, inside):  # Eq. 4; nothing where a difference leaves the volume
        both = (inside[1:] * inside[:-1])[:, None, None]
        return normalise(both * _scaled(backward_gradient(volume), spacing), eps)

    return compiled(edges)


def cosine(a: tf.Tensor, b: tf.Tensor, absolute: bool) -> tf.Tensor:
    """Return the cosine of vectors (batch, 3, ...) of length one, or its absolute value."""
    along = tf.reduce_sum(a * b, axis=1)
    return tf.abs(along) if absolute else along


def _scaled(differences: tf.Tensor, spacing: tuple[float, ...]) -> tf.Tensor:
    """Return differences (batch, 3, ...) per length."""
    if len(set(spacing)) == 1:
        return differences
    scales = tf.constant(_per_length(spacing), differences.dtype)
    return differences * tf.reshape(scales, [3, 1, 1, 1])


def _per_length(spacing: tuple[float, ...]) -> tuple[float, ...]:
    """Return by what differences are multiplied; the unit is a voxel's geometric mean edge."""
    edge = np.prod(spacing) ** (1 / 3)
    return tuple(float(edge / length) for length in spacing)


def normalise(vectors: tf.Tensor, eps: float | tf.Tensor) -> tf.Tensor:
    """Return vectors (batch, 3, ...) over sqrt(|v|^2 + eps)."""
    return vectors * tf.math.rsqrt(tf.reduce_sum(vectors**2, axis=1, keepdims=True) + eps)


def check_settings(sigmas: Sequence[float], order: str, eps: float) -> None:
    """Raise ValueError where a setting of `segi` is out of its range."""
    if not sigmas:
        raise ValueError("`sigmas` must hold at least one standard deviation, got none.")
    for sigma in sigmas:
        check_positive("sigmas", sigma, allow_zero=True)
    check_choice("order", order, ORDERS)
    check_positive("eps", eps)


@keras.saving.register_keras_serializable(package="mmzoo")
@dataclasses.dataclass(eq=False)
class SEGI(FunctionLoss):
    """The `segi` loss; see that function for what the arguments mean."""

    sigmas: Sequence[float] = SIGMAS
    order: str = "normalise-then-smooth"
    absolute: bool = True
    eps: float = 1e-5
    spacing: Spacing = 1.0
    function = staticmethod(segi)

    def check_settings(self) -> None:
        """Raise ValueError as `segi` does."""
        check_settings(self.sigmas, self.order, self.eps)
        self.sigmas = tuple(map(float, self.sigmas))
