"""Bending energy against a float64 loop, polynomials and finite differences."""

import numpy as np
import pytest
import tensorflow as tf

from mmzoo.losses import bending_energy


def bending_loop(u):
    """Nested central differences of (d1, d2, d3, 3), two voxels inside the border."""
    unit = np.eye(3, dtype=int)

    def difference(x, i):  # at integer position x
        return (u[tuple(x + unit[i])] - u[tuple(x - unit[i])]) / 2

    total, count = 0.0, 0
    for x in np.ndindex(*(n - 4 for n in u.shape[:3])):
        x = np.array(x) + 2
        for i in range(3):
            for j in range(3):  # mixed terms come twice
                second = (difference(x + unit[j], i) - difference(x - unit[j], i)) / 2
                total += (second**2).sum()
        count += 3
    return total / count


def grid(shape):
    return np.stack(np.meshgrid(*[np.arange(n, dtype=float) for n in shape], indexing="ij"), -1)


def test_agrees_with_the_loop_on_an_odd_anisotropic_batch():
    u = np.random.default_rng(0).normal(size=(2, 7, 6, 9, 3))
    np.testing.assert_allclose(bending_energy(tf.constant(u)), [bending_loop(v) for v in u])


def test_is_zero_for_affine_fields():
    x = grid((6, 7, 8))
    u = x @ np.random.default_rng(1).normal(size=(3, 3)) + [3, -1, 2]
    np.testing.assert_allclose(bending_energy(tf.constant(u[None])), 0, atol=1e-20)


@pytest.mark.parametrize(
    ("power", "expected"),
    [((2, 0, 0), 4 / 3), ((0, 2, 0), 4 / 3), ((0, 0, 2), 4 / 3), ((1, 1, 0), 2 / 3),
     ((1, 0, 1), 2 / 3), ((0, 1, 1), 2 / 3)],
)  # fmt: skip
def test_quadratic_fields_have_their_closed_form(power, expected):
    u = np.zeros((1, 6, 7, 8, 3))
    u[0, ..., 1] = np.prod(grid((6, 7, 8)) ** power, axis=-1)
    np.testing.assert_allclose(bending_energy(tf.constant(u)), [expected])


def test_gradient_agrees_with_finite_differences_of_the_loop():
    rng = np.random.default_rng(2)
    u = rng.normal(size=(2, 6, 5, 7, 3))
    tensor, weights = tf.constant(u), [1.0, -3.0]
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        value = tf.reduce_sum(bending_energy(tensor) * tf.constant(weights, tf.float64))
    gradient = tape.gradient(value, tensor).numpy()
    for _ in range(40):
        index = tuple(rng.integers(n) for n in u.shape)
        step = np.zeros_like(u)
        step[index] = 1e-4
        high, low = (weights[index[0]] * bending_loop((u + s * step)[index[0]]) for s in (1, -1))
        assert gradient[index] == pytest.approx((high - low) / 2e-4, abs=1e-7)


def test_small_or_wrong_fields_are_named():
    with pytest.raises(ValueError, match="at least 5 voxels an axis"):
        bending_energy(tf.zeros((1, 8, 4, 8, 3)))
    with pytest.raises(ValueError, match="`ddf` must be"):
        bending_energy(tf.zeros((1, 8, 8, 8)))
