"""One image's smoothed gradient directions, to be compared with those of many."""

from collections.abc import Sequence

import tensorflow as tf

from mmzoo.losses.segi import cosine, normalise, smoothed
from mmzoo.ops.compiled import compiled
from mmzoo.ops.filters import weighted_mean


def segi_features(
    volume: tf.Tensor,
    sigmas: Sequence[float],
    order: str,
    eps: float,
    spacing: Sequence[float],
    relative: bool = False,
) -> list[tf.Tensor]:
    """Return SG_I of Eq. 5, of length one, for each sigma.

    For comparing one image with many: `segi` of two images is `segi_distance` of their features.

    Args:
        volume: (batch, dim1, dim2, dim3).
        sigmas: as in `segi`, likewise the others.
        order: one of `ORDERS`.
        eps: above 0.
        spacing: three lengths.
        relative: take eps times the squared mean length of what is divided, for each sigma: what
            is weak for this image counts less, whatever its noise and contrast.

    Returns:
        For each sigma (batch, 3, dim1 - 1, dim2 - 1, dim3 - 1).
    """
    whole = tf.ones(volume.shape[1:2], volume.dtype), slice(1, volume.shape[1])
    features = []
    for sigma in sigmas:
        vectors = smoothed(volume, sigma, order, eps, tuple(spacing), *whole)
        floor = eps * _mean_length(vectors) ** 2 if relative else tf.constant(eps, volume.dtype)
        features.append(_compiled_normalise(vectors, floor))
    return features


def segi_distance(
    features_a: Sequence[tf.Tensor], features_b: Sequence[tf.Tensor], mask: tf.Tensor
) -> tf.Tensor:
    """Return the distance of Eq. 7 and 8, absolute, of two volumes' `segi_features`, (batch,).

    Args:
        features_a: of one volume.
        features_b: of the other, of the same sigmas.
        mask: (batch or 1, dim1, dim2, dim3), the weight of each voxel.
    """
    weight = mask[:, 1:, 1:, 1:]
    total = 0.0
    for a, b in zip(features_a, features_b, strict=True):
        total -= weighted_mean(_compiled_cosine(a, b), weight)  # Eq. 8
    return total / len(features_a)  # Eq. 7


def _mean_length(vectors: tf.Tensor) -> tf.Tensor:
    """Return the mean length, (batch, 1, 1, 1, 1), without a gradient; never 0."""
    lengths = _compiled_length(tf.stop_gradient(vectors))
    return tf.reduce_mean(lengths, axis=(1, 2, 3, 4), keepdims=True) + 1e-6


@compiled
def _compiled_length(vectors: tf.Tensor) -> tf.Tensor:
    return tf.sqrt(tf.reduce_sum(vectors**2, axis=1, keepdims=True))


_compiled_normalise = compiled(normalise)
_compiled_cosine = compiled(lambda a, b: cosine(a, b, True))
