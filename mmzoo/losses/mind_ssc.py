"""MIND-SSC: how the patches around a voxel resemble each other, compared between two volumes.

Why it works between modalities: what is compared is not an intensity but which of the patches on
the six sides of a voxel look alike, a pattern of the anatomy that stays when contrast changes.

Source: Heinrich et al. 2013, self-similarity context; the clipped variance and the sum over the
pairs are those of ConvexAdam (Siebert et al. 2021, `convexAdam` on the Python package index), whose
values it has. Differs from that code: patches that reach beyond the volume see its border values go
on, where theirs repeat squared differences. `spacing` is ours.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tf_keras as keras

from mmzoo.checks import check_positive, check_rank, check_same_shape
from mmzoo.losses.spacing import Spacing, per_axis
from mmzoo.ops.compiled import symbolic, traced
from mmzoo.ops.filters import weighted_mean
from mmzoo.ops.slabs import slab_mean

DILATION, RADIUS = 2.0, 1.0
RANGE = 1e-3, 1e3  # of a voxel's variance, as shares of its mean over the volume
PAIRS = 12
TINY = 1e-12  # squared intensity: keeps the variance of a constant volume from being 0


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
    check_rank("fixed", fixed, (4, 5))
    check_same_shape("fixed", fixed, "warped", warped)
    if len(fixed.shape) == 5:
        settings = {"dilation": dilation, "radius": radius, "spacing": spacing}
        channels = [
            mind_ssc(f, w, mask, **settings)
            for f, w in zip(tf.unstack(fixed, axis=4), tf.unstack(warped, axis=4), strict=True)
        ]
        return tf.add_n(channels) / len(channels)
    mask = tf.ones_like(fixed[:1]) if mask is None else tf.cast(mask, fixed.dtype)
    return _in_slabs(steps, reach)(fixed, warped, mask)


def in_voxels(dilation: float, radius: float, spacing: Spacing) -> tuple[tuple[int, ...], ...]:
    """Return the steps to the neighbours and the radii of a patch along each axis, in voxels."""
    lengths = per_axis(spacing)
    steps = tuple(max(1, round(dilation / length)) for length in lengths)
    return steps, tuple(round(radius / length) for length in lengths)


# === The whole of a volume, or a slab after the other ===


@functools.lru_cache
def _in_slabs(steps: tuple[int, ...], reach: tuple[int, ...]):
    around = [step + r for step, r in zip(steps, reach, strict=True)]
    patches = _patches(steps, reach)
    variance, compare = _variance(steps), _compare(steps)

    def mean_variance(padded, weight):
        mean = slab_mean(lambda a, *_: variance(*patches(a)), margin=around[0])
        return mean(*[tf.stop_gradient(padded)] * 2, weight)

    @symbolic
    def distance(fixed, warped, mask):
        rows = [[0, 0], [around[0]] * 2, [0, 0], [0, 0]]
        pair = [_border_goes_on(volume, around) for volume in (fixed, warped)]
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
    patches = _patches(tuple(steps), tuple(reach))(_border_goes_on(volume, around))
    variance = _variance(tuple(steps))(*map(tf.stop_gradient, patches))
    return [*patches, tf.reduce_mean(variance, axis=(1, 2, 3))]


def mind_ssc_distance(
    features_a: Sequence[tf.Tensor],
    features_b: Sequence[tf.Tensor],
    mask: tf.Tensor,
    steps: Sequence[int],
) -> tf.Tensor:
    """Return the `mind_ssc` of two volumes by their `mind_ssc_features`, (batch,).

    Args:
        features_a: of one volume.
        features_b: of the other, by the same steps and reach.
        mask: (batch or 1, dim1, dim2, dim3), the weight of each voxel.
        steps: as in `mind_ssc_features`.
    """
    (*a, mean_a), (*b, mean_b) = features_a, features_b
    return weighted_mean(_compare(tuple(steps))(*a, *b, mean_a, mean_b), mask)


def _border_goes_on(volume: tf.Tensor, around: Sequence[int]) -> tf.Tensor:
    """Return a volume with some planes more on each side, copies of the outermost ones."""
    for axis, count in enumerate(around, start=1):
        first, last = (tf.gather(volume, [at], axis=axis) for at in (0, volume.shape[axis] - 1))
        volume = tf.concat([*[first] * count, volume, *[last] * count], axis=axis)
    return volume


# === Patches: 12 distances of six directions ===


class _Direction(NamedTuple):
    """A direction in which voxels are compared, by first voxels along the axes.

    Of the 12 distances D_pq(x) two each are the same squared difference E(y) = (I(y) - I(y + q -
    p))^2 at other places: only six have to be averaged over patches.

    Attributes:
        one: of I(y) in a volume with its border around; `other` of I(y + q - p).
        longer: by which the grid of E is longer than the volume.
        distances: of D_pq in the patch means of E, for each of the two.
    """

    one: np.ndarray
    other: np.ndarray
    longer: np.ndarray
    distances: tuple[np.ndarray, np.ndarray]


def _directions(steps: Sequence[int]) -> list[_Direction]:
    found = []
    whole = np.array(steps)
    for i, j in ((0, 1), (0, 2), (1, 2)):
        along_i, along_j = np.diag(steps)[i], np.diag(steps)[j]
        both = along_i + along_j
        # p = i, q = j and p = -j, q = -i; y begins at -j
        one = whole - along_j
        found.append(_Direction(one, one + along_j - along_i, both, (both, 0 * both)))
        # p = -j, q = i and p = -i, q = j; y begins at -i - j
        one = whole - both
        found.append(_Direction(one, one + both, both, (along_i, along_j)))
    return found


def _at(volume: tf.Tensor, start, size) -> tf.Tensor:
    cut = [slice(int(first), int(first + n)) for first, n in zip(start, size, strict=True)]
    return volume[(slice(None), *cut)]


@functools.lru_cache
def _patches(steps: tuple[int, ...], reach: tuple[int, ...]):
    """Return a function from a volume with its border around to the patch means of E, six.

    Each is on a grid of its own, (batch, dim1 + ..., dim2 + ..., dim3 + ...).
    """
    directions = _directions(steps)
    beyond = 2 * np.array(reach)
    taps = float(np.prod(beyond + 1))

    def differences(volume):
        size = np.array(volume.shape[1:]) - 2 * np.array(steps)  # with the patches around
        for each in directions:
            longer = size + each.longer
            yield _at(volume, each.one, longer) - _at(volume, each.other, longer)

    @traced(jit_compile=True)
    def forward(volume):
        return [_box_sum(e**2, reach) / taps for e in differences(volume)]

    @traced(jit_compile=True)
    def backward(volume, *upstream):
        total = tf.zeros_like(volume)
        for each, e, up in zip(directions, differences(volume), upstream, strict=True):
            along = (2 / taps) * e * _box_sum(tf.pad(up, _around(beyond)), reach)
            total += _placed(along, each.one, volume) - _placed(along, each.other, volume)
        return total

    @tf.custom_gradient
    def patches(volume):
        return forward(volume), lambda *upstream: backward(volume, *upstream)

    return patches


def _box_sum(volume: tf.Tensor, reach: Sequence[int]) -> tf.Tensor:
    """Sum over patches of 2 reach + 1 voxels, those that lie within the volume."""
    for axis, r in enumerate(reach, start=1):
        length = volume.shape[axis] - 2 * r
        before = (slice(None),) * axis
        volume = sum(volume[(*before, slice(o, o + length))] for o in range(2 * r + 1))
    return volume


def _around(counts) -> list[list[int]]:
    return [[0, 0], *([int(n)] * 2 for n in counts)]


def _placed(part: tf.Tensor, start, whole: tf.Tensor) -> tf.Tensor:
    """Return a part at its place in a volume of zeros."""
    ends = zip(start, part.shape[1:], whole.shape[1:], strict=True)
    return tf.pad(part, [[0, 0], *([int(a), int(n - a - m)] for a, m, n in ends)])


# === Descriptors ===


@functools.lru_cache
def _variance(steps: tuple[int, ...]):
    """Return a function from six patch means to the variance V before it is clipped."""

    @traced(jit_compile=True)
    def variance(*patches):
        distances = _distances(patches, steps)
        return tf.add_n(distances) / PAIRS - functools.reduce(tf.minimum, distances)

    return variance


def _distances(patches: Sequence[tf.Tensor], steps) -> list[tf.Tensor]:
    """Return the 12 distances D_pq."""
    directions = _directions(steps)
    size = np.array(patches[0].shape[1:]) - directions[0].longer
    return [
        _at(mean, start, size)
        for mean, each in zip(patches, directions, strict=True)
        for start in each.distances
    ]


def _scales(patches: Sequence[tf.Tensor], mean: tf.Tensor, steps):
    """Return the least of the distances, the variance V and whether it is within its range."""
    distances = _distances(patches, steps)
    least = functools.reduce(tf.minimum, distances)
    low, high = (share * mean[:, None, None, None] + TINY for share in RANGE)
    variance = tf.add_n(distances) / PAIRS - least
    within = tf.cast((variance > low) & (variance < high), variance.dtype)
    return least, tf.clip_by_value(variance, low, high), within


@functools.lru_cache
def _compare(steps: tuple[int, ...]):
    """Return a function of the patch means of two volumes, six each, and of their mean variances.

    It gives sum_pq (m_pq - m_pq)^2 of each voxel. Its gradient by the distances D of one volume,
    with a = 2 (m - m of the other) upstream:

        dL/dD_pq = h / 12 - a_pq m_pq / V - [D_pq is the least] (h - sum a m / V)
        h = sum_pq a_pq m_pq (D_pq - min D) / V^2, or 0 where V is clipped
    """
    directions = _directions(steps)

    @traced(jit_compile=True)
    def value(*tensors):
        first, second = (
            _descriptors(_distances(patches, steps), *_scales(patches, mean, steps)[:2])
            for patches, mean in _sorted(tensors)
        )
        return tf.add_n([(a - b) ** 2 for a, b in zip(first, second, strict=True)])

    # Pieces that hand over volumes: in one, each of its results would do all the work anew.
    @traced(jit_compile=True)
    def scales(mean, *patches):
        least, variance, within = _scales(patches, mean, steps)
        return least, 1 / variance, within

    @traced(jit_compile=True)
    def sums(upstream, mine, theirs, *patches):
        """Return h / 12 and what the least distance gets beside."""
        (least, inverse, within), distances = mine, _distances(patches[:6], steps)
        above = [(distance - least) * inverse for distance in distances]
        others = [(d - theirs[0]) * theirs[1] for d in _distances(patches[6:], steps)]
        a = [tf.exp(-x) for x in above]
        c = [2 * upstream * (p - tf.exp(-y)) * p * inverse for p, y in zip(a, others, strict=True)]
        h = within * tf.add_n([k * x for k, x in zip(c, above, strict=True)])
        ties = tf.add_n([tf.cast(x <= 0, x.dtype) for x in above])
        return h / PAIRS, (h - tf.add_n(c)) / ties

    @traced(jit_compile=True)
    def along(common, *patches):
        """Return the gradient by each of the first volume's six patch means."""
        mine, theirs = patches[:6], patches[6:]
        gradients = []
        for each, a, b in zip(directions, mine, theirs, strict=True):
            total = tf.zeros_like(a)
            for start in each.distances:
                least, inverse, other_least, other_inverse, h, lowest, up = (
                    _placed(v, start, a) for v in common
                )
                p, q = tf.exp((least - a) * inverse), tf.exp((other_least - b) * other_inverse)
                is_least = tf.cast(a <= least, a.dtype)
                total += h - 2 * up * (p - q) * p * inverse - is_least * lowest
            gradients.append(total)
        return gradients

    def by(upstream, both, mine, theirs):
        h, lowest = sums(upstream, *both, *mine, *theirs)
        return along([*both[0][:2], *both[1][:2], h, lowest, upstream], *mine, *theirs)

    @tf.custom_gradient
    def compare(*tensors):
        (first, mean), (second, other_mean) = _sorted(tensors)

        def back(upstream):
            both = scales(mean, *first), scales(other_mean, *second)
            return (
                *by(upstream, both, first, second),
                *by(upstream, both[::-1], second, first),
                None,
                None,
            )

        return value(*tensors), back

    return compare


