"""Compiled functions give the plain function's values and gradients."""

import numpy as np
import pytest
import tensorflow as tf

from mmzoo.framework import keras
from mmzoo.ops.compiled import compiled, recomputed, uncompiled


def plain(a, b):
    return tf.reduce_sum(tf.sin(a) * b**2, axis=1)


def gradients(function, a, b):
    with tf.GradientTape() as tape:
        tape.watch([a, b])
        value = tf.reduce_sum(function(a, b) * tf.constant([1.0, 2.0]))
    return [value, *tape.gradient(value, [a, b])]


@pytest.mark.parametrize(("wrap", "rtol"), [(compiled, 1e-5), (recomputed, 1e-6)])
def test_value_and_both_gradients_are_the_plain_function_s_eager_and_in_a_graph(wrap, rtol):
    a, b = tf.random.stateless_normal((2, 2, 5), (1, 2))
    expected = gradients(plain, a, b)
    wrapped = wrap(plain)
    for ours in (gradients(wrapped, a, b), tf.function(lambda: gradients(wrapped, a, b))()):
        for mine, theirs in zip(ours, expected, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=rtol)


def test_takes_symbolic_keras_tensors():
    inputs = [keras.Input((5,)), keras.Input((5,))]
    model = keras.Model(inputs, compiled(plain)(*inputs))
    a, b = tf.random.stateless_normal((2, 2, 5), (3, 4))
    np.testing.assert_allclose(model([a, b]), plain(a, b), rtol=1e-5)


def test_an_input_that_does_not_matter_gets_a_zero_gradient():
    _, grad_a, grad_b = gradients(compiled(lambda a, b: tf.reduce_sum(a, 1)), *tf.ones((2, 2, 5)))
    np.testing.assert_array_equal(grad_b, np.zeros((2, 5)))
    np.testing.assert_array_equal(grad_a[1], 2 * np.ones(5))


def test_recomputed_runs_the_function_once_more_for_the_gradient():
    runs = []

    def counted(a, b):
        runs.append(a)
        return plain(a, b)

    gradients(recomputed(counted), *tf.ones((2, 2, 5)))
    assert len(runs) == 2


def test_a_graph_that_is_traced_uncompiled_has_plain_operations_and_the_same_gradient():
    a, b = tf.random.stateless_normal((2, 2, 5), (1, 2))
    fast, spec = compiled(plain), tf.TensorSpec((2, 5))
    with uncompiled():
        graph = tf.function(fast).get_concrete_function(spec, spec)
        found = gradients(fast, a, b)
    kinds = {operation.type for operation in graph.graph.get_operations()}
    assert "Sin" in kinds and not kinds & {"PartitionedCall", "StatefulPartitionedCall"}
    for mine, theirs in zip(found, gradients(plain, a, b), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5)
    again = tf.function(fast).get_concrete_function(spec, spec)
    assert "Sin" not in {operation.type for operation in again.graph.get_operations()}
