"""DeepReg's pieces give the same with the fast ones beneath.

Each fast method wraps DeepReg's own, which the tests call by `__wrapped__`. Values in double
precision, since DeepReg's sums over a volume in single precision are themselves off by 1e-5.
"""

import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from deepreg.loss import deform, image
from deepreg.model import layer, layer_util

from mmzoo.deepreg.adaptations.acceleration import PIECES
from mmzoo.deepreg.adaptations.acceleration.lncc import factors
from mmzoo.framework import keras

SHAPES = [(2, 7, 9, 6), (1, 12, 5, 10)]


def volume(shape, seed=0):
    return tf.constant(np.random.default_rng(seed).random(shape))


def field(shape, scale=1.0, dtype=tf.float64):
    return tf.constant(np.random.default_rng(1).normal(scale=scale, size=(*shape, 3)), dtype)


def value_and_gradients(function, *tensors):
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = function(*tensors)
        weights = tf.reshape(tf.range(1, 1 + tf.size(value)), tf.shape(value))
        total = tf.reduce_sum(value * tf.cast(weights, value.dtype))
    return [value, *tape.gradient(total, tensors)]


def assert_same(fast, plain, *tensors, rtol=1e-9):
    for ours, theirs in zip(
        value_and_gradients(fast, *tensors), value_and_gradients(plain, *tensors), strict=True
    ):
        scale = float(tf.reduce_max(tf.abs(theirs)))
        np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=rtol * scale)


def plain_call(loss):
    call = type(loss).call
    while not hasattr(call, "__wrapped__"):  # DeepReg's own classes inherit it
        call = next(base.call for base in type(loss).__mro__ if hasattr(base.call, "__wrapped__"))
    return lambda *tensors: call.__wrapped__(loss, *tensors)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    "loss",
    [deform.BendingEnergy(), deform.GradientNorm(), deform.GradientNorm(l1=True)],
    ids=["bending", "gradient", "gradient l1"],
)
def test_regularisers_keep_value_and_gradient(loss, shape):
    assert_same(loss.call, plain_call(loss), field(shape))


@pytest.mark.parametrize("loss", [deform.BendingEnergy(), deform.GradientNorm()])
def test_fields_that_are_too_small_are_taken_as_deepreg_takes_them(loss):
    """A mean of nothing: such a network can be built, a training is refused before it starts."""
    assert np.isnan(loss.call(field((1, 2, 4, 6)))) and np.isnan(
        plain_call(loss)(field((1, 2, 4, 6)))
    )


@pytest.mark.parametrize(
    "kernel, size, shape",
    [
        ("rectangular", 4, SHAPES[0]),
        ("rectangular", 5, (*SHAPES[1], 2)),
        ("triangular", 4, (*SHAPES[0], 2)),
        ("triangular", 5, SHAPES[1]),
        ("gaussian", 4, (*SHAPES[1], 1)),
        ("gaussian", 5, (*SHAPES[0], 2)),
    ],
)
def test_local_correlation_keeps_value_and_gradient(kernel, size, shape):
    loss = image.LocalNormalizedCrossCorrelation(kernel_size=size, kernel_type=kernel)
    # About zero: with DeepReg's volume of the Gaussian, variances of others are next to nothing.
    first, second = volume(shape) - 0.5, volume(shape, 1) - 0.5
    assert_same(loss.call, plain_call(loss), first, second, rtol=1e-5)


@pytest.mark.parametrize("shape", [SHAPES[0], (*SHAPES[1], 2)])
def test_mutual_information_keeps_value_and_gradient(shape):
    loss = image.GlobalMutualInformation(num_bins=11, sigma_ratio=0.7)
    first, second = volume(shape) * 1.2 - 0.1, volume(shape, 1)  # some outside the range
    assert_same(loss.call, plain_call(loss), first, second, rtol=1e-5)


