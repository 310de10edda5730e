"""`diffusion_energy` against a float64 loop, and what its docstring claims."""

import numpy as np
import pytest
import tensorflow as tf

from mmzoo.losses import diffusion_energy


def loop(u):
    """1/3 sum over the axes of the mean squared step, of one field (d1, d2, d3, 3)."""
    total = 0.0
    for axis in range(3):
        steps = []
        for x in np.ndindex(*u.shape[:3]):
            if x[axis] + 1 < u.shape[axis]:
                after = tuple(i + (k == axis) for k, i in enumerate(x))
                steps += list((u[after] - u[x]) ** 2)
        total += np.mean(steps) / 3
    return total


def field(shape=(2, 5, 3, 4, 3)):
    return np.random.default_rng(0).normal(size=shape)


def test_value_agrees_with_the_loop():
    u = field()
    np.testing.assert_allclose(diffusion_energy(tf.constant(u)), [loop(v) for v in u], rtol=1e-12)


def test_a_translation_is_free_and_an_alternating_field_is_not():
    constant = np.broadcast_to([3.0, -1, 2], (1, 4, 5, 6, 3))
    np.testing.assert_array_equal(diffusion_energy(tf.constant(constant)), [0])
    stripes = constant + np.array([1.0, -1] * 2)[None, :, None, None, None]
    np.testing.assert_allclose(diffusion_energy(tf.constant(stripes)), [4 / 3])


def test_wrong_fields_are_named():
    with pytest.raises(ValueError, match=r"`ddf` must be \(batch, dim1, dim2, dim3, 3\)"):
        diffusion_energy(tf.zeros((1, 4, 4, 4)))
    with pytest.raises(ValueError, match="at least 2 voxels an axis"):
        diffusion_energy(tf.zeros((1, 4, 1, 4, 3)))
