"""The smoothed gradient against smoothing the gradient, of whole volumes and of some rows."""

import numpy as np
import pytest
import tensorflow as tf

from mmzoo.ops.filters import gaussian_smooth
from mmzoo.ops.finite_difference import backward_gradient
from mmzoo.ops.smooth_gradient import smooth_gradient, smoothed_line, whole_line


def lines_of(volume, sigmas, whole=False):
    if whole:
        axes = zip(sigmas, volume.shape[1:], strict=True)
        return [whole_line(sigma, length, volume.dtype) for sigma, length in axes]
    ones = [tf.ones([length], volume.dtype) for length in volume.shape[1:]]
    return [smoothed_line(*axis) for axis in zip(sigmas, ones, strict=True)]


def draw(shape):
    return tf.constant(np.random.default_rng(0).normal(size=shape))


@pytest.mark.parametrize("shape", [(2, 9, 14, 6), (1, 2, 2, 2), (1, 30, 5, 25)])
@pytest.mark.parametrize("sigmas", [(1.0, 1.0, 1.0), (1.5, 0.2, 3.0), (0, 0, 0)])
@pytest.mark.parametrize("whole", [False, True])
def test_is_the_gradient_smoothed_up_to_the_borders(shape, sigmas, whole):
    volume = draw(shape)
    expected = gaussian_smooth(backward_gradient(volume), sigmas)
    found = smooth_gradient(volume, lines_of(volume, sigmas, whole))
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("whole", [False, True])
def test_its_gradient_is_that_of_smoothing_the_gradient(whole):
    volume, sigmas = draw((2, 8, 11, 5)), (1.5, 1.0, 0.7)
    upstream = draw((2, 3, 7, 10, 4))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(volume)
        found = smooth_gradient(volume, lines_of(volume, sigmas, whole))
        expected = gaussian_smooth(backward_gradient(volume), sigmas)
    ours, theirs = (tape.gradient(each, volume, upstream) for each in (found, expected))
    np.testing.assert_allclose(ours, theirs, atol=1e-12)


@pytest.mark.parametrize("start", [-6, 0, 7, 11])
def test_rows_of_a_part_are_those_of_the_whole_volume(start):
    margin, rows, sigmas = 5, 4, (1.0, 1.5, 0.7)  # 5: the tail of 3, a difference, the first one
    volume = draw((1, 15, 6, 7))
    whole = np.zeros((1, 3, 60, 5, 6))
    whole[:, :, 21:35] = gaussian_smooth(backward_gradient(volume), sigmas)
    reach = slice(20 + start - margin, 20 + start + rows + margin)
    part, inside = np.zeros((1, 60, 6, 7)), np.zeros(60)
    part[:, 20:35], inside[20:35] = volume, 1
    part, inside = tf.constant(part[:, reach]), tf.constant(inside[reach])
    lines = [smoothed_line(sigmas[0], inside, slice(margin, margin + rows))]
    lines += lines_of(volume, sigmas)[1:]
    counted = slice(20 + max(start, 1), 20 + start + rows)  # what lies before is not asked for
    found = smooth_gradient(part, lines)[:, :, rows - (counted.stop - counted.start) :]
    np.testing.assert_allclose(found, whole[:, :, counted], atol=1e-12)


def test_a_whole_line_is_made_once_and_serves_any_graph():
    sigma, length = 1.5, 14
    line = whole_line(sigma, length, tf.float64)
    assert whole_line(sigma, length, tf.float64) is line
    wanted = smoothed_line(sigma, tf.ones([length], tf.float64))
    assert (line.kernel, line.rows, line.whole) == (wanted.kernel, wanted.rows, True)
    np.testing.assert_array_equal(line.counts, wanted.counts)
    np.testing.assert_array_equal(line.ends, wanted.ends)
    for _ in range(2):  # graphs of their own
        found = tf.function(lambda: whole_line(2.5, 9, tf.float64).ends)()
        np.testing.assert_array_equal(found, whole_line(2.5, 9, tf.float64).ends)
