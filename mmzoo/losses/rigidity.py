"""Rigidity penalty: how far a field is from a rigid motion, inside the bones.

Source: van Ulsen 2022, Eq. 3.11-3.16, after Staring et al. 2007. With T(x) = x + u(x), J = dT/dx
and the bones S_M:

    p_BE = 1/|S_M| sum_S_M |T_11|^2 + |T_22|^2 + |T_33|^2 + 2 (|T_12|^2 + |T_13|^2 + |T_23|^2)
    p_ON = 1/|S_M| sum_S_M |J J^T - I|_F^2
    p_JD = 1/|S_M| sum_S_M (det J - 1)^2

Differs from the thesis: S_M is a label of the moving image, while the field lives on the fixed one;
the thesis takes it as it stands, `bone_mask` carries it over, as elastix does (there is an option
for the printed form). Second differences are compact: nested central ones, DeepReg's, are zero for
a field that alternates from voxel to voxel, and so are the central ones of J; then no term would
penalise it.

elastix's TransformRigidityPenalty sums the same three terms, and coincides in p_JD. It differs: it
filters the coefficients of a B-spline, at its control points; p_BE and p_ON have their mixed terms
once where the equations above have them twice, those of p_BE over (s_i s_j)^2 once more, with s
the spacing of control points; its pure second differences are halved; weights may be the larger of
both images' masks, and are dilated. Its J^T J for J J^T has the same norm.
"""

import dataclasses
import functools
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from mmzoo.checks import check_choice, check_ddf, check_positive, check_rank, check_same_shape
from mmzoo.framework import keras
from mmzoo.losses.base import FunctionLoss
from mmzoo.losses.bending import REACH
from mmzoo.losses.spacing import Spacing, per_axis
from mmzoo.ops.compiled import symbolic
from mmzoo.ops.warp import warp

PAIRS = ((0, 1), (0, 2), (1, 2))
MASKS = ("carried", "literal")


def rigidity(
    ddf: tf.Tensor,
    mask: tf.Tensor,
    *,
    linearity: float = 1.0,
    orthonormality: float = 1.0,
    properness: float = 1.0,
    stencil: str = "compact",
    spacing: Spacing = 1.0,
) -> tf.Tensor:
    """Return the weighted sum of the three terms over a mask (see above).

        L = linearity p_BE + orthonormality p_ON + properness p_JD    (Eq. 3.16: all weights 1)

    Voxels count by the value of their mask, |S_M| is its sum; those whose stencils do not lie
    inside the volume do not count. Derivatives are central, and in lengths: with `spacing` s,
    J_ij = d_ij + s_i/s_j du_i/dx_j and T_i,jk = s_i u_i,jk / (s_j s_k). Zero for every rigid
    motion, whatever the voxels. A scaling by a costs 3 (a^2 - 1)^2 + (a^3 - 1)^2, a reflection 4.

    Time and memory grow with the voxels of the mask (19 displacements are read for each, some 800
    bytes kept), not with the volume, but for one pass over the mask and one over the gradient. Up
    to a twentieth of the volume it costs less than the bending energy of all of it, at a mask of
    the whole volume over ten times as much.

    Args:
        ddf: (batch, dim1, dim2, dim3, 3), voxels.
        mask: (batch, dim1, dim2, dim3), in [0, 1], on the grid of the field; not differentiated.
        linearity: weight of p_BE, at least 0; its unit is that of `spacing`, squared.
        orthonormality: weight of p_ON, at least 0.
        properness: weight of p_JD, at least 0.
        stencil: of the pure second differences: "compact", or "nested" as in DeepReg.
        spacing: length of a voxel, a number or one an axis: mm for the published weights.

    Returns:
        (batch,), at least 0; 0 where the mask is empty. NaN inside the mask gives NaN.

    Raises:
        ValueError: not a field, a mask of another size, an axis of fewer than 3 voxels (5 if
            nested), or a setting out of range.
    """
    check_ddf("ddf", ddf)
    check_rank("mask", mask, (4,))
    check_same_shape("mask", mask, "ddf[..., 0]", ddf[..., 0])
    _check_settings(linearity, orthonormality, properness, stencil)
    shortest = 2 * REACH[stencil] + 1
    if any(n is not None and n < shortest for n in ddf.shape[1:4]):
        raise ValueError(f"`ddf` needs at least {shortest} voxels an axis, got {tuple(ddf.shape)}.")
    weights, lengths = (linearity, orthonormality, properness), per_axis(spacing)
    penalty = functools.partial(_rigidity, weights=weights, reach=REACH[stencil], spacing=lengths)
    return symbolic(penalty)(ddf, mask)


def _rigidity(
    ddf: tf.Tensor,
    mask: tf.Tensor,
    *,
    weights: Sequence[float],
    reach: int,
    spacing: tuple[float, ...],
) -> tf.Tensor:
    inside = tf.cast(mask, ddf.dtype)[:, reach:-reach, reach:-reach, reach:-reach]
    inside = tf.stop_gradient(inside)
    voxels = tf.where(inside != 0)  # (n, 4): item of the batch and place; NaN is not 0 either
    counts = tf.gather_nd(inside, voxels)
    columns, second = _derivatives(ddf, voxels + [0, reach, reach, reach], reach, spacing)
    values = counts * _integrand(columns, second, weights)
    batch = tf.shape(ddf, tf.int64)[0]
    total, size = (tf.math.unsorted_segment_sum(x, voxels[:, 0], batch) for x in (values, counts))
    return tf.math.divide_no_nan(total, size)


