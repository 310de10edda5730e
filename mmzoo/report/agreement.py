"""How well two registered images agree at each place, whatever their modalities."""

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from mmzoo.report.volumes import bytes_of

WINDOW_MM = 8.0  # standard deviation of the window in which images are compared, at most
WINDOW_SHARE = 0.05  # of the image's edge, at most: images of mice
FLAT = 0.05  # of the grey range: a window with less contrast tells nothing


def expected_grey(fixed: np.ndarray, moving: np.ndarray) -> np.ndarray:
    """Return the mean grey of the fixed image at each of 256 greys of the moving one.

    It makes images of unlike modalities comparable: what the moving image lets one expect.

    Args:
        fixed: greys of [0, 1].
        moving: likewise, on the same grid.

    Returns:
        (256,), smoothed over neighbouring greys.
    """
    level = bytes_of(moving, 0, 1).ravel()
    counts = np.bincount(level, minlength=256).astype(float)
    sums = np.bincount(level, fixed.ravel(), minlength=256)
    spread = 3.0
    weight = gaussian_filter1d(counts, spread, mode="nearest", truncate=8)
    total = gaussian_filter1d(sums, spread, mode="nearest", truncate=8)
    known = weight > 1e-9
    return np.interp(np.arange(256), np.flatnonzero(known), total[known] / weight[known])


def expected_image(fixed: np.ndarray, moving: np.ndarray) -> np.ndarray:
    """Return what each voxel of the moving image lets one expect: `expected_grey` of its grey."""
    return expected_grey(fixed, moving)[bytes_of(moving, 0, 1)]


def local_agreement(
    fixed: np.ndarray, warped: np.ndarray, spacing_mm: Sequence[float]
) -> np.ndarray:
    """Return how well the warped image tells of the fixed one at each place.

    The squared correlation, within a Gaussian window, of the fixed image with what the warped
    image's greys let one expect.

    Args:
        fixed: greys of [0, 1].
        warped: likewise, on the same grid.
        spacing_mm: voxel size.

    Returns:
        Map of [0, 1], NaN where an image is flat: there a field is a guess.
    """
    window = window_mm(fixed.shape, spacing_mm)
    return local_correlation(fixed, expected_image(fixed, warped), spacing_mm, window)


def local_correlation(
    first: np.ndarray, second: np.ndarray, spacing_mm: Sequence[float], window: float
) -> np.ndarray:
    """Return the squared correlation within a Gaussian window, NaN where the images are flat.

    Args:
        first: greys of [0, 1].
        second: likewise, on the same grid.
        spacing_mm: voxel size.
        window: its standard deviation, mm.
    """
    sigma = window / np.array(spacing_mm)

    def near(values):
        return gaussian_filter(values.astype(np.float32), sigma, mode="nearest", truncate=2.5)

    mean_first, mean_second = near(first), near(second)
    spread_first = near(first * first) - mean_first**2
    spread_second = near(second * second) - mean_second**2
    both = near(first * second) - mean_first * mean_second
    seen = (spread_first > FLAT**2) & (spread_second > 1e-6)
    return np.where(seen, both**2 / np.where(seen, spread_first * spread_second, 1), np.nan)


def window_mm(shape: Sequence[int], spacing_mm: Sequence[float]) -> float:
    """Return the standard deviation of the window in which images of some size are compared."""
    edges = [n * step for n, step in zip(shape, spacing_mm, strict=True) if n > 1]
    edge = float(np.prod(edges)) ** (1 / len(edges))
    return min(WINDOW_MM, WINDOW_SHARE * edge)