@pytest.mark.parametrize("zero_boundary, channels", [(True, None), (True, 1), (False, 3)])
def test_resample_keeps_value_and_gradient(zero_boundary, channels):
    shape = (2, 5, 6, 7)
    moving = volume(shape if channels is None else (*shape, channels))
    points = field((2, 4, 3, 5), scale=4.0) + 2.5  # inside, outside and, below, on planes
    points = tf.concat([points, tf.round(points)], axis=1)

    def run(resample):
        return lambda vol, loc: resample(vol, loc, zero_boundary=zero_boundary)

    plain = layer_util.resample.__wrapped__
    assert_same(run(layer_util.resample), run(plain), moving, points)


def test_the_first_planes_stay_zero_as_deepreg_has_them():
    moving = volume((1, 4, 5, 6)) + 1.0
    warped = layer_util.warp_image_ddf(tf.cast(moving, tf.float32), tf.zeros((1, 4, 5, 6, 3)), None)
    assert not np.any(warped[:, 0]) and not np.any(warped[:, :, 0]) and not np.any(warped[..., 0])
    np.testing.assert_allclose(warped[:, 1:, 1:, 1:], moving[:, 1:, 1:, 1:], rtol=1e-6)


def test_points_of_other_dimensions_go_to_deepreg():
    flat, points = tf.ones((1, 4, 5)), tf.ones((1, 3, 2))
    np.testing.assert_array_equal(layer_util.resample(flat, points), np.ones((1, 3)))


def test_pieces_work_on_symbolic_tensors_and_in_data_pipelines():
    moving, ddf = keras.Input((4, 5, 6)), keras.Input((4, 5, 6, 3))
    warped = layer.Warping(fixed_image_size=(4, 5, 6))([ddf, moving])
    model = keras.Model([moving, ddf], warped)
    model.add_loss(image.LocalNormalizedCrossCorrelationLoss(kernel_size=3)(moving, warped))
    model.add_loss(image.GlobalMutualInformationLoss(num_bins=4)(moving, warped))
    model.add_loss(deform.GradientNorm()(ddf))
    values = [tf.cast(volume((3, 4, 5, 6)), tf.float32), field((3, 4, 5, 6), dtype=tf.float32)]
    expected = layer_util.warp_image_ddf(*values, None)
    np.testing.assert_allclose(model(values), expected, rtol=1e-6)
    assert len(model.losses) == 3 and np.all(np.isfinite(model.losses))
    data = tf.data.Dataset.from_tensors(tuple(values)).map(
        lambda image, ddf: layer_util.warp_image_ddf(image, ddf, None)
    )
    np.testing.assert_allclose(next(iter(data)), expected, rtol=1e-6)


def test_a_kernel_that_is_no_product_is_left_to_deepreg():
    assert (
        factors(np.random.default_rng(0).random((3, 3, 3, 1)) + np.eye(3)[..., None, None]) is None
    )
    box = factors(np.ones((4, 4, 4, 2)))
    assert box == ((1.0,) * 4,) * 3 + ((1.0, 1.0),)


def test_the_switch_leaves_deepreg_as_it_is():
    program = (
        "import mmzoo.deepreg; mmzoo.deepreg.activate()\n"
        "from deepreg.loss import deform, image\nfrom deepreg.model import layer_util\n"
        "calls = [deform.BendingEnergy.call, deform.GradientNorm.call,\n"
        "         image.LocalNormalizedCrossCorrelation.call, image.GlobalMutualInformation.call]\n"
        "print(sum(hasattr(call, '__wrapped__') for call in calls),\n"
        "      hasattr(layer_util.resample.__wrapped__, '__wrapped__'))"
    )
    counts = {}
    for switch in ("0", "1"):
        environment = {**os.environ, "MMZOO_ACCELERATE": switch}
        run = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, check=True
        )
        counts[switch] = run.stdout.split()
    assert counts == {"0": [b"0", b"False"], "1": [b"4", b"True"]}
    assert len(PIECES) == 5
