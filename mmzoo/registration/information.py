"""Mattes' mutual information of two images under a linear map, and its gradient.

Source: Mattes et al. 2003, as ITK has it: joint histogram of a fixed image's bins and a cubic
B-spline window on the moving image's, on points of the fixed image. Differs: points of a
low-discrepancy sequence in place of random ones, and the exact gradient of the linear
interpolation. In NumPy, without TensorFlow's start; a value of 8,000 points takes half a
millisecond.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from mmzoo.registration.frame import ImagePair

BINS = 32
MOST = 1_000  # most points that are drawn for each point within a mask
LEAST_SHARE = 0.01  # of the points, below which mutual information counts as 0
# Roberts' low-discrepancy sequence: powers of the root of x^4 = x + 1.
STEPS = 1.2207440846057596 ** -np.arange(1.0, 4.0)


@dataclass(frozen=True)
class Linear:
    """A linear map of points, matrix x + shift.

    Attributes:
        matrix: (3, 3).
        shift: (3,), mm.
    """

    matrix: np.ndarray
    shift: np.ndarray

    @classmethod
    def still(cls) -> Linear:
        """Return the identity."""
        return cls(np.eye(3), np.zeros(3))

    @classmethod
    def about(cls, point: np.ndarray, goal: np.ndarray, matrix: np.ndarray) -> Linear:
        """Return the map of a given matrix that maps one given point to another."""
        return cls(matrix, goal - matrix @ point)

    def at(self, points: np.ndarray) -> np.ndarray:
        """Map points (..., 3)."""
        return points @ self.matrix.T + self.shift

    def to_itk(self) -> sitk.AffineTransform:
        """Return it as a SimpleITK transform."""
        return sitk.AffineTransform(self.matrix.ravel().tolist(), self.shift.tolist())


class MutualInformation:
    """Mutual information of two images as a function of the linear map between them.

    Args:
        pair: the images.
        samples: points of the fixed image, or of its mask, at most.
        seed: of the points.

    Attributes:
        centre: (3,), of the points, mm.
        radius: mm, root of the mean squared distance from it.
        flat: of the pair.
    """

    def __init__(self, pair: ImagePair, samples: int, seed: int = 1):
        self.flat = pair.flat
        index = _points(pair, samples, seed)
        to_index, first = _to_index(pair.fixed)
        points = np.einsum("ij,jn->in", np.linalg.inv(to_index), index) + first[:, None]
        self.centre = points.mean(axis=1)
        self._centred = (points - self.centre[:, None]).astype(np.float32)
        self.radius = max(float(np.sqrt(np.square(self._centred).sum(0).mean())), 1e-6)
        fixed = _Volume(pair.fixed)
        values = fixed.between(index.astype(np.float32))[0]
        self._rows = BINS * _bins(values, fixed.values, BINS - 1e-3).astype(np.int32)
        self._to_index, self._first = _to_index(pair.moving)
        self._moving = _Volume(pair.moving)
        self._moving.values = 1.5 + _bins(self._moving.values, self._moving.values, BINS - 4.0)
        self._mask = None
        if pair.moving_mask is not None:
            self._mask = _Volume(pair.moving_mask)

    def value(self, linear: Linear) -> tuple[float, float]:
        """Return mutual information, nats, and the share of points that lie in the moving image.

        Args:
            linear: takes points of the fixed image to the moving one.
        """
        index, kept = self._inside(linear)
        share = index.shape[1] / self._centred.shape[1]
        if share < LEAST_SHARE:
            return 0.0, share
        return self._histogram(self._rows[kept], self._moving.between(index)[0])[0], share

    def overlap_weighted(self, linear: Linear) -> float:
        """Return mutual information times the share of points that lie in the moving image."""
        information, share = self.value(linear)
        return information * share

    def apart_mm(self, one: Linear, other: Linear) -> float:
        """Return how far two maps place the points apart, on average, mm."""
        gap = (one.matrix - other.matrix) @ self._centred
        gap += (one.at(self.centre) - other.at(self.centre))[:, None]
        return float(np.linalg.norm(gap, axis=0).mean())

    def slope(self, linear: Linear) -> tuple[float, np.ndarray, np.ndarray]:
        """Return mutual information, its gradient by the matrix (about `centre`), and by the shift.

        Returns:
            Nats; (3, 3); (3,), 1 / mm. The gradient does not include points leaving the image.
        """
        index, kept = self._inside(linear)
        if index.shape[1] < LEAST_SHARE * self._centred.shape[1]:
            return 0.0, np.zeros((3, 3)), np.zeros(3)
        intensities, along = self._moving.between(index, slopes=True)
        information, by_intensity = self._histogram(self._rows[kept], intensities, slopes=True)
        by_index = along * by_intensity  # (3, n)
        turned = self._to_index.T
        by_matrix = turned @ np.einsum("in,jn->ij", by_index, self._centred[:, kept])
        return information, by_matrix, turned @ by_index.sum(axis=1, dtype=np.float64)

    def _inside(self, linear: Linear):
        """Return indices, (3, n), of the points in the moving image, and which points these are."""
        matrix = (self._to_index @ linear.matrix).astype(np.float32)
        shift = self._to_index @ (linear.at(self.centre) - self._first)
        # Without BLAS, whose threads take longer to start than this does.
        index = np.einsum("ij,jn->in", matrix, self._centred)
        index += shift.astype(np.float32)[:, None]
        inside = self._moving.holds(index)
        if self._mask is not None:
            inside &= self._mask.nearest(index) > 0
        if inside.all():
            return index, slice(None)
        kept = np.flatnonzero(inside)
        return index.take(kept, axis=1), kept

    def _histogram(self, rows: np.ndarray, intensities: np.ndarray, slopes: bool = False):
        """Return mutual information and, if asked for, its derivative by each intensity.

        Args:
            rows: (n,), first cell of each point's fixed bin.
            intensities: (n,) float32, of the moving image, in bins, from 1.5 to BINS - 2.5.
            slopes: whether to return the derivative.
        """
        lower = intensities.astype(np.int32)
        t = intensities - lower
        cells = (rows + lower) + np.arange(-1, 3, dtype=np.int32)[:, None]
        weights = _window(t)
        counted = np.bincount(cells.ravel(), weights.ravel(), BINS * BINS)
        joint = counted.reshape(BINS, BINS) / len(intensities)
        first, second = joint.sum(axis=1, keepdims=True), joint.sum(axis=0)
        tiny = 1e-12
        given = np.log(joint + tiny) - np.log(second + tiny)
        information = float((joint * given).sum() - (first * np.log(first + tiny)).sum())
        if not slopes:
            return information, None
        along = given.astype(np.float32).ravel().take(cells) * _window_slope(t)
        return information, along.sum(axis=0) / len(intensities)


class _Volume:
    """An image's values for linear interpolation; edge values are repeated outside."""

    def __init__(self, image: sitk.Image):
        self.size = image.GetSize()
        self.strides = 1, self.size[0], self.size[0] * self.size[1]
        self.values: np.ndarray = sitk.GetArrayFromImage(image).ravel().astype(np.float32)

    def holds(self, index: np.ndarray) -> np.ndarray:
        """Return which indices, (3, n), lie within the image."""
        inside = np.ones(index.shape[1], bool)
        for line, n in zip(index, self.size, strict=True):
            inside &= (line >= -0.5) & (line <= n - 0.5)
        return inside

    def nearest(self, index: np.ndarray) -> np.ndarray:
        """Return the values of the voxels nearest to indices (3, n), float32."""
        lines = zip(index, self.size, self.strides, strict=True)
        return self.values.take(
            sum(np.rint(line.clip(0, n - 1)).astype(np.int32) * s for line, n, s in lines)
        )

    def between(self, index: np.ndarray, slopes: bool = False):
        """Return linearly interpolated values, (n,), and their slopes by index, (3, n).

        Args:
            index: (3, n) float32.
            slopes: whether to return the slopes; 0 along an axis on which the point is outside.
        """
        first, rest, steps = 0, [], []
        for line, n, stride in zip(index, self.size, self.strides, strict=True):
            held = np.minimum(np.maximum(line, 0), np.float32(n - 1))
            lower = np.minimum(held.astype(np.int32), max(n - 2, 0))
            rest.append(held - lower)
            first = first + lower * np.int32(stride)
            steps.append(stride if n > 1 else 0)
        corner = {
            which: self.values.take(first + sum(k * s for k, s in zip(which, steps, strict=True)))
            for which in itertools.product((0, 1), repeat=3)
        }
        t1, t2, t3 = rest
        pairs = list(itertools.product((0, 1), repeat=2))
        step1 = {jk: corner[(1, *jk)] - corner[(0, *jk)] for jk in pairs}
        on1 = {jk: corner[(0, *jk)] + step1[jk] * t1 for jk in pairs}
        step2 = [on1[1, k] - on1[0, k] for k in (0, 1)]
        on2 = [on1[0, k] + step2[k] * t2 for k in (0, 1)]
        step3 = on2[1] - on2[0]
        value = on2[0] + step3 * t3
        if not slopes:
            return value, None
        along1 = [step1[0, k] + (step1[1, k] - step1[0, k]) * t2 for k in (0, 1)]
        slope1 = along1[0] + (along1[1] - along1[0]) * t3
        slope2 = step2[0] + (step2[1] - step2[0]) * t3
        along = np.stack([slope1, slope2, step3])
        for slope, line, n in zip(along, index, self.size, strict=True):
            slope *= (line >= 0) & (line <= n - 1)
        return value, along


