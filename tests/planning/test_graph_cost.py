import pytest
import tensorflow as tf

from mmzoo.planning.graph_cost import cost_of, multiply_adds

VOLUME = tf.TensorSpec((1, 8, 9, 10, 2))
BYTES = 4 * 8 * 9 * 10 * 2


def traced(function, *specs, compiled=None):
    concrete = tf.function(function, jit_compile=compiled).get_concrete_function(*specs)
    return concrete.graph, tuple(concrete.outputs)


def test_a_tensor_lives_until_it_is_last_read():
    # Sorting cannot reuse its input: of three in a row two live at once.
    graph, results = traced(lambda v: tf.cumsum(tf.cumsum(tf.cumsum(v))), VOLUME)
    assert cost_of(graph, results).peak_bytes == 2 * BYTES


def test_what_is_read_later_is_kept():
    def function(v):
        a, b, c = tf.cumsum(v, 1), tf.cumsum(v, 2), tf.cumsum(v, 3)
        return tf.concat([c, b, a], axis=-1)

    graph, results = traced(function, VOLUME)
    assert cost_of(graph, results).peak_bytes == 6 * BYTES  # the three, and their concatenation


def test_views_and_elementwise_operations_take_nothing_more():
    graph, results = traced(lambda v: tf.reshape(tf.exp(tf.cumsum(v)) + 1.0, [-1]), VOLUME)
    assert cost_of(graph, results).peak_bytes == BYTES


def test_what_no_result_needs_is_left_out():
    def function(v):
        tf.tile(v, [9, 1, 1, 1, 1])
        return tf.cumsum(v)

    graph, results = traced(function, VOLUME)
    assert cost_of(graph, results).peak_bytes == BYTES


def test_a_gradient_keeps_what_it_needs_of_the_value():
    def gradient(v):
        with tf.GradientTape() as tape:
            tape.watch(v)
            total = v
            for _ in range(5):
                total = tf.sin(total)
        return tape.gradient(total, v)

    graph, results = traced(gradient, VOLUME)
    # Four sines and their cosines or the gradients so far; the fifth is never read.
    assert 5 * BYTES <= cost_of(graph, results).peak_bytes <= 11 * BYTES


def test_a_compiled_function_keeps_no_elementwise_tensor():
    @tf.function(jit_compile=True)
    def inner(v):
        return tf.reduce_sum((v * 2.0) ** 2 + tf.exp(v) * v)

    graph, results = traced(lambda v: inner(v), VOLUME)
    cost = cost_of(graph, results)
    assert cost.peak_bytes < BYTES / 10
    assert cost.compiled_bytes > 5 * BYTES
    assert cost.moved_bytes < BYTES / 10


@pytest.mark.parametrize("of_gradient", [False, True])
def test_multiply_adds_of_a_convolution(of_gradient):
    kernel = tf.TensorSpec((3, 3, 3, 2, 4))

    def function(v, k):
        with tf.GradientTape() as tape:
            tape.watch([v, k])
            out = tf.nn.conv3d(v, k, [1, 2, 2, 2, 1], "SAME")
        return tape.gradient(out, [v, k]) if of_gradient else out

    graph, results = traced(function, VOLUME, kernel)
    one = (4 * 5 * 5) * (27 * 2 * 4)  # voxels of the output, numbers of the kernel
    assert cost_of(graph, results).multiply_adds == one * (2 if of_gradient else 1)


def test_multiply_adds_of_products():
    a, b = tf.TensorSpec((5, 7)), tf.TensorSpec((5, 3))
    graph, _ = traced(lambda a, b: tf.matmul(a, b, transpose_a=True), a, b)
    assert sum(map(multiply_adds, graph.get_operations())) == 7 * 5 * 3
    a, b = tf.TensorSpec((2, 5, 7)), tf.TensorSpec((2, 7, 3))
    graph, _ = traced(tf.matmul, a, b)
    assert sum(map(multiply_adds, graph.get_operations())) == 2 * 5 * 7 * 3


def test_a_loop_over_rows_counts_once_a_row():
    def function(rows):
        return tf.map_fn(lambda row: tf.matmul(row, row), rows)

    graph, results = traced(function, tf.TensorSpec((6, 4, 4)), compiled=True)
    assert cost_of(graph, results, compiled=True).multiply_adds == 6 * 4**3
