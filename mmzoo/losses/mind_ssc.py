"""MIND-SSC: self-similarities of the patches around a voxel, compared between two images.

Compares not intensities but which of the patches around a voxel resemble each other: a pattern of
the anatomy that does not change with contrast, and so suits images of different modalities.

Source: Heinrich et al. 2013, self-similarity context; the clipped variance and the sum over the
pairs are those of ConvexAdam (Siebert et al. 2021, `convexAdam` on the Python package index), whose
values it has. Differs from that code: outside the image border values are repeated, where
theirs repeat squared differences. `spacing` is ours.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence

import tensorflow as tf

from mmzoo.checks import check_positive
from mmzoo.framework import keras
from mmzoo.losses.base import FunctionLoss, mean_over_channels
from mmzoo.losses.spacing import Spacing, per_axis
from mmzoo.ops.compiled import symbolic
from mmzoo.ops.filters import weighted_mean
from mmzoo.ops.pad import border_goes_on
from mmzoo.ops.self_similarity import LEAST, compare_patches, patch_means, self_variance
from mmzoo.ops.slabs import slab_mean

DILATION, RADIUS = 2.0, 1.0


def mind_ssc(
    fixed: tf.Tensor,
    warped: tf.Tensor,
    mask: tf.Tensor | None = None,
    *,
    dilation: float = DILATION,
    radius: float = RADIUS,
    spacing: Spacing = 1.0,
) -> tf.Tensor:
    """Return the mean squared difference of the self-similarities of two volumes.

        D_pq(x) = mean over a patch of (I(x + p) - I(x + q))^2
        m_pq(x) = exp(-(D_pq(x) - min_pq D_pq(x)) / V(x))
        L = mean_x sum_pq (m_pq(fixed) - m_pq(warped))^2

    p and q are two of the six neighbours of x at a distance of `dilation`, not opposite ones: 12
    pairs. V is the mean over the pairs of D_pq - min D_pq, clipped to a thousandth and a thousand
    times its mean over the volume, which the gradient takes as given. Beyond the volume its border
    values go on. Symmetric in its two volumes; unchanged when one of them is shifted or scaled by
    any number but 0. Nothing is kept between value and gradient, and what it takes beside the
    volumes is of a slab of about a million voxels.

    Args:
        fixed: (batch, dim1, dim2, dim3) or with a channel axis (the mean over channels is
            returned), dims known, finite, of any range.
        warped: the same shape.
        mask: (batch or 1, dim1, dim2, dim3); voxels count by its value. All alike if None.
        dilation: from a voxel to its neighbours, in the unit of `spacing`; rounded to whole voxels,
            at least one.
        radius: of a patch, 2 radius + 1 voxels an axis, in the unit of `spacing`; rounded likewise,
            0 for patches of one voxel.
        spacing: length of a voxel, a number or one an axis, in the unit of `dilation` and `radius`:
            voxels by default; in mm these are lengths.

    Returns:
        (batch,), at least 0 and below 12.

    Raises:
        ValueError: unequal shapes, a wrong rank, dilation or spacing not positive, or a negative
            radius.
    """
    check_settings(dilation, radius)
    steps, reach = in_voxels(dilation, radius, spacing)
    return mean_over_channels(_in_slabs(steps, reach), fixed, warped, mask)


def in_voxels(dilation: float, radius: float, spacing: Spacing) -> tuple[tuple[int, ...], ...]:
    """Return the steps to the neighbours and the radii of a patch along each axis, in voxels."""
    lengths = per_axis(spacing)
    steps = tuple(max(1, round(dilation / length)) for length in lengths)
    return steps, tuple(round(radius / length) for length in lengths)


# === The whole of a volume, or a slab after the other ===


@functools.lru_cache
def _in_slabs(steps: tuple[int, ...], reach: tuple[int, ...]) -> Callable[..., tf.Tensor]:
    around = [step + r for step, r in zip(steps, reach, strict=True)]
    patches = patch_means(steps, reach)
    variance, compare = self_variance(steps), compare_patches(steps)

    def mean_variance(padded, weight):
        mean = slab_mean(lambda a, *_: variance(*patches(a)), margin=around[0])
        return mean(*[tf.stop_gradient(padded)] * 2, weight)

    @symbolic
    def distance(fixed, warped, mask):
        rows = [[0, 0], [around[0]] * 2, [0, 0], [0, 0]]
        pair = [border_goes_on(volume, around) for volume in (fixed, warped)]
        everywhere = tf.pad(tf.ones_like(fixed[:1]), rows)
        means = [mean_variance(volume, everywhere) for volume in pair]

        def of_slab(a, b, _):
            return compare(*patches(a), *patches(b), *means)

        return slab_mean(of_slab, margin=around[0])(*pair, tf.pad(mask, rows))

    return distance


def mind_ssc_features(volume: tf.Tensor, steps: Sequence[int], reach: Sequence[int]) -> list:
    """Return what `mind_ssc_distance` compares, for whoever compares one volume with many.

    Args:
        volume: (batch, dim1, dim2, dim3).
        steps: of `in_voxels`.
        reach: likewise.

    Returns:
        Means over patches of the squared differences in six directions, on grids of their own, and
        the mean variance, (batch,).
    """
    around = [step + r for step, r in zip(steps, reach, strict=True)]
    patches = patch_means(tuple(steps), tuple(reach))(border_goes_on(volume, around))
    variance = self_variance(tuple(steps))(*map(tf.stop_gradient, patches))
    return [*patches, tf.reduce_mean(variance, axis=(1, 2, 3))]


def mind_ssc_distance(
    features_a: Sequence[tf.Tensor],
    features_b: Sequence[tf.Tensor],
    mask: tf.Tensor,
    steps: Sequence[int],
    floor: float = LEAST,
) -> tf.Tensor:
    """Return the `mind_ssc` of two volumes by their `mind_ssc_features`, (batch,).

    Args:
        features_a: of one volume.
        features_b: of the other, by the same steps and reach.
        mask: (batch or 1, dim1, dim2, dim3), the weight of each voxel.
        steps: as in `mind_ssc_features`.
        floor: of a voxel's variance, as a share of the mean one: with more of it what is weak for
            this image, noise among it, counts less.
    """
    (*a, mean_a), (*b, mean_b) = features_a, features_b
    return weighted_mean(compare_patches(tuple(steps), floor)(*a, *b, mean_a, mean_b), mask)


def check_settings(dilation: float, radius: float) -> None:
    """Raise ValueError where a setting of `mind_ssc` is out of its range."""
    check_positive("dilation", dilation)
    check_positive("radius", radius, allow_zero=True)


@keras.saving.register_keras_serializable(package="mmzoo")
@dataclasses.dataclass(eq=False)
class MINDSSC(FunctionLoss):
    """The `mind-ssc` loss; see `mind_ssc` for what the arguments mean."""

    dilation: float = DILATION
    radius: float = RADIUS
    spacing: Spacing = 1.0
    function = staticmethod(mind_ssc)

    def check_settings(self) -> None:
        """Raise ValueError as `mind_ssc` does."""
        check_settings(self.dilation, self.radius)
