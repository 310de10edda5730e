"""A Gauss-Newton step against a plain loop, what steps find of a known motion, borders and NaN."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from mmzoo.ops.gauss_newton import gauss_newton_step
from mmzoo.ops.self_similarity import descriptors
from mmzoo.ops.warp import warp

SHAPE = (2, 5, 4, 6, 3)


def features(seed=0):
    return np.random.default_rng(seed).uniform(0, 1, SHAPE)


def smooth(volume, times):
    for _ in range(times):
        wide = np.pad(volume, [(0, 0), (1, 1), (1, 1), (1, 1), (0, 0)], mode="edge")
        total = np.zeros_like(volume)
        for i, j, k in itertools.product(range(3), repeat=3):
            x, y, z = volume.shape[1:4]
            total += wide[:, i : i + x, j : j + y, k : k + z]
        volume = total / 27
    return volume


def at(field, b, point):
    """The field at a point, trilinear, its border going on."""
    ends = np.array(field.shape[1:4]) - 1
    point = np.clip(point, 0, ends)
    low = np.minimum(np.floor(point).astype(int), np.maximum(ends - 1, 0))
    total = np.zeros(3)
    for corner in itertools.product((0, 1), repeat=3):
        weight = np.prod([1 - abs(point[k] - low[k] - corner[k]) for k in range(3)])
        total += weight * field[(b, *np.minimum(low + corner, ends))]
    return total


def loop(fixed, warped, field, damping, window, smoothing):
    sums = np.zeros((*fixed.shape[:4], 3, 4))
    for b, *x in np.ndindex(*fixed.shape[:4]):
        slopes = np.zeros((3, fixed.shape[4]))
        for axis in range(3):
            up, down = np.array(x), np.array(x)
            up[axis] = min(x[axis] + 1, fixed.shape[axis + 1] - 1)
            down[axis] = max(x[axis] - 1, 0)
            slopes[axis] = (warped[(b, *up)] - warped[(b, *down)]) / 2
        rest = fixed[(b, *x)] - warped[(b, *x)]
        sums[(b, *x)] = np.c_[slopes @ slopes.T, slopes @ rest] / len(rest)
    sums = smooth(sums.reshape(*fixed.shape[:4], 12), window).reshape(sums.shape)
    found = np.zeros_like(field)
    for b, *x in np.ndindex(*fixed.shape[:4]):
        matrix, side = sums[(b, *x)][:, :3], sums[(b, *x)][:, 3]
        step = np.linalg.solve(matrix + damping * np.eye(3), side)
        step /= max(1, np.linalg.norm(step))
        found[(b, *x)] = step + at(field, b, np.add(x, step))
    return smooth(found, smoothing)


@pytest.mark.parametrize(
    ("damping", "window", "smoothing"), [(0.02, 1, 2), (0.5, 0, 0), (1e-3, 2, 1)]
)
def test_a_step_agrees_with_the_loop(damping, window, smoothing):
    given = features(), features(1), np.random.default_rng(2).normal(0, 1, (*SHAPE[:4], 3))
    fixed, warped, field = (tf.constant(each, tf.float32) for each in given)
    both = (tf.transpose(each, [0, 4, 1, 2, 3]) for each in (fixed, warped))
    found = gauss_newton_step(*both, field, damping, window, smoothing)
    wanted = loop(*given, damping, window, smoothing)
    np.testing.assert_allclose(found, wanted, atol=2e-4 * np.abs(wanted).max())


def aligned(fixed, moving, steps=10):
    field = tf.zeros((*fixed.shape, 3))
    of_fixed = descriptors(fixed)
    for _ in range(steps):
        field = gauss_newton_step(of_fixed, descriptors(warp(moving, field)), field, 3e-3, 3, 4)
    return field.numpy()


def blobs(shape=(1, 26, 24, 28)):
    noise = tf.random.stateless_normal((*shape, 1), (3, 4))
    for _ in range(2):
        noise = tf.nn.avg_pool3d(noise, 3, 1, "SAME")
    return 5 * noise[..., 0]


@pytest.mark.parametrize("contrast", [1.0, -2.0])
def test_a_known_shift_is_found_in_another_contrast(contrast):
    image, shift = blobs(), np.array([0.6, -0.8, 0.4], np.float32)
    moving = contrast * warp(image, tf.zeros((*image.shape, 3)) - shift)
    inside = aligned(image, moving)[0, 6:-6, 6:-6, 6:-6]
    assert np.abs(inside - shift).mean() < 0.12 < np.abs(shift).mean() / 3


def test_images_alike_and_constant_ones_do_not_move():
    for image in (blobs(), tf.ones((1, 12, 10, 14))):
        assert np.abs(aligned(image, image, steps=3)).max() < 1e-5


def test_where_there_is_nothing_to_see_the_smoothed_field_stays():
    flat = tf.zeros((1, 12, 6, 7, 8))
    field = tf.ones((1, 6, 7, 8, 3)) * [0.5, -2.0, 3.0]
    np.testing.assert_allclose(gauss_newton_step(flat, flat, field, 1e-3, 1, 3), field, atol=1e-5)


def test_nan_stays_in_its_pair():
    fixed, warped = (np.moveaxis(features(seed), -1, 1).astype(np.float32) for seed in (0, 1))
    warped[1, 0, 2, 2, 3] = np.nan
    field = gauss_newton_step(fixed, warped, tf.zeros((*SHAPE[:4], 3)), 0.01, 1, 1).numpy()
    assert np.isfinite(field[0]).all() and np.isnan(field[1]).any()
