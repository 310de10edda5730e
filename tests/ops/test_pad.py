"""Padding to a multiple, against NumPy's own edge padding."""

import numpy as np
import pytest
import tensorflow as tf

from mmzoo.ops.pad import check_can_be_halved, cut_back, pad_to_multiple


@pytest.mark.parametrize(
    ("shape", "steps"), [((5, 7, 4), (4, 2, 1)), ((1, 3, 2), (16, 16, 3)), ((6, 4, 9), (5, 4, 2))]
)
def test_each_axis_goes_on_with_its_last_values_to_the_next_multiple(shape, steps):
    volume = np.random.default_rng(0).random((2, *shape, 2))
    missing = [(0, -dim % step) for dim, step in zip(shape, steps, strict=True)]
    expected = np.pad(volume, [(0, 0), *missing, (0, 0)], mode="edge")
    np.testing.assert_array_equal(pad_to_multiple(tf.constant(volume), steps), expected)
    unknown = tf.TensorSpec((None,) * 4 + (2,), tf.float64)
    graph = tf.function(lambda v: pad_to_multiple(v, steps), input_signature=[unknown])
    np.testing.assert_array_equal(graph(volume), expected)


def test_what_fits_is_returned_as_it_is():
    volume = tf.zeros((1, 8, 4, 3, 1))
    assert pad_to_multiple(volume, (4, 2, 1)) is volume


def test_the_gradient_of_a_border_value_counts_its_copies():
    volume = tf.zeros((1, 3, 1, 1, 1))
    with tf.GradientTape() as tape:
        tape.watch(volume)
        total = tf.reduce_sum(pad_to_multiple(volume, (4, 2, 1)))
    np.testing.assert_array_equal(tape.gradient(total, volume)[0, :, 0, 0, 0], [2, 2, 4])


@pytest.mark.parametrize("known", [True, False])
def test_cutting_back_undoes_it_whatever_the_channels(known):
    volume = np.random.default_rng(0).random((2, 5, 7, 4, 2))
    shape = volume.shape[1:4] if known else (None,) * 3
    signature = [tf.TensorSpec((2, *shape, 2), tf.float64)]
    graph = tf.function(
        lambda v: cut_back(pad_to_multiple(v, (4, 2, 3))[..., :1], v), input_signature=signature
    )
    np.testing.assert_array_equal(graph(volume), volume[..., :1])


def test_a_volume_that_cannot_be_halved_is_refused_whether_its_size_is_known_or_not():
    volume = tf.zeros((1, 8, 12, 16, 2))
    check_can_be_halved("this", volume, 2)
    with pytest.raises(ValueError, match=r"this halves .* multiple of 8, got \(8, 12, 16\)"):
        check_can_be_halved("this", volume, 3)
    graph = tf.function(
        lambda v: check_can_be_halved("this", v, 3),
        input_signature=[tf.TensorSpec((None,) * 4 + (2,))],
    )
    graph(volume[:, :, :8])
    with pytest.raises(tf.errors.InvalidArgumentError, match="this halves .* multiple of 8"):
        graph(volume)
