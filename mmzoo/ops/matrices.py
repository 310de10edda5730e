"""Matrices of filters along one axis of a volume: what `apply_along_axes` multiplies by."""

import functools

import numpy as np
import tensorflow as tf

from mmzoo.ops.grid import are_known


def convolution_matrix(kernel: np.ndarray, length: int) -> np.ndarray:
    """Return M (length, length) with M @ v = the kernel applied to v, zeros beyond both ends."""
    tail = len(kernel) // 2
    offset = np.arange(length)[None, :] - np.arange(length)[:, None]
    inside = np.abs(offset) <= tail
    return np.where(inside, kernel[np.clip(offset + tail, 0, 2 * tail)], 0.0)


def resize_matrix(length, new_length):
    """Return M (new_length, length) that resizes a line linearly, voxel centres aligned.

    New voxel i lies at (i + 0.5) * length / new_length - 0.5; edge values are repeated outside. An
    array, or a tensor where one of the lengths is a scalar tensor; float64.
    """
    ops = np if are_known(length, new_length) else tf
    old, new = line(length), line(new_length)
    length, new_length = (real(n) for n in (length, new_length))
    position = (new + 0.5) * length / new_length - 0.5
    position = ops.minimum(ops.maximum(position, 0), length - 1)
    return ops.maximum(1 - ops.abs(position[:, None] - old[None, :]), 0)


def mean_matrix(length, times):
    """Return M (length, length): the mean of a value and its two neighbours, so many times.

    Beyond both ends of the line its outermost values go on. An array, or a tensor where the length
    is a scalar tensor; float64.
    """
    ops = np if are_known(length) else tf
    at, last = line(length), real(length) - 1
    neighbours = (ops.minimum(ops.maximum(at + step, 0), last) for step in (-1, 0, 1))
    each = [ops.maximum(1 - ops.abs(to[:, None] - at[None, :]), 0) for to in neighbours]
    mean = (each[0] + each[1] + each[2]) / 3
    return functools.reduce(ops.matmul, [mean] * times)


def line(length):
    """Return 0, 1, ... length - 1 in float64: an array, or a tensor where the length is one."""
    if are_known(length):
        return np.arange(length, dtype=np.float64)
    return tf.range(tf.cast(length, tf.float64), dtype=tf.float64)


def real(number):
    """Return a number as it is, a scalar tensor in float64."""
    return tf.cast(number, tf.float64) if tf.is_tensor(number) else number
