"""DeepReg's `gmi`: global mutual information from one joint histogram."""

import functools

import numpy as np
import tensorflow as tf

from mmzoo.deepreg.adaptations.acceleration import is_on
from mmzoo.ops.histogram import joint_histogram


def gmi(
    first: tf.Tensor, second: tf.Tensor, num_bins: int, sigma_ratio: float, eps: float
) -> tf.Tensor:
    """Return DeepReg's mutual information of two volumes, positive.

        sum_kl p_kl log((p_kl + eps) / (p_k q_l + eps) + eps)

    A voxel's windows add up to one, so the marginals p and q are sums of the joint histogram.
    DeepReg keeps the windows of all voxels in memory, (voxels, bins) for each image, and their
    gradients.

    Args:
        first: (batch, dim1, dim2, dim3, channels), dims known; channels count as voxels.
        second: the same shape.
        num_bins: of the histogram.
        sigma_ratio: of the Gaussian windows, in bins.
        eps: DeepReg's.

    Returns:
        (batch,).
    """
    voxels = int(np.prod(first.shape[1:]))
    first, second = (tf.reshape(v, [-1, voxels, 1, 1]) for v in (first, second))
    joint = joint_histogram(
        first,
        second,
        tf.ones_like(first),
        num_bins=num_bins,
        sigma=sigma_ratio / (num_bins - 1),
        share=True,
    )
    independent = tf.reduce_sum(joint, axis=2, keepdims=True) * tf.reduce_sum(
        joint, axis=1, keepdims=True
    )
    ratio = (joint + eps) / (independent + eps)
    return tf.reduce_sum(joint * tf.math.log(ratio + eps), axis=(1, 2))


def count_fast(image) -> None:
    """Compute the `gmi` loss a few thousand voxels at a time.

    At 320x320x96 DeepReg's windows and their gradients fill several gigabytes.
    """
    if not is_on():
        return
    original = image.GlobalMutualInformation.call

    @functools.wraps(original)
    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        volumes = (y_true, y_pred)
        if any(None in v.shape[1:] or len(v.shape) not in (4, 5) for v in volumes):
            return original(self, y_true, y_pred)
        return gmi(y_true, y_pred, self.num_bins, self.sigma_ratio, image.EPS)

    image.GlobalMutualInformation.call = call
