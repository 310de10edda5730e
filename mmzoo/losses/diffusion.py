"""Diffusion energy of a displacement field: its mean squared first derivatives.

Source: L_smooth of Deform-GAN (Zhang et al. 2020, Eq. 6) and of Balakrishnan et al. 2019
(VoxelMorph), in the form of their code: squared one-sided differences, averaged over the axes.
DeepReg's `gradient` sums central differences over the axes, which are zero for a field that
alternates from voxel to voxel.
"""

from typing import Any

import tensorflow as tf

from mmzoo.checks import check_ddf
from mmzoo.framework import keras
from mmzoo.ops.compiled import compiled


def diffusion_energy(ddf: tf.Tensor) -> tf.Tensor:
    """Return the mean squared first differences of a field.

        E = 1/3 sum_k mean_x,c (u_c(x + e_k) - u_c(x))^2    (Eq. 6)

    Zero for a translation alone. Dimensionless: the same motion sampled at twice the spacing has
    the same energy, if voxels are cubes.

    Args:
        ddf: (batch, dim1, dim2, dim3, 3), voxels, at least 2 voxels an axis.

    Returns:
        (batch,), at least 0.

    Raises:
        ValueError: not a field, or an axis too short.
    """
    check_ddf("ddf", ddf)
    if any(n is not None and n < 2 for n in ddf.shape[1:4]):
        raise ValueError(f"`ddf` needs at least 2 voxels an axis, got {tuple(ddf.shape)}.")
    return _energy(ddf)


@compiled
def _energy(ddf: tf.Tensor) -> tf.Tensor:
    steps = (
        ddf[:, 1:] - ddf[:, :-1],
        ddf[:, :, 1:] - ddf[:, :, :-1],
        ddf[:, :, :, 1:] - ddf[:, :, :, :-1],
    )
    return tf.add_n([tf.reduce_mean(step**2, axis=(1, 2, 3, 4)) for step in steps]) / 3


@keras.saving.register_keras_serializable(package="mmzoo")
class DiffusionEnergy(keras.layers.Layer):
    """The regulariser `diffusion` of a ddf; see `diffusion_energy`.

    A layer that returns the mean over the batch, as DeepReg's regularisers do.
    """

    def __init__(self, name: str = "DiffusionEnergy", **kwargs: Any):
        """Keep the name."""
        super().__init__(name=name, **kwargs)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Return the energy of a ddf (batch, dim1, dim2, dim3, 3), shape ()."""
        return tf.reduce_mean(diffusion_energy(inputs))
