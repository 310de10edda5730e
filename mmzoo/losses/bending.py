"""Bending energy of a displacement field: how far it is from affine.

Why: it leaves translations, rotations, scalings and shears free and charges only for curvature.

Source: the smoothness term of Ding et al. 2021, Eq. 10, as their code has it: nested central
differences. The same values as DeepReg's `bending`, mean over the batch apart.
"""

from __future__ import annotations

import tensorflow as tf

from mmzoo.checks import check_ddf
from mmzoo.ops.compiled import symbolic

COMPONENTS = 3  # of a displacement


def bending_energy(ddf: tf.Tensor) -> tf.Tensor:
    """Return the mean squared second derivatives of a field.

        E = mean_x,c  u_11^2 + u_22^2 + u_33^2 + 2 u_12^2 + 2 u_13^2 + 2 u_23^2

    with nested central differences, over the voxels two or more away from every border and the
    three components. Zero for every affine field; in voxels: sampling the same field at twice the
    spacing multiplies it by four.

    Args:
        ddf: (batch, dim1, dim2, dim3, 3), voxels, at least 5 voxels an axis.

    Returns:
        (batch,), at least 0.

    Raises:
        ValueError: not a field, or an axis shorter than 5.
    """
    check_ddf("ddf", ddf)
    if any(n is not None and n < 5 for n in ddf.shape[1:4]):
        raise ValueError(f"`ddf` needs at least 5 voxels an axis, got {tuple(ddf.shape)}.")
    return _bending_energy(ddf)


@symbolic
@tf.custom_gradient
def _bending_energy(ddf: tf.Tensor):
    return _energy(ddf), lambda upstream: _gradient(ddf, upstream)


@tf.function(jit_compile=True)
def _energy(ddf: tf.Tensor) -> tf.Tensor:
    squares = [tf.reduce_mean(u**2, axis=(1, 2, 3)) for u in _second_derivatives(_rows(ddf))]
    return tf.add_n(squares)


@tf.function(jit_compile=True)
def _gradient(ddf: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
    """Return dE/dddf times upstream: 2/n sum_k S_k^T S_k u.

    Each stencil S_k is symmetric, so its transpose is the same stencil over the zero-padded
    interior. Written out because the automatic gradient pads and adds 25 shifted copies.
    """
    margin = [[0, 0], [4, 4], [4, 4], [4 * COMPONENTS, 4 * COMPONENTS]]
    second = _second_derivatives(_rows(ddf))
    back = [_second_derivatives(tf.pad(u, margin))[k] for k, u in enumerate(second)]
    scale = 2 / tf.cast(tf.reduce_prod(tf.shape(second[0])[1:]), ddf.dtype)
    return tf.reshape(tf.add_n(back), tf.shape(ddf)) * (scale * upstream)[:, None, None, None, None]


def _rows(ddf: tf.Tensor) -> tf.Tensor:
    """Lay the components along the last axis of the volume: (batch, dim1, dim2, 3 dim3).

    Rows of 3 dim3 numbers are what the processor's vectors want; rows of 3 cost ten times as much.
    """
    shape = tf.shape(ddf)
    return tf.reshape(ddf, [shape[0], shape[1], shape[2], COMPONENTS * shape[3]])


def _second_derivatives(rows: tf.Tensor) -> list[tf.Tensor]:
    """Return u_11, u_22, u_33 and sqrt(2) times u_12, u_13, u_23, two voxels inside the border."""
    shape = tf.shape(rows)
    unit = (1, 1, COMPONENTS)  # a voxel further along each axis

    def at(*steps):  # the interior, seen from some voxels away
        offset = [0, 0, 0]
        for axis, step in steps:
            offset[axis] += step
        cut = [
            slice((2 + o) * unit[axis], shape[axis + 1] - (2 - o) * unit[axis])
            for axis, o in enumerate(offset)
        ]
        return rows[(slice(None), *cut)]

    # (u(x + 2e) - 2 u(x) + u(x - 2e)) / 4: the central difference, twice
    pure = [(at((i, 2)) + at((i, -2)) - 2 * at()) / 4 for i in range(3)]
    mixed = [
        (at((i, 1), (j, 1)) + at((i, -1), (j, -1)) - at((i, 1), (j, -1)) - at((i, -1), (j, 1)))
        * (2**0.5 / 4)
        for i, j in ((0, 1), (0, 2), (1, 2))
    ]
    return pure + mixed
