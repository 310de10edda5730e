"""Self-similarity of a volume: how the patches around a voxel resemble each other, and its slope.

The pieces of `mmzoo.losses.mind_ssc`, each compiled, with gradients written out: the automatic ones
of a voxel's 12 distances, their least and their mean take forty times as long.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from mmzoo.ops.compiled import compiled_forward, traced
from mmzoo.ops.pad import border_goes_on

LEAST, MOST = 1e-3, 1e3  # of a voxel's variance, as shares of its mean over the volume
PAIRS = 12
TINY = 1e-12  # squared intensity: keeps the variance of a constant volume from being 0


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


def _at(volume: tf.Tensor, start: np.ndarray, fewer: np.ndarray) -> tf.Tensor:
    """Return a part of a volume by its first voxels, and how many voxels it has fewer an axis."""
    cut = [slice(int(first), int(first - n) or None) for first, n in zip(start, fewer, strict=True)]
    return volume[(slice(None), *cut)]


@functools.lru_cache
def patch_means(steps: tuple[int, ...], reach: tuple[int, ...]) -> Callable[..., Sequence]:
    """Return a function from a volume with its border around to the patch means of E, six.

    Each is on a grid of its own, (batch, dim1 + ..., dim2 + ..., dim3 + ...).
    """
    directions = _directions(steps)
    beyond = 2 * np.array(reach)
    taps = float(np.prod(beyond + 1))

    @traced(jit_compile=True)
    def forward(volume):
        return [_box_sum(e**2, reach) / taps for e in _differences(volume, steps)]

    @traced(jit_compile=True)
    def backward(volume, *upstream):
        total = tf.zeros_like(volume)
        for each, e, up in zip(directions, _differences(volume, steps), upstream, strict=True):
            along = (2 / taps) * e * _box_sum(tf.pad(up, _around(beyond)), reach)
            total += _placed(along, each.one, volume) - _placed(along, each.other, volume)
        return total

    @tf.custom_gradient
    def patches(volume):
        return forward(volume), lambda *upstream: backward(volume, *upstream)

    return patches


def _differences(volume: tf.Tensor, steps: Sequence[int]) -> Iterator[tf.Tensor]:
    """Yield I(y) - I(y + q - p) of each direction, with the patches around."""
    for each in _directions(steps):
        fewer = 2 * np.array(steps) - each.longer
        yield _at(volume, each.one, fewer) - _at(volume, each.other, fewer)


def _box_sum(volume: tf.Tensor, reach: Sequence[int]) -> tf.Tensor:
    """Sum over patches of 2 reach + 1 voxels, those that lie within the volume."""
    for axis, r in enumerate(reach, start=1):
        before = (slice(None),) * axis
        volume = sum(volume[(*before, slice(o, o - 2 * r or None))] for o in range(2 * r + 1))
    return volume


def _around(counts: Sequence[int] | np.ndarray) -> list[list[int]]:
    return [[0, 0], *([int(n)] * 2 for n in counts)]


def _placed(part: tf.Tensor, start: np.ndarray, whole: tf.Tensor) -> tf.Tensor:
    """Return a part at its place in a volume of zeros."""
    ends = zip(start, part.shape[1:], whole.shape[1:], strict=True)
    return tf.pad(part, [[0, 0], *([int(a), int(n - a - m)] for a, m, n in ends)])


# === Descriptors ===


@functools.lru_cache
def self_variance(steps: tuple[int, ...]) -> Callable[..., tf.Tensor]:
    """Return a function from six patch means to the variance V before it is clipped."""

    @compiled_forward
    def variance(*patches):
        return _variance(_distances(patches, steps))

    return variance


def _variance(distances: Sequence[tf.Tensor]) -> tf.Tensor:
    return tf.add_n(distances) / PAIRS - functools.reduce(tf.minimum, distances)


def _distances(patches: Sequence[tf.Tensor], steps: Sequence[int]) -> list[tf.Tensor]:
    """Return the 12 distances D_pq."""
    return [
        _at(mean, start, each.longer)
        for mean, each in zip(patches, _directions(steps), strict=True)
        for start in each.distances
    ]


def _scales(
    patches: Sequence[tf.Tensor], mean: tf.Tensor, steps: Sequence[int], floor: float
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return the least of the distances, the variance V and whether it is within its range."""
    distances = _distances(patches, steps)
    least = functools.reduce(tf.minimum, distances)
    low, high = (share * mean[:, None, None, None] + TINY for share in (floor, MOST))
    variance = tf.add_n(distances) / PAIRS - least
    within = tf.cast((variance > low) & (variance < high), variance.dtype)
    return least, tf.clip_by_value(variance, low, high), within


@functools.lru_cache
def compare_patches(steps: tuple[int, ...], floor: float = LEAST) -> Callable[..., tf.Tensor]:
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
            _descriptors(_distances(patches, steps), *_scales(patches, mean, steps, floor)[:2])
            for patches, mean in _sorted(tensors)
        )
        return tf.add_n([(a - b) ** 2 for a, b in zip(first, second, strict=True)])

    # Pieces that hand over volumes: in one, each of its results would do all the work anew.
    @traced(jit_compile=True)
    def scales(mean, *patches):
        least, variance, within = _scales(patches, mean, steps, floor)
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


def _sorted(tensors: Sequence[tf.Tensor]) -> tuple[tuple[Sequence, tf.Tensor], ...]:
    """Return the six patch means and the mean variance of each of two volumes."""
    return (tensors[:6], tensors[12]), (tensors[6:12], tensors[13])


# Of networks: neighbours and patches, voxels.
STEPS, REACH = (2, 2, 2), (1, 1, 1)


def descriptors(volume: tf.Tensor) -> tf.Tensor:
    """Return the self-similarities of each voxel, of neighbours 2 voxels away, patches of 3^3.

        m_pq(x) = exp(-(D_pq(x) - min_pq D_pq(x)) / V(x))

    What `mmzoo.losses.mind_ssc` compares, for networks: see there.

    Args:
        volume: (batch, dim1, dim2, dim3), finite, of any range.

    Returns:
        (batch, 12, dim1, dim2, dim3), above 0, the largest in each voxel 1.
    """
    patches = _patches(border_goes_on(volume, (3, 3, 3)))
    mean = tf.reduce_mean(self_variance(STEPS)(*patches), axis=(1, 2, 3))
    return _stacked(*_least_and_variance(mean, *patches), *patches)


@compiled_forward
def _patches(around: tf.Tensor) -> list[tf.Tensor]:
    taps = np.prod(2 * np.array(REACH) + 1)
    return [_box_sum(e**2, REACH) / float(taps) for e in _differences(around, STEPS)]


@compiled_forward
def _least_and_variance(mean: tf.Tensor, *patches: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    return _scales(patches, mean, STEPS, LEAST)[:2]


@compiled_forward
def _stacked(least: tf.Tensor, variance: tf.Tensor, *patches: tf.Tensor) -> tf.Tensor:
    return tf.stack(_descriptors(_distances(patches, STEPS), least, variance), axis=1)


def _descriptors(
    distances: Sequence[tf.Tensor], least: tf.Tensor, variance: tf.Tensor
) -> list[tf.Tensor]:
    inverse = 1 / variance
    return [tf.exp((least - distance) * inverse) for distance in distances]