def _integrand(columns: tf.Tensor, second: tf.Tensor, weights: Sequence[float]) -> tf.Tensor:
    """Return the weighted sum of the three terms at each voxel, (n,).

    Args:
        columns: dT/dx_1, dT/dx_2, dT/dx_3, the columns of J: (3, n, 3).
        second: T_11, T_22, T_33 and sqrt(2) times T_12, T_13, T_23: (6, n, 3).
        weights: of linearity, orthonormality and properness.
    """

    def dot(i, j):
        return tf.reduce_sum(columns[i] * columns[j], axis=-1)

    linearity = tf.reduce_sum(second**2, axis=(0, 2))
    # J^T J, the products of the columns, and J J^T have one set of eigenvalues, so one norm.
    lengths, angles = [dot(i, i) - 1 for i in range(3)], [dot(i, j) for i, j in PAIRS]
    orthonormality = tf.add_n([x**2 for x in lengths] + [2 * x**2 for x in angles])
    normal = tf.linalg.cross(columns[1], columns[2])
    properness = (tf.reduce_sum(columns[0] * normal, axis=-1) - 1) ** 2
    terms = (linearity, orthonormality, properness)
    return tf.add_n([weight * term for weight, term in zip(weights, terms, strict=True)])


def _derivatives(
    ddf: tf.Tensor, voxels: tf.Tensor, reach: int, spacing: tuple[float, ...]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the columns of J (3, n, 3) and the second derivatives (6, n, 3), in lengths.

    All differences are one product: of the stencils with the displacements that each voxel needs.
    """
    offsets, stencils = _stencils(reach, spacing)
    shape = tf.shape(ddf, tf.int64)
    strides = tf.math.cumprod(shape[:4], exclusive=True, reverse=True)  # in displacements
    steps = tf.reduce_sum(offsets * strides[1:], axis=-1)
    rows = steps[:, None] + tf.reduce_sum(voxels * strides, axis=-1)
    neighbours = tf.gather(tf.reshape(ddf, [-1, 3]), rows)  # (offsets, n, 3)
    flat = tf.reshape(neighbours, [len(offsets), -1])
    product = tf.matmul(tf.constant(stencils, ddf.dtype), flat)
    derivatives = tf.reshape(product, [len(stencils), -1, 3]) * tf.constant(spacing, ddf.dtype)
    return derivatives[:3] + tf.eye(3, dtype=ddf.dtype)[:, None], derivatives[3:]


@functools.lru_cache
def _stencils(reach: int, spacing: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return offsets (m, 3) and stencils (9, m): d/dx_j, then the second derivatives.

    The mixed ones carry sqrt(2), so that their squares count twice.
    """
    unit = np.eye(3, dtype=np.int64)
    rows: list[dict] = []
    for i, s in enumerate(spacing):
        rows.append({tuple(unit[i]): 0.5 / s, tuple(-unit[i]): -0.5 / s})
    for i, s in enumerate(spacing):
        ends = {tuple(sign * reach * unit[i]): 1 / (reach * s) ** 2 for sign in (1, -1)}
        rows.append({**ends, (0, 0, 0): -2 / (reach * s) ** 2})
    for i, j in PAIRS:
        step = 2**0.5 / (4 * spacing[i] * spacing[j])
        signs = itertools.product((1, -1), repeat=2)
        rows.append({tuple(a * unit[i] + b * unit[j]): a * b * step for a, b in signs})
    offsets = sorted(set().union(*rows))
    stencils = np.array([[row.get(offset, 0.0) for offset in offsets] for row in rows])
    return np.array(offsets, dtype=np.int64), stencils


def bone_mask(label: tf.Tensor, ddf: tf.Tensor, *, mask: str = "carried") -> tf.Tensor:
    """Return the union of bones of the moving image, where the field lives; not differentiated.

    Args:
        label: (batch, m_dim1, m_dim2, m_dim3), or with a channel a bone, in [0, 1].
        ddf: (batch, f_dim1, f_dim2, f_dim3, 3), voxels.
        mask: "carried" by the field, S_M(x + u(x)), or "literal", S_M(x), as the thesis prints.

    Returns:
        (batch, f_dim1, f_dim2, f_dim3), in [0, 1].

    Raises:
        ValueError: a wrong rank, an unknown mask, or sizes that differ where it is literal.
    """
    check_choice("mask", mask, MASKS)
    check_rank("label", label, (4, 5))
    union = tf.reduce_max(label, axis=-1) if len(label.shape) == 5 else label
    if mask == "carried":
        return tf.stop_gradient(warp(union, tf.stop_gradient(ddf)))
    check_same_shape("label", union, "ddf[..., 0]", ddf[..., 0])
    return tf.stop_gradient(union)


@keras.saving.register_keras_serializable(package="mmzoo")
@dataclasses.dataclass(eq=False)
class Rigidity(FunctionLoss):
    """The `rigidity` loss of (label of the moving image, ddf); see `rigidity` and `bone_mask`."""

    linearity: float = 1.0
    orthonormality: float = 1.0
    properness: float = 1.0
    stencil: str = "compact"
    spacing: Spacing = 1.0
    mask: str = "carried"

    def check_settings(self) -> None:
        """Raise ValueError as `rigidity` and `bone_mask` do."""
        _check_settings(self.linearity, self.orthonormality, self.properness, self.stencil)
        check_choice("mask", self.mask, MASKS)

    @staticmethod
    def function(label: tf.Tensor, ddf: tf.Tensor, *, mask: str, **settings: Any) -> tf.Tensor:
        """Return the penalty of a label of the moving image and a field, shape (batch,)."""
        return rigidity(ddf, bone_mask(label, ddf, mask=mask), **settings)


def _check_settings(
    linearity: float, orthonormality: float, properness: float, stencil: str
) -> None:
    check_positive("linearity", linearity, allow_zero=True)
    check_positive("orthonormality", orthonormality, allow_zero=True)
    check_positive("properness", properness, allow_zero=True)
    check_choice("stencil", stencil, REACH)
