"""Filters along axes against SciPy and against their own statements."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from mmzoo.ops.filters import box_sum, gaussian_kernel, gaussian_smooth, resize
from mmzoo.ops.matrices import convolution_matrix


@pytest.mark.parametrize(("sigma", "length"), [(1.0, 7), (1.5, 9), (3.0, 19), (0.3, 1)])
def test_kernel_has_the_authors_tail_and_sums_to_one(sigma, length):
    kernel = gaussian_kernel(sigma)
    assert len(kernel) == length and kernel.sum() == pytest.approx(1)
    if length > 1:
        ratio = np.exp(-0.5 / sigma**2)
        assert kernel[length // 2 + 1] / kernel[length // 2] == pytest.approx(ratio)


def test_matrix_shifts_the_right_way_and_sees_zeros_outside():
    shifted = convolution_matrix(np.array([0.0, 0.0, 1.0]), 4) @ np.array([1.0, 2.0, 3.0, 4.0])
    np.testing.assert_array_equal(shifted, [2, 3, 4, 0])


@pytest.mark.parametrize("sigmas", [(1.0, 1.0, 1.0), (1.5, 0.5, 3.0)])
def test_smoothing_agrees_with_scipy_on_unequal_axes(sigmas):
    volume = np.random.default_rng(0).normal(size=(2, 3, 9, 14, 6))
    expected = volume.copy()
    for axis, sigma in zip((2, 3, 4), sigmas, strict=True):
        kernel = gaussian_kernel(sigma)
        expected = ndimage.convolve1d(expected, kernel, axis=axis, mode="constant")
    smoothed = gaussian_smooth(tf.constant(volume), sigmas)
    np.testing.assert_allclose(smoothed, expected, atol=1e-12)


def test_a_sigma_of_zero_leaves_all_as_it_is():
    volume = tf.random.normal((1, 4, 5, 6))
    np.testing.assert_array_equal(gaussian_smooth(volume, (0, 0, 0)), volume)


@pytest.mark.parametrize("shape", [(8, 6, 10), (4, 3, 5), (7, 5, 3), (12, 18, 20)])
def test_resize_agrees_with_tensorflow_axis_by_axis(shape):
    volume = np.random.default_rng(1).normal(size=(2, 4, 6, 5, 3)).astype(np.float32)
    step = tf.image.resize(volume.reshape(8, 6, 5, 3), shape[1:])
    step = tf.reshape(step, (2, 4, shape[1] * shape[2] * 3, 1))
    expected = tf.image.resize(step, (shape[0], shape[1] * shape[2] * 3))
    expected = tf.reshape(expected, (2, *shape, 3))
    np.testing.assert_allclose(resize(tf.constant(volume), shape), expected, atol=1e-5)


def test_resize_keeps_the_value_of_a_constant_and_a_ramp_inside():
    ramp = np.arange(8.0)[None, :, None, None, None] * np.ones((1, 8, 4, 4, 2))
    resized = resize(tf.constant(ramp), (16, 8, 4)).numpy()
    np.testing.assert_allclose(resized[0, 1:-1, 3, 2, 1], np.arange(1, 15) / 2 - 0.25)


@pytest.mark.parametrize("window", [1, 3, 5, 7, 9, 13])
def test_a_window_s_sum_agrees_with_convolutions_of_ones_also_past_the_volume(window):
    volume = np.random.default_rng(2).normal(size=(2, 3, 9, 4, 6))
    expected = volume
    for axis in (2, 3, 4):
        expected = ndimage.convolve1d(expected, np.ones(window), axis=axis, mode="constant")
    np.testing.assert_allclose(box_sum(tf.constant(volume), window), expected, atol=1e-12)


@pytest.mark.parametrize("shape", [(8, 6, 10), (7, 5, 3)])
def test_resize_is_the_same_in_a_graph_for_any_size(shape):
    volume = np.random.default_rng(1).normal(size=(2, 4, 6, 5, 3)).astype(np.float32)
    signature = [tf.TensorSpec((None,) * 4 + (3,)), tf.TensorSpec((3,), tf.int32)]
    graph = tf.function(lambda v, s: resize(v, tf.unstack(s)), input_signature=signature)
    np.testing.assert_allclose(graph(volume, shape), resize(tf.constant(volume), shape), atol=1e-6)


@pytest.mark.parametrize("window", [1, 2, 5, 6])
@pytest.mark.parametrize("padded", [(-3, -2, -1), (-2,), ()])
def test_the_gradient_of_a_box_sum_counts_the_windows_that_hold_a_voxel(window, padded):
    draws = np.random.default_rng(window)
    volume = tf.constant(draws.random((2, 9, 7, 8)))
    with tf.GradientTape() as tape:
        tape.watch(volume)
        sums = box_sum(volume, window, padded)
        upstream = draws.random(sums.shape)
    expected = np.zeros(volume.shape)
    starts = [-((window - 1) // 2) if axis in padded else 0 for axis in (-3, -2, -1)]
    for place in np.ndindex(*sums.shape[1:]):
        ranges = [range(p + s, p + s + window) for p, s in zip(place, starts, strict=True)]
        held = [[i for i in r if 0 <= i < n] for r, n in zip(ranges, volume.shape[1:], strict=True)]
        expected[(slice(None), *np.ix_(*held))] += upstream[(slice(None), *place)][
            :, None, None, None
        ]
    np.testing.assert_allclose(tape.gradient(sums, volume, upstream), expected, atol=1e-12)
