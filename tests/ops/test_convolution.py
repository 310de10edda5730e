"""Convolutions to few channels against sums over taps in float64, value and gradients."""

import numpy as np
import pytest
import tensorflow as tf

from mmzoo.ops import histogram
from mmzoo.ops.compiled import uncompiled
from mmzoo.ops.convolution import conv3d


def draw(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape)


def by_taps(volume, kernel, upstream):
    """Return the convolution, and its gradients by volume and kernel."""
    size, reach = kernel.shape[:3], [(n - 1) // 2 for n in kernel.shape[:3]]
    padded = np.pad(
        volume, [(0, 0), *((r, n - 1 - r) for r, n in zip(reach, size, strict=True)), (0, 0)]
    )
    value, by_volume, by_kernel = 0.0, np.zeros_like(padded), np.zeros_like(kernel)
    for tap in np.ndindex(*size):
        place = tuple(slice(t, t + n) for t, n in zip(tap, volume.shape[1:4], strict=True))
        moved = padded[(slice(None), *place)]
        value = value + moved @ kernel[tap]
        by_volume[(slice(None), *place)] += upstream @ kernel[tap].T
        by_kernel[tap] = np.einsum("bxyzc,bxyzo->co", moved, upstream)
    inside = tuple(slice(r, r + n) for r, n in zip(reach, volume.shape[1:4], strict=True))
    return value, by_volume[(slice(None), *inside)], by_kernel


@pytest.mark.parametrize(
    "dims, size, channels, filters",
    [
        ((5, 6, 8), (7, 7, 7), 2, 4),
        ((4, 3, 12), (3, 3, 3), 4, 4),
        ((4, 3, 8), (3, 5, 1), 3, 6),
        ((3, 5, 4), (3, 3, 3), 16, 3),
        ((3, 5, 7), (3, 3, 3), 2, 3),  # the last axis is not whole fours
        ((3, 5, 8), (3, 3, 2), 2, 3),  # an even kernel
        ((3, 5, 8), (3, 3, 3), 6, 5),
    ],
)
def test_value_and_gradients_are_those_of_the_sum_over_taps(dims, size, channels, filters):
    volume, kernel = draw(2, *dims, channels), draw(*size, channels, filters)
    upstream = draw(2, *dims, filters)
    given = [tf.constant(v, tf.float32) for v in (volume, kernel)]
    with tf.GradientTape() as tape:
        tape.watch(given)
        value = conv3d(*given)
    found = value, *tape.gradient(value, given, tf.constant(upstream, tf.float32))
    for ours, wanted in zip(found, by_taps(volume, kernel, upstream), strict=True):
        np.testing.assert_allclose(ours, wanted, atol=1e-5 * np.abs(wanted).max())


def kinds_of(function, *tensors):
    graph = tf.function(function).get_concrete_function(*tensors).graph
    return [o.get_attr("strides") for o in graph.get_operations() if o.type == "Conv3D"]


def test_four_voxels_are_one_but_not_in_plain_graphs_nor_on_a_gpu(monkeypatch):
    given = tf.zeros((1, 4, 4, 8, 2)), tf.zeros((3, 3, 3, 2, 4))
    assert kinds_of(conv3d, *given) == [[1, 1, 1, 4, 1]]
    with uncompiled():
        assert kinds_of(conv3d, *given) == [[1] * 5]
    monkeypatch.setattr(histogram, "on_gpu", lambda: True)
    assert kinds_of(conv3d, *given) == [[1] * 5]
