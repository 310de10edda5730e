"""Bending energy of a displacement field: its mean squared second derivatives.

Penalises curvature only; affine transforms cost nothing.

Source: the smoothness term Psi of Ding et al. 2021, Eq. 10. Their code, like DeepReg's `bending`,
takes central differences of central differences. These are zero for a field that alternates from
voxel to voxel and leave out the two outermost voxels, which networks exploit; the compact form, the
default, covers both. On smooth fields the two agree.
"""

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from mmzoo.checks import check_choice, check_ddf
from mmzoo.framework import keras
from mmzoo.losses.spacing import Spacing, per_axis
from mmzoo.ops.compiled import symbolic, traced
from mmzoo.ops.finite_difference import COMPONENTS, in_rows

REACH = {"compact": 1, "nested": 2}  # voxels from the centre of a stencil to its end
STENCILS = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))


def bending_energy(
    ddf: tf.Tensor, *, stencil: str = "compact", spacing: Spacing = 1.0
) -> tf.Tensor:
    """Return the mean squared second derivatives of a field.

        E = mean_x,c  u_11^2 + u_22^2 + u_33^2 + 2 u_12^2 + 2 u_13^2 + 2 u_23^2

    over the components and the voxels whose stencils lie inside, with
    u_12 = (u(+,+) + u(-,-) - u(+,-) - u(-,+)) / 4 and

        compact:  u_11 = u(x + e) - 2 u(x) + u(x - e)
        nested:   u_11 = (u(x + 2e) - 2 u(x) + u(x - 2e)) / 4    (DeepReg, authors' code)

    Zero for every affine field. With `spacing` s both the field and its steps are lengths: s_c u_c
    in place of u_c, and u_jk / (s_j s_k) in place of u_jk. In voxels, the same motion sampled at
    twice the spacing has four times the energy. It costs a few copies of the field, value and
    gradient alike.

    Args:
        ddf: (batch, dim1, dim2, dim3, 3), voxels; at least 3 voxels an axis, 5 if nested.
        stencil: "compact" or "nested".
        spacing: length of a voxel, a number or one an axis, in the unit that the weight was chosen
            for: voxels by default; at twice the paper's voxel size 2 keeps the paper's weight.

    Returns:
        (batch,), at least 0.

    Raises:
        ValueError: not a field, an axis too short, an unknown stencil, or a spacing not positive.
    """
    check_choice("stencil", stencil, REACH)
    check_ddf("ddf", ddf)
    reach = REACH[stencil]
    shortest = 2 * reach + 1
    if any(n is not None and n < shortest for n in ddf.shape[1:4]):
        raise ValueError(f"`ddf` needs at least {shortest} voxels an axis, got {tuple(ddf.shape)}.")
    lengths = per_axis(spacing)
    if set(lengths) != {1.0}:
        ddf = ddf * tf.constant(lengths, ddf.dtype)
    return _compiled(reach, lengths)(ddf)


@functools.lru_cache
def _compiled(reach: int, spacing: tuple[float, ...]) -> Callable[[tf.Tensor], tf.Tensor]:
    @symbolic
    @tf.custom_gradient
    def energy(ddf: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        return _energy(ddf, reach, spacing), lambda up: _gradient(ddf, up, reach, spacing)

    return energy


@traced(jit_compile=True)
def _energy(ddf: tf.Tensor, reach: int, spacing: tuple[float, ...]) -> tf.Tensor:
    second = _second_derivatives(in_rows(ddf), reach, spacing)
    return tf.add_n([tf.reduce_mean(u**2, axis=(1, 2, 3)) for u in second])


@traced(jit_compile=True)
def _gradient(
    ddf: tf.Tensor, upstream: tf.Tensor, reach: int, spacing: tuple[float, ...]
) -> tf.Tensor:
    """Return dE/dddf times upstream: 2/n sum_k S_k^T S_k u.

    Each stencil S_k is symmetric, so its transpose is the same stencil over the zero-padded
    interior. Written out because the automatic gradient pads and adds 25 shifted copies.
    """
    margin = 2 * reach
    padding = [[0, 0], [margin] * 2, [margin] * 2, [margin * COMPONENTS] * 2]
    second = _second_derivatives(in_rows(ddf), reach, spacing)
    back = [
        _second_derivative(tf.pad(u, padding), axes, reach, spacing)
        for u, axes in zip(second, STENCILS, strict=True)
    ]
    scale = 2 / tf.cast(tf.reduce_prod(tf.shape(second[0])[1:]), ddf.dtype)
    return tf.reshape(tf.add_n(back), tf.shape(ddf)) * (scale * upstream)[:, None, None, None, None]


def _second_derivatives(rows: tf.Tensor, reach: int, spacing: tuple[float, ...]) -> list[tf.Tensor]:
    """Return u_11, u_22, u_33 and sqrt(2) times u_12, u_13, u_23, `reach` voxels inside."""
    return [_second_derivative(rows, axes, reach, spacing) for axes in STENCILS]


def _second_derivative(
    rows: tf.Tensor, axes: tuple[int, int], reach: int, spacing: tuple[float, ...]
) -> tf.Tensor:
    """Return u_ii, or sqrt(2) times u_ij, `reach` voxels inside."""
    i, j = axes
    unit = (1, 1, COMPONENTS)  # a voxel further along each axis

    def at(*steps):  # the interior, seen from some voxels away
        offset = [0, 0, 0]
        for axis, step in steps:
            offset[axis] += step
        cut = [
            slice((reach + o) * unit[axis], (o - reach) * unit[axis] or None)
            for axis, o in enumerate(offset)
        ]
        return rows[(slice(None), *cut)]

    if i == j:
        return (at((i, reach)) + at((i, -reach)) - 2 * at()) / (reach * spacing[i]) ** 2
    crosses = at((i, 1), (j, 1)) + at((i, -1), (j, -1)) - at((i, 1), (j, -1)) - at((i, -1), (j, 1))
    return crosses * (2**0.5 / (4 * spacing[i] * spacing[j]))


@keras.saving.register_keras_serializable(package="mmzoo")
class BendingEnergy(keras.layers.Layer):
    """The regulariser `bending-energy` of a ddf; see `bending_energy`.

    A layer that returns the mean over the batch, as DeepReg's regularisers do.
    """

    def __init__(
        self,
        stencil: str = "compact",
        spacing: Spacing = 1.0,
        name: str = "BendingEnergy",
        **kwargs: Any,
    ):
        """Keep the settings; errors as in `bending_energy`."""
        super().__init__(name=name, **kwargs)
        check_choice("stencil", stencil, REACH)
        self.stencil = stencil
        self.spacing = per_axis(spacing)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Return the energy of a ddf (batch, dim1, dim2, dim3, 3), shape ()."""
        energy = bending_energy(inputs, stencil=self.stencil, spacing=self.spacing)
        return tf.reduce_mean(energy)

    def get_config(self) -> dict:
        """Return the settings, for recreating this layer."""
        return {**super().get_config(), "stencil": self.stencil, "spacing": self.spacing}
