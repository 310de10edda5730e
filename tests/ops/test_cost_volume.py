"""The search against a plain loop, what it finds of a known shift, borders and NaN."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from mmzoo.ops.cost_volume import search
from mmzoo.ops.self_similarity import descriptors

SHAPE = (2, 5, 4, 6, 3)


def features(shape=SHAPE, seed=0):
    return np.random.default_rng(seed).uniform(0, 1, shape)


def mean_of_neighbours(volume):
    wide = np.pad(volume, [(0, 0), (1, 1), (1, 1), (1, 1), (0, 0)], mode="edge")
    total = np.zeros_like(volume)
    for i, j, k in itertools.product(range(3), repeat=3):
        x, y, z = volume.shape[1:4]
        total += wide[:, i : i + x, j : j + y, k : k + z]
    return total / 27


def loop(fixed, moving, reach, sharpness, hold):
    shape = fixed.shape[1:4]
    displacements = list(itertools.product(range(-reach, reach + 1), repeat=3))
    cost = np.zeros((*fixed.shape[:4], len(displacements)))
    for b, *x in np.ndindex(*fixed.shape[:4]):
        for n, d in enumerate(displacements):
            at = tuple(np.clip(np.add(x, d), 0, np.subtract(shape, 1)))
            cost[(b, *x, n)] = ((fixed[(b, *x)] - moving[(b, *at)]) ** 2).mean()
    cost = mean_of_neighbours(cost)
    field = np.zeros((*fixed.shape[:4], 3))
    for weight in hold:
        found = np.zeros_like(field)
        for x in np.ndindex(*fixed.shape[:4]):
            drawn = ((np.array(displacements) - field[x]) ** 2).sum(axis=1)
            weights = np.exp(-sharpness * (cost[x] + weight * drawn))
            found[x] = weights @ np.array(displacements) / weights.sum()
        field = mean_of_neighbours(mean_of_neighbours(found))
    return field


@pytest.mark.parametrize(("reach", "hold"), [(1, (0.0, 0.02)), (2, (0.01,))])
def test_the_search_agrees_with_the_loop(reach, hold):
    fixed, moving = features(), features(seed=1)
    both = (tf.constant(np.moveaxis(each, -1, 1), tf.float32) for each in (fixed, moving))
    found = search(*both, reach, 30, hold)
    np.testing.assert_allclose(found, loop(fixed, moving, reach, 30, hold), atol=2e-5)


@pytest.mark.parametrize("shift", [(1, 0, 0), (0, -2, 1)])
def test_a_known_shift_is_found(shift):
    image = tf.random.stateless_uniform((1, 18, 16, 20), (3, 4))
    moved = np.roll(image, shift, axis=(1, 2, 3))
    pair = descriptors(image), descriptors(tf.constant(moved))
    inside = search(*pair, 2, 400.0, (0.0, 0.02))[0, 5:-5, 5:-5, 5:-5]
    np.testing.assert_allclose(inside, np.broadcast_to(shift, inside.shape), atol=0.05)


def test_images_alike_do_not_move_and_one_that_is_reversed_neither():
    image = tf.random.stateless_uniform((1, 12, 10, 14), (5, 6))
    for other in (image, 3 - 2 * image):
        field = search(descriptors(image), descriptors(other), 2, 400.0, (0.0, 0.02))
        assert np.abs(field).max() < 0.05


def test_nan_stays_in_its_pair():
    both = (features(seed=seed).astype(np.float32) for seed in (0, 1))
    fixed, moving = (np.moveaxis(each, -1, 1) for each in both)
    moving[1, 0, 2, 2, 3] = np.nan
    field = search(tf.constant(fixed), tf.constant(moving), 1, 30.0, (0.0,)).numpy()
    assert np.isfinite(field[0]).all() and np.isnan(field[1]).any()
