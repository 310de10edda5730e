"""Bending energy against float64 loops, polynomials and finite differences."""

import numpy as np
import pytest
import tensorflow as tf

from mmzoo.framework import keras
from mmzoo.losses import BendingEnergy, bending_energy

STENCILS = ("compact", "nested")
UNIT = np.eye(3, dtype=int)


def second(u, x, i, j, stencil):
    """u_ij at the voxel x, (3,)."""

    def at(*steps):
        return u[tuple(x + sum(steps, np.zeros(3, int)))]

    if i == j and stencil == "compact":
        return at(UNIT[i]) - 2 * at() + at(-UNIT[i])
    # the central difference along j of the central difference along i
    high, low = ((at(s * UNIT[j], UNIT[i]) - at(s * UNIT[j], -UNIT[i])) / 2 for s in (1, -1))
    return (high - low) / 2


def bending_loop(u, stencil, spacing=(1, 1, 1)):
    """The equation, voxel by voxel, for a field (d1, d2, d3, 3)."""
    reach = 1 if stencil == "compact" else 2
    total, count = 0.0, 0
    for corner in np.ndindex(*(n - 2 * reach for n in u.shape[:3])):
        x = np.array(corner) + reach
        for i in range(3):
            for j in range(3):  # mixed terms come twice
                u_ij = second(u, x, i, j, stencil) / (spacing[i] * spacing[j])
                total += sum((spacing[c] * u_ij[c]) ** 2 for c in range(3))
        count += 3
    return total / count


def grid(shape):
    return np.stack(np.meshgrid(*[np.arange(n, dtype=float) for n in shape], indexing="ij"), -1)


@pytest.mark.parametrize("stencil", STENCILS)
def test_agrees_with_the_loop_on_an_odd_anisotropic_batch(stencil):
    u = np.random.default_rng(0).normal(size=(2, 7, 6, 9, 3))
    expected = [bending_loop(v, stencil) for v in u]
    np.testing.assert_allclose(bending_energy(tf.constant(u), stencil=stencil), expected)


@pytest.mark.parametrize("stencil", STENCILS)
def test_agrees_with_the_loop_at_voxels_longer_along_one_axis(stencil):
    u = np.random.default_rng(0).normal(size=(2, 7, 6, 9, 3))
    spacing = (1.0, 0.5, 3.0)
    expected = [bending_loop(v, stencil, spacing) for v in u]
    ours = bending_energy(tf.constant(u), stencil=stencil, spacing=spacing)
    np.testing.assert_allclose(ours, expected)


@pytest.mark.parametrize("stencil", STENCILS)
def test_is_zero_for_affine_fields(stencil):
    x = grid((6, 7, 8))
    u = x @ np.random.default_rng(1).normal(size=(3, 3)) + [3, -1, 2]
    energy = bending_energy(tf.constant(u[None]), stencil=stencil)
    np.testing.assert_allclose(energy, 0, atol=1e-20)


@pytest.mark.parametrize("stencil", STENCILS)
@pytest.mark.parametrize(
    ("power", "expected"),
    [((2, 0, 0), 4 / 3), ((0, 2, 0), 4 / 3), ((0, 0, 2), 4 / 3), ((1, 1, 0), 2 / 3),
     ((1, 0, 1), 2 / 3), ((0, 1, 1), 2 / 3)],
)  # fmt: skip
def test_quadratic_fields_have_their_closed_form(power, expected, stencil):
    u = np.zeros((1, 6, 7, 8, 3))
    u[0, ..., 1] = np.prod(grid((6, 7, 8)) ** power, axis=-1)
    np.testing.assert_allclose(bending_energy(tf.constant(u), stencil=stencil), [expected])


@pytest.mark.parametrize("stencil", STENCILS)
def test_twice_the_spacing_is_four_times_the_energy_unless_it_is_given(stencil):
    u_mm = lambda x: np.stack([x[..., 0] ** 2, x[..., 1] * x[..., 2], 0 * x[..., 0]], -1)  # noqa: E731
    fine, coarse = u_mm(grid((9, 9, 9))), u_mm(2 * grid((5, 5, 5))) / 2  # in voxels of each
    fine, coarse = (tf.constant(u[None]) for u in (fine, coarse))
    energy = bending_energy(fine, stencil=stencil)
    np.testing.assert_allclose(bending_energy(coarse, stencil=stencil), 4 * energy)
    np.testing.assert_allclose(bending_energy(coarse, stencil=stencil, spacing=2), energy)


def test_the_same_motion_has_the_same_energy_at_any_spacing_along_an_axis():
    spacing = np.array([1.0, 2.0, 0.5])
    x = grid((7, 7, 7))
    u_mm = lambda x: np.stack([x[..., 0] ** 2, x[..., 1] * x[..., 2], x[..., 2] ** 2], -1)  # noqa: E731
    cubes = bending_energy(tf.constant(u_mm(x)[None]))
    ours = bending_energy(tf.constant((u_mm(x * spacing) / spacing)[None]), spacing=spacing)
    np.testing.assert_allclose(ours, cubes)


def test_only_the_compact_form_sees_a_field_that_alternates():
    u = np.zeros((1, 8, 8, 8, 3))
    u[..., 0] = (-1.0) ** np.arange(8)[None, :, None, None]
    np.testing.assert_allclose(bending_energy(tf.constant(u), stencil="nested"), 0)
    np.testing.assert_allclose(bending_energy(tf.constant(u)), 16 / 3)  # u_11 = -4 u


def test_takes_symbolic_tensors_with_a_spacing():
    inputs = keras.Input((6, 6, 6, 3))
    model = keras.Model(inputs, BendingEnergy(spacing=2.0)(inputs))
    u = tf.random.stateless_normal((2, 6, 6, 6, 3), (1, 2))
    np.testing.assert_allclose(model(u), np.mean(bending_energy(u)) / 4, rtol=1e-6)


def test_small_or_wrong_fields_and_stencils_are_named():
    with pytest.raises(ValueError, match="at least 3 voxels an axis"):
        bending_energy(tf.zeros((1, 8, 2, 8, 3)))
    with pytest.raises(ValueError, match="at least 5 voxels an axis"):
        bending_energy(tf.zeros((1, 8, 4, 8, 3)), stencil="nested")
    with pytest.raises(ValueError, match="`ddf` must be"):
        bending_energy(tf.zeros((1, 8, 8, 8)))
    with pytest.raises(ValueError, match="did you mean 'compact'"):
        BendingEnergy("compakt")
    with pytest.raises(ValueError, match="`spacing` must be finite and above 0, got -2"):
        BendingEnergy(spacing=-2)
