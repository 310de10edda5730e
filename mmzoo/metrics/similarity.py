"""Multi-modal similarity of two images, for pairs without labels.

Written apart from the losses (plain histogram, plain gradients, NumPy), so that a network is
not judged by the very function it was trained on.

Sources: Maes 1997 (mutual information), Studholme 1999 (normalised mutual information),
Haber & Modersitzki 2006 (normalised gradient fields).
"""

from collections.abc import Sequence

import numpy as np

from mmzoo.metrics.arrays import as_mask, check_same_shape, check_spacing


def mutual_information(fixed: np.ndarray, warped: np.ndarray, *, num_bins: int = 64) -> float:
    """Return I(A, B) = H(A) + H(B) - H(A, B) in nats, from a joint histogram.

    Bins of equal width between each image's own minimum and maximum; symmetric, 0 or more,
    higher is better; invariant to affine changes of either image's intensities.

    Args:
        fixed: image of any rank.
        warped: image of the same shape.
        num_bins: bins for each image.

    Raises:
        ValueError: if shapes differ, a value is not finite or `num_bins` is below 2.
    """
    entropy_fixed, entropy_warped, joint = _entropies(fixed, warped, num_bins)
    return max(0.0, entropy_fixed + entropy_warped - joint)


def normalised_mutual_information(
    fixed: np.ndarray, warped: np.ndarray, *, num_bins: int = 64
) -> float:
    """Return 2 I(A, B) / (H(A) + H(B)): 0 for independent images, 1 for a one-to-one relation.

    NaN if both images are constant. Arguments and errors as `mutual_information`.
    """
    entropy_fixed, entropy_warped, joint = _entropies(fixed, warped, num_bins)
    total = entropy_fixed + entropy_warped
    return max(0.0, 2.0 * (total - joint) / total) if total > 0 else float("nan")


def gradient_field_similarity(
    fixed: np.ndarray, warped: np.ndarray, *, spacing_mm: Sequence[float]
) -> float:
    """Return how parallel the edges of two images are, on average over the grid.

    mean of (a.b / (|a| |b|))^2 with a, b the image gradients in 1/mm and
    |a| = sqrt(a.a + eps^2), eps the image's own mean gradient length, so that noise in flat
    regions counts little (Haber & Modersitzki). In [0, 1), higher is better, symmetric,
    invariant to affine changes (contrast reversal too) of either image's intensities.

    Args:
        fixed: image (dim1, dim2, dim3) or (dim1, dim2), at least 2 voxels on each axis.
        warped: image of the same shape.
        spacing_mm: voxel size in mm, in the order of the array axes.

    Returns:
        The similarity; NaN if one image is constant.

    Raises:
        ValueError: if shapes differ, a value is not finite, or the spacing does not fit.
    """
    fixed, warped = _images(fixed, warped)
    spacing = check_spacing(spacing_mm, fixed.ndim)
    gradient_fixed = np.stack(np.gradient(fixed, *spacing))
    gradient_warped = np.stack(np.gradient(warped, *spacing))
    squared_fixed = np.sum(gradient_fixed**2, axis=0)
    squared_warped = np.sum(gradient_warped**2, axis=0)
    if not (squared_fixed.any() and squared_warped.any()):
        return float("nan")
    inner = np.sum(gradient_fixed * gradient_warped, axis=0)
    return float(np.mean(inner**2 / (_with_eps(squared_fixed) * _with_eps(squared_warped))))


def root_mean_square_error(
    image: np.ndarray, truth: np.ndarray, mask: np.ndarray | None = None
) -> float:
    """Return the root of the mean squared difference of two images, in their unit.

    Args:
        image: of any rank.
        truth: the same shape.
        mask: the same shape, binary, voxels that count; all if None.

    Returns:
        0 or more; 0 for equal images, NaN where no voxel counts.

    Raises:
        ValueError: if shapes differ, a value is not finite or the mask is not binary.
    """
    check_same_shape("image", image, "truth", truth)
    image, truth = _finite("image", image), _finite("truth", truth)
    squared = (image - truth) ** 2
    if mask is not None:
        check_same_shape("mask", mask, "image", image)
        squared = squared[as_mask("mask", mask)]
    return float(np.sqrt(squared.mean())) if squared.size else float("nan")


def _with_eps(squared_length: np.ndarray) -> np.ndarray:
    return squared_length + np.mean(np.sqrt(squared_length)) ** 2


def _images(fixed: np.ndarray, warped: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    check_same_shape("fixed", fixed, "warped", warped)
    return _finite("fixed", fixed), _finite("warped", warped)


def _finite(name: str, image: np.ndarray) -> np.ndarray:
    image = np.asarray(image, dtype=np.float64)
    if not np.isfinite(image).all():
        raise ValueError(f"`{name}` must be finite, got NaN or infinity.")
    return image


def _entropies(fixed: np.ndarray, warped: np.ndarray, num_bins: int) -> tuple[float, float, float]:
    """Return H(A), H(B) and H(A, B) in nats."""
    if num_bins < 2:
        raise ValueError(f"`num_bins` must be 2 or more, got {num_bins}; 64 is usual.")
    fixed, warped = _images(fixed, warped)
    counts, _, _ = np.histogram2d(fixed.ravel(), warped.ravel(), bins=num_bins)
    joint = counts / counts.sum()
    return _entropy(joint.sum(axis=1)), _entropy(joint.sum(axis=0)), _entropy(joint)


def _entropy(probability: np.ndarray) -> float:
    probability = probability[probability > 0]
    return float(-np.sum(probability * np.log(probability)))
