"""TensorFlow's warning of retracing: for functions traced anew, not for many traced once each."""

import pytest
import tensorflow as tf
from tensorflow.python.platform import tf_logging

from mmzoo.ops.compiled import compiled, recomputed, traced


@pytest.fixture
def warned(monkeypatch):
    """What TensorFlow says of retracing, as of a program that has just begun."""
    from tensorflow.python.eager.polymorphic_function import polymorphic_function

    said = []
    monkeypatch.setattr(tf_logging, "warning", lambda text, *rest: said.append(text % rest))
    manager = type(polymorphic_function._frequent_tracing_detector_manager)
    monkeypatch.setattr(polymorphic_function, "_frequent_tracing_detector_manager", manager())
    return said


def test_many_pieces_that_are_traced_once_each_are_no_retracing(warned):
    pieces = [compiled(lambda x, k=k: x * k + x**2) for k in range(6)]
    pieces += [recomputed(piece) for piece in pieces]
    pieces += [traced(recomputed(compiled(lambda x, k=k: x - k))) for k in range(6)]
    x = tf.constant([1.0, 2.0])
    for k, piece in enumerate(pieces):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = piece(x)
        slope = 1.0 if k >= 12 else k % 6 + 2 * x
        tf.debugging.assert_near(tape.gradient(y, x), slope * tf.ones_like(x))
    assert warned == []


def test_a_piece_whose_inputs_change_is_told_of(warned):
    piece = compiled(lambda x: x**2)
    for n in range(3, 10):
        piece(tf.ones(n))
    assert any("triggered tf.function retracing" in text for text in warned)


def test_a_traced_function_keeps_its_name():
    @traced(jit_compile=True)
    def doubled(x):
        return 2 * x

    assert b"doubled" in doubled.get_concrete_function(tf.TensorSpec([2])).name
