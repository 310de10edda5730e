"""Tensor functions under the adaptations.

The golden numbers were printed by plain DeepReg 0.1.2 on TensorFlow 2.3.1, NumPy 1.18.5 and Python
3.8 for the inputs below, as sum, sum of squares and the elements 7, 11 and -9.
"""

import numpy as np
import pytest
import tensorflow as tf
from deepreg.dataset import preprocess
from deepreg.model import layer_util
from deepreg.registry import REGISTRY


def counted(*shape):
    return np.arange(np.prod(shape)).reshape(shape)


VOL = np.cos(0.7 * counted(2, 5, 6, 7)).astype("float32")
LOC = np.stack([3.1 + 3 * np.sin(0.3 * counted(2, 4, 4, 4) + k) for k in range(3)], axis=-1)
LOC = LOC.astype("float32")
DDF = (1.5 * np.sin(0.11 * counted(2, 5, 6, 7, 3))).astype("float32")
TWO_CHANNELS = np.stack([VOL, VOL**2], axis=-1)

GOLDEN = {
    "resample": (
        lambda: layer_util.resample(vol=tf.constant(VOL), loc=tf.constant(LOC)),
        (0.7592597715556622, 10.511198138270828),
        (0.0, 0.2880711, -0.4365965),
    ),
    "resample channels": (
        lambda: layer_util.resample(vol=tf.constant(TWO_CHANNELS), loc=tf.constant(LOC)),
        (28.461189430207014, 25.46468163247821),
        (0.0, 0.0, 0.4912654),
    ),
    "resample to the border": (
        lambda: layer_util.resample(tf.constant(VOL), tf.constant(LOC), zero_boundary=False),
        (-2.071467738598585, 39.06275425957378),
        (0.6838534, 0.2880711, -0.4365965),
    ),
    "warp": (
        lambda: layer_util.warp_image_ddf(tf.constant(VOL), tf.constant(DDF), grid_ref=None),
        (3.1901620079297572, 27.695736441945016),
        (-0.3430463, 0.0, 0.3737723),
    ),
    "affine of seed 5": (
        lambda: layer_util.gen_rand_affine_transform(batch_size=3, scale=0.2, seed=5),
        (7.494332004338503, 7.032912018645466),
        (0.03823211, -0.02167778, 0.03032574),
    ),
    "ddf of seed 5": (
        lambda: layer_util.gen_rand_ddf(2, (6, 7, 8), 2, (3, 3, 3), seed=5),
        (76.5768955659587, 1401.6249840171981),
        (1.69309, -0.1812929, -0.1614437),
    ),
}


@pytest.mark.parametrize("case", GOLDEN)
def test_values_are_those_of_tensorflow_2_3(case):
    compute, (total, squares), elements = GOLDEN[case]
    got = np.asarray(compute(), "float64")
    np.testing.assert_allclose(got.sum(), total, rtol=1e-5)
    np.testing.assert_allclose((got**2).sum(), squares, rtol=1e-5)
    np.testing.assert_allclose(got.ravel()[[7, 11, -9]], elements, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("vol", [VOL, TWO_CHANNELS], ids=["plain", "channels"])
def test_unknown_batch_size_gives_the_values_of_a_known_one(vol):
    signature = [tf.TensorSpec([None, *array.shape[1:]]) for array in (vol, LOC)]
    traced = tf.function(layer_util.resample, input_signature=signature)
    expected = layer_util.resample(tf.constant(vol), tf.constant(LOC))
    np.testing.assert_array_equal(traced(vol, LOC), expected)


def test_unknown_batch_size_keeps_the_gradient():
    def gradient(vol, loc):
        with tf.GradientTape() as tape:
            tape.watch(loc)
            total = tf.reduce_sum(layer_util.resample(vol, loc) ** 2)
        return tape.gradient(total, loc)

    signature = [tf.TensorSpec([None, *array.shape[1:]]) for array in (VOL, LOC)]
    traced = tf.function(gradient, input_signature=signature)
    expected = gradient(tf.constant(VOL), tf.constant(LOC))
    assert float(tf.norm(expected)) > 1
    np.testing.assert_allclose(traced(VOL, LOC), expected, rtol=1e-6)


def test_error_messages_are_those_of_deepreg_for_an_unknown_batch_size():
    @tf.function(input_signature=[tf.TensorSpec([None, 5]), tf.TensorSpec([None, 4, 3])])
    def wrong_rank(vol, loc):
        return layer_util.resample(vol, loc)

    with pytest.raises(ValueError, match=r"inconsistent with loc vol.shape = \(None, 5\)"):
        wrong_rank.get_concrete_function()
    with pytest.raises(ValueError, match="resample supports only linear interpolation"):
        layer_util.resample(tf.constant(VOL), tf.constant(LOC), interpolation="nearest")


def test_preprocessing_and_warping_use_the_adapted_resample():
    assert preprocess.resample is layer_util.resample
    assert preprocess.gen_rand_affine_transform is layer_util.gen_rand_affine_transform


@pytest.mark.parametrize("name", ["affine", "ddf"])
def test_every_batch_is_augmented_anew(name):
    defaults = {"moving_image_size": (8, 8, 8), "fixed_image_size": (8, 8, 8), "batch_size": 1}
    augment = REGISTRY.build_data_augmentation({"name": name}, default_args=defaults)
    image = tf.constant(np.random.default_rng(0).random((1, 8, 8, 8), dtype="float32"))
    sample = {"moving_image": image, "fixed_image": image, "indices": tf.zeros((1, 2))}
    batches = list(tf.data.Dataset.from_tensors(sample).repeat(3).map(augment))
    moving = [batch["moving_image"].numpy() for batch in batches]
    assert not np.array_equal(moving[0], moving[1])
    assert not np.array_equal(moving[1], moving[2])
    assert not np.array_equal(moving[0], batches[0]["fixed_image"].numpy())


def test_drawn_affine_moves_each_corner_towards_the_centre_by_at_most_the_scale():
    theta = layer_util.gen_rand_affine_transform(batch_size=500, scale=0.3).numpy()
    corners = np.array([[-1, -1, -1, 1], [-1, -1, 1, 1], [-1, 1, -1, 1], [1, -1, -1, 1]])
    kept = (corners @ theta) / corners[:, :3]  # (500, 4, 3): uniform in [0.7, 1]
    assert 0.7 - 1e-5 <= kept.min() < 0.71
    assert 0.99 < kept.max() <= 1 + 1e-5
    np.testing.assert_allclose(kept.mean(axis=0), 0.85, atol=0.02)
    np.testing.assert_allclose(kept.std(axis=0), 0.3 / np.sqrt(12), atol=0.01)


def test_drawn_ddf_has_the_moments_of_deepregs_distribution():
    # strength s ~ U(0, f) per axis, field s * N(0, 1): variance E[s^2] = f^2 / 3.
    drawn = layer_util.gen_rand_ddf(4000, (1, 1, 1), field_strength=3, low_res_size=(1, 1, 1))
    drawn = drawn.numpy()
    assert drawn.shape == (4000, 1, 1, 1, 3)
    np.testing.assert_allclose(drawn.mean(axis=(0, 1, 2, 3)), 0, atol=0.15)
    np.testing.assert_allclose(drawn.var(axis=(0, 1, 2, 3)), 3.0, rtol=0.15)


def test_scale_outside_zero_to_one_is_refused_as_before():
    with pytest.raises(AssertionError):
        layer_util.gen_rand_affine_transform(batch_size=1, scale=1.5)
