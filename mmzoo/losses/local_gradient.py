"""Local gradient: similarity of the gradient directions of neighbourhoods.

Compares the directions of edges after summing gradients over a window, which averages out noise.
The absolute cosine allows reversed contrast, as between modalities.

Source: Deform-GAN (Zhang et al. 2020), Eq. 1-3. Authors' code: Lauraxy/Multi_Modal_Registration,
which fixes what the print leaves open: Eq. 2's square of epsilon is 1, the cosine of Eq. 3 is
absolute. Differs from both: the similarity is negated, as a loss.
"""

import dataclasses
import functools
from collections.abc import Callable

import tensorflow as tf

from mmzoo.checks import check_positive, check_window
from mmzoo.framework import keras
from mmzoo.losses.base import FunctionLoss, mask_of_differences, mean_over_channels
from mmzoo.ops.filters import box_sum
from mmzoo.ops.finite_difference import backward_gradient
from mmzoo.ops.slabs import slab_mean

WINDOW = 7  # n of Eq. 1, "we set n = 7 and get the best results"
EPS = 1.0  # epsilon^2 of Eq. 2


def local_gradient(
    fixed: tf.Tensor,
    warped: tf.Tensor,
    mask: tf.Tensor | None = None,
    *,
    window: int = WINDOW,
    absolute: bool = True,
    eps: float = EPS,
) -> tf.Tensor:
    """Return the local gradient dissimilarity of two images (lower is better).

        V_I(x) = sum of grad I over window^3 voxels around x    (Eq. 1)
        n_I(x) = V_I(x) / sqrt(|V_I(x)|^2 + eps)                (Eq. 2)
        L = -mean_x |n_A(x) . n_B(x)|                           (Eq. 3)

    Differences are one-sided without the first planes; windows end at the border of the volume.
    Symmetric in its two volumes, unchanged when one of them is shifted by a constant or multiplied
    by -1 (if `absolute`), and by scaling as long as the sums stay well above sqrt(eps). Its cost
    grows with the logarithm of the window; from value to gradient it keeps the gradient's volume
    alone, and what it takes beside the volumes is of a slab of about a million voxels.

    Args:
        fixed: (batch, dim1, dim2, dim3) or with a channel axis (the mean over channels is
            returned), dims known and at least 2, finite; made for intensities in [-1, 1].
        warped: the same shape.
        mask: (batch or 1, dim1, dim2, dim3); voxels count by its value. All alike if None.
        window: n, odd, in voxels. 1 takes the gradient of each voxel by itself.
        absolute: take |n . n| (contrast may reverse); false keeps the sign.
        eps: added to the squared norm of a window's sum; a sum below sqrt(eps) counts less. In
            [0, 1] an intensity, and so a sum, is half as large: 0.25 there is 1 in [-1, 1].

    Returns:
        (batch,), in [-1, 0] if `absolute`, else in [-1, 1]. A constant volume gives 0.

    Raises:
        ValueError: unequal shapes, a wrong rank, a window that is not odd, or eps not positive.
    """
    check_window("window", window)
    check_positive("eps", eps)
    mean = _compiled(window, absolute, eps)

    def compare(fixed: tf.Tensor, warped: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        return -mean(fixed, warped, mask_of_differences(mask, fixed))  # Eq. 3

    return mean_over_channels(compare, fixed, warped, mask)


@functools.lru_cache
def _compiled(window: int, absolute: bool, eps: float) -> Callable[..., tf.Tensor]:
    def cosine(fixed, warped, inside):
        both = (inside[1:] * inside[:-1])[:, None, None]  # rows that a difference lies within

        def direction_sum(volume):  # Eq. 1, (batch, 3, rows + 1, dim2 - 1, dim3 - 1)
            return box_sum(both * backward_gradient(volume), window, padded=(-2, -1))

        a, b = (direction_sum(v)[:, :, :-1] for v in (fixed, warped))
        squares = [tf.reduce_sum(v**2, axis=1) + eps for v in (a, b)]  # Eq. 2, each on its own: a
        scale = tf.math.rsqrt(squares[0]) * tf.math.rsqrt(squares[1])  # product may overflow
        product = tf.reduce_sum(a * b, axis=1) * scale
        return tf.abs(product) if absolute else product

    margin = window // 2 + 1  # a difference reaches one voxel further
    return slab_mean(cosine, margin=margin, compiled=True)


@keras.saving.register_keras_serializable(package="mmzoo")
@dataclasses.dataclass(eq=False)
class LocalGradient(FunctionLoss):
    """The `local-gradient` loss; see that function for what the arguments mean."""

    window: int = WINDOW
    absolute: bool = True
    eps: float = EPS
    function = staticmethod(local_gradient)

    def check_settings(self) -> None:
        """Raise ValueError as `local_gradient` does."""
        check_window("window", self.window)
        check_positive("eps", self.eps)
