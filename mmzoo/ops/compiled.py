"""Running a tensor function under XLA, its gradient too, keeping nothing in between."""

import contextlib
import contextvars
import functools
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf
from tensorflow.python.eager import record  # of what tapes watch there is no public word

from mmzoo.framework import KerasTensor, keras

_uncompiled = contextvars.ContextVar("uncompiled", default=False)


def traced(function: Callable | None = None, *, jit_compile: bool | None = None) -> Any:
    """Return a `tf.function` of a function whose `if` and `for` are Python's; also a decorator.

    AutoGraph's search for those on tensors took most of the time until a first value.

    TensorFlow counts how often a function is traced anew, and warns, by the code in which it is
    written. Functions that one factory makes, each traced once, are written in the same code: here
    each is counted by itself, so that the warning means a function whose inputs change.

    Args:
        function: of tensors.
        jit_compile: whether XLA compiles it.
    """
    if function is None:
        return functools.partial(traced, jit_compile=jit_compile)
    own = functools.partial(function)
    own.__name__ = getattr(function, "__name__", type(function).__name__)  # type: ignore
    return tf.function(own, autograph=False, jit_compile=jit_compile)


@contextlib.contextmanager
def uncompiled() -> Iterator[None]:
    """Trace plain TensorFlow operations within this context: no XLA, no custom gradients.

    For graphs that other programs run, which may support neither. The values are the same.
    """
    token = _uncompiled.set(True)
    try:
        yield
    finally:
        _uncompiled.reset(token)


def is_plain() -> bool:
    """Say whether what is traced now is to hold plain operations alone, as in `uncompiled`."""
    return _uncompiled.get()


def is_recorded(tensor: tf.Tensor) -> bool:
    """Say whether a gradient tape watches a tensor: whether its gradient may be asked for.

    A function's graph that is traced outside of the tape does not know: false there.
    """
    return record.should_record_backprop([tensor])


def symbolic(function: Callable[..., tf.Tensor]) -> Callable[..., tf.Tensor]:
    """Let a function of tensors take symbolic Keras tensors too, as DeepReg's models are built.

    Keras records plain operations on such tensors by itself, but not functions with a gradient
    of their own: those become a layer here.
    """

    @functools.wraps(function)
    def call(*tensors):
        if any(isinstance(tensor, KerasTensor) for tensor in tensors):
            return keras.layers.Lambda(lambda inputs: function(*inputs))(list(tensors))
        return function(*tensors)

    return call


def compiled(function: Callable[..., tf.Tensor]) -> Callable[..., tf.Tensor]:
    """Compile a function of tensors, and its gradient with respect to each of them.

    The gradient recomputes the function inside one compiled piece. A value and a gradient that
    are compiled apart would pass every intermediate volume through memory, which takes longer than
    computing them again, and fills the memory in training. The gradient with respect to each tensor
    is a separate piece, so that a graph leaves out those that are not used.

    Use it on element-wise functions, shifts, matrix products and gathers; not on convolutions,
    which XLA runs very slowly on a CPU.

    Args:
        function: of tensors only; differentiable; returns one tensor.

    Returns:
        The compiled function, to be called with the same tensors by position.
    """
    value = traced(function, jit_compile=True)

    def gradient_of(index: int) -> Callable:
        @traced(jit_compile=True)
        def gradient(tensors, upstream):
            with tf.GradientTape() as tape:
                tape.watch(tensors[index])
                output = function(*tensors)
            zero = tf.UnconnectedGradients.ZERO
            return tape.gradient(output, tensors[index], upstream, unconnected_gradients=zero)

        return gradient

    gradients: list = []

    @tf.custom_gradient
    def compiled_call(*tensors):
        while len(gradients) < len(tensors):
            gradients.append(gradient_of(len(gradients)))
        return value(*tensors), lambda upstream: [
            gradients[i](tensors, upstream) for i in range(len(tensors))
        ]

    @symbolic
    def call(*tensors):
        return function(*tensors) if is_plain() else compiled_call(*tensors)

    return call


def compiled_forward(function: Callable) -> Callable:
    """Compile a function of tensors for its value; what a gradient needs of it is stored.

    For pieces of what networks take as given, through which no gradient passes. It may return
    several tensors; each is computed from the inputs anew, so let a piece end where its result is
    needed more than once.
    """
    value = traced(function, jit_compile=True)

    @functools.wraps(function)
    def call(*tensors):
        return function(*tensors) if is_plain() else value(*tensors)

    return call


def recomputed(function: Callable[..., tf.Tensor]) -> Callable[..., tf.Tensor]:
    """Let the gradient of a function recompute it, storing nothing in between.

    For a function of several pieces, such as `compiled` ones and matrix products: the intermediate
    volumes between them would otherwise be stored from value to gradient.

    Args:
        function: of tensors only; differentiable; returns one tensor.

    Returns:
        The function, to be called with the same tensors by position.
    """

    @symbolic
    @tf.custom_gradient
    def call(*tensors):
        tensors = [tf.stop_gradient(tensor) for tensor in tensors]

        def back(upstream):
            # Tied to the upstream gradient, else the graph would be simplified to the first run.
            with tf.control_dependencies([upstream]):
                again = [tf.identity(tensor) for tensor in tensors]
            with tf.GradientTape() as tape:
                tape.watch(again)
                output = function(*again)
            zero = tf.UnconnectedGradients.ZERO
            return tape.gradient(output, again, upstream, unconnected_gradients=zero)

        return function(*tensors), back

    return call