def _window(t: np.ndarray) -> np.ndarray:
    """Return the cubic B-spline weights of the four bins round t in [0, 1], (4, n)."""
    s = 1 - t
    weights = np.empty((4, len(t)), np.float32)
    weights[0], weights[3] = s * s * s / 6, t * t * t / 6
    weights[1] = 2 / 3 - t * t * (1 + s) / 2
    weights[2] = 2 / 3 - s * s * (1 + t) / 2
    return weights


def _window_slope(t: np.ndarray) -> np.ndarray:
    s = 1 - t
    slopes = np.empty((4, len(t)), np.float32)
    slopes[0], slopes[3] = s * s / -2, t * t / 2
    slopes[1], slopes[2] = t * (1.5 * t - 2), s * (2 - 1.5 * s)
    return slopes


def _bins(values: np.ndarray, of: np.ndarray, bins: float) -> np.ndarray:
    """Scale values to bins by the range of other values."""
    low, high = float(of.min()), float(of.max())
    return (values - low) * np.float32(bins / (high - low) if high > low else 0.0)


def _to_index(image: sitk.Image) -> tuple[np.ndarray, np.ndarray]:
    """Return the matrix from points (less the origin) to continuous indices; and the origin."""
    direction = np.array(image.GetDirection()).reshape(3, 3)
    spacing = np.array(image.GetSpacing())
    return np.linalg.inv(direction * spacing), np.array(image.GetOrigin())


def _points(pair: ImagePair, samples: int, seed: int) -> np.ndarray:
    """Return evenly distributed indices (3, n) of the fixed image, or within its mask."""
    size = np.array(pair.fixed.GetSize())
    mask = None if pair.fixed_mask is None else _Volume(pair.fixed_mask)
    count = int(min(samples, size.prod()))
    if mask is not None:
        count = int(count / max((mask.values > 0).mean(), 1 / MOST))
    start = np.random.default_rng(seed).uniform(size=(3, 1))
    index = (start + np.arange(1, count + 1) * STEPS[:, None]) % 1 * size[:, None] - 0.5
    if mask is not None:
        index = index[:, mask.nearest(index) > 0]
    # Sorted in memory order, which is twice as fast.
    return index[:, np.lexsort(np.rint(index))]