def _sorted(tensors: Sequence[tf.Tensor]):
    """Return the six patch means and the mean variance of each of two volumes."""
    return (tensors[:6], tensors[12]), (tensors[6:12], tensors[13])


def _descriptors(distances, least: tf.Tensor, variance: tf.Tensor) -> list[tf.Tensor]:
    inverse = 1 / variance
    return [tf.exp((least - distance) * inverse) for distance in distances]


# === Config ===


def check_settings(dilation: float, radius: float) -> None:
    """Raise ValueError where a setting of `mind_ssc` is out of its range."""
    check_positive("dilation", dilation)
    check_positive("radius", radius, allow_zero=True)


@keras.saving.register_keras_serializable(package="mmzoo")
class MINDSSC(keras.losses.Loss):
    """The `mind-ssc` loss; see `mind_ssc` for what the arguments mean."""

    def __init__(
        self,
        dilation: float = DILATION,
        radius: float = RADIUS,
        spacing: Spacing = 1.0,
        reduction: str = keras.losses.Reduction.AUTO,
        name: str = "MINDSSC",
    ):
        """Keep the settings; errors as in `mind_ssc`."""
        super().__init__(reduction=reduction, name=name)
        check_settings(dilation, radius)
        self.dilation = dilation
        self.radius = radius
        self.spacing = per_axis(spacing)

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Return the loss of (fixed, warped), shape (batch,)."""
        settings = {"dilation": self.dilation, "radius": self.radius, "spacing": self.spacing}
        return mind_ssc(y_true, y_pred, **settings)

    def get_config(self) -> dict:
        """Return the settings, for recreating this loss."""
        names = ("dilation", "radius", "spacing")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
