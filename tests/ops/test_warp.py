"""The warp against a float64 loop written from Eq. 2, and its properties."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from mmzoo.ops.warp import warp


def warp_loop(moving, ddf):
    """moving(x + ddf(x)), trilinear, clamped to the volume, float64."""
    shape = moving.shape
    out = np.zeros(ddf.shape[:3])
    for x in np.ndindex(*out.shape):
        point = [min(max(x[a] + ddf[x][a], 0.0), shape[a] - 1.0) for a in range(3)]
        for corner in itertools.product((0, 1), repeat=3):
            weight, index = 1.0, []
            for a in range(3):
                low = int(np.floor(point[a]))
                part = point[a] - low
                weight *= part if corner[a] else 1 - part
                index.append(min(low + corner[a], shape[a] - 1))
            out[x] += weight * moving[tuple(index)]
    return out


def random_case(rng, moving_shape, fixed_shape, batch=2):
    moving = rng.normal(size=(batch, *moving_shape)).astype(np.float32)
    ddf = rng.normal(scale=2.0, size=(batch, *fixed_shape, 3)).astype(np.float32)
    return moving, ddf


@pytest.mark.parametrize("shapes", [((5, 7, 6), (5, 7, 6)), ((4, 9, 3), (6, 5, 8))])
def test_agrees_with_loop_on_odd_shapes_and_between_grids(shapes):
    moving, ddf = random_case(np.random.default_rng(0), *shapes)
    expected = np.stack([warp_loop(m, d) for m, d in zip(moving, ddf, strict=True)])
    np.testing.assert_allclose(warp(tf.constant(moving), tf.constant(ddf)), expected, atol=1e-5)


def test_zero_ddf_returns_the_volume_itself_with_its_border():
    moving, ddf = random_case(np.random.default_rng(1), (5, 6, 7), (5, 6, 7))
    np.testing.assert_array_equal(warp(tf.constant(moving), tf.zeros_like(ddf)), moving)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_unit_displacement_moves_one_voxel_along_its_own_axis(axis):
    moving, ddf = random_case(np.random.default_rng(2), (5, 6, 7), (5, 6, 7))
    ddf = np.zeros_like(ddf)
    ddf[..., axis] = 1
    warped = np.moveaxis(warp(tf.constant(moving), tf.constant(ddf)).numpy(), axis + 1, 0)
    np.testing.assert_array_equal(warped[:-1], np.moveaxis(moving, axis + 1, 0)[1:])
    np.testing.assert_array_equal(warped[-1], np.moveaxis(moving, axis + 1, 0)[-1])


def test_channels_are_warped_alike_and_kept():
    moving, ddf = random_case(np.random.default_rng(3), (5, 6, 4), (5, 6, 4))
    both = warp(tf.constant(np.stack([moving, -2 * moving], axis=-1)), tf.constant(ddf)).numpy()
    alone = warp(tf.constant(moving), tf.constant(ddf)).numpy()
    np.testing.assert_allclose(both, np.stack([alone, -2 * alone], axis=-1), atol=1e-6)


def test_gradients_agree_with_finite_differences_of_the_loop():
    rng = np.random.default_rng(4)
    moving, ddf = random_case(rng, (4, 5, 3), (4, 5, 3), batch=1)
    ddf = (np.floor(ddf) + rng.uniform(0.2, 0.8, ddf.shape)).astype(np.float32)  # off the kinks
    weights = rng.normal(size=moving.shape)
    m, d = tf.constant(moving), tf.constant(ddf)
    with tf.GradientTape() as tape:
        tape.watch([m, d])
        value = tf.reduce_sum(warp(m, d) * weights.astype(np.float32))
    tensors = {"moving": np.float64(moving[0]), "ddf": np.float64(ddf[0])}
    for name, gradient in zip(tensors, tape.gradient(value, [m, d]), strict=True):
        for index in [tuple(rng.integers(n) for n in tensors[name].shape) for _ in range(25)]:
            difference = 0.0
            for sign in (1, -1):
                shifted = tensors[name].copy()
                shifted[index] += sign * 1e-4
                case = {**tensors, name: shifted}
                difference += sign * np.sum(warp_loop(case["moving"], case["ddf"]) * weights[0])
            assert gradient[0].numpy()[index] == pytest.approx(difference / 2e-4, abs=2e-4)


def test_nan_displacement_spoils_only_its_own_voxel():
    moving, ddf = random_case(np.random.default_rng(5), (4, 4, 4), (4, 4, 4), batch=1)
    ddf[0, 1, 2, 3, 0] = np.nan
    warped = warp(tf.constant(moving), tf.constant(ddf)).numpy()
    assert np.isnan(warped[0, 1, 2, 3]) and np.isnan(warped).sum() == 1


def test_wrong_shapes_are_named():
    with pytest.raises(ValueError, match=r"`ddf` must be \(batch, dim1, dim2, dim3, 3\)"):
        warp(tf.zeros((1, 4, 4, 4)), tf.zeros((1, 4, 4, 4, 2)))
    with pytest.raises(ValueError, match="`moving` must have rank 4 or 5"):
        warp(tf.zeros((4, 4, 4)), tf.zeros((1, 4, 4, 4, 3)))
