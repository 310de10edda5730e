"""Adaptations of DeepReg's tensor functions, `deepreg.model.layer_util`."""

import tensorflow as tf

from mmzoo.deepreg.adaptations.wrapping import wrapping
from mmzoo.layers.augmentation import random_affine


def accept_unknown_batch(layer_util) -> None:
    """Let `resample` take a batch whose size is not known when the graph is built.

    Keras no longer keeps the static batch size of validation and prediction data (their last batch
    may be smaller), and `resample` builds a range of that size. Such a batch is resampled sample by
    sample, each with the static size 1, so every value and every error message stays DeepReg's.
    """

    @wrapping(layer_util, "resample")
    def resample(original, vol, loc, interpolation="linear", zero_boundary=True):
        fits = loc.shape[-1] in (len(vol.shape) - 1, len(vol.shape) - 2)
        if vol.shape[0] is not None or interpolation != "linear" or not fits:
            return original(vol, loc, interpolation, zero_boundary)
        return tf.map_fn(
            lambda pair: original(pair[0][None], pair[1][None], interpolation, zero_boundary)[0],
            (vol, loc),
            fn_output_signature=vol.dtype,
        )


def draw_affine_per_batch(layer_util) -> None:
    """Let every batch be augmented with its own affine transform.

    `gen_rand_affine_transform` draws with NumPy, but augmentation calls it inside `Dataset.map`,
    where it runs once, when the graph is traced: all batches get the same transform. Drawing with
    TensorFlow makes it an operation of the graph, of the same distribution, that follows the seed
    of the run. With an integer seed NumPy's values stay.
    """

    @wrapping(layer_util, "gen_rand_affine_transform")
    def gen_rand_affine_transform(original, batch_size, scale, seed=None):
        if seed is not None or not 0 <= scale <= 1:
            return original(batch_size, scale, seed)
        return random_affine(batch_size, scale)  # moves the same four corners


def draw_ddf_per_batch(layer_util) -> None:
    """Let every batch be augmented with its own displacement field.

    As `draw_affine_per_batch`: `gen_rand_ddf` draws with NumPy as well.
    """

    @wrapping(layer_util, "gen_rand_ddf")
    def gen_rand_ddf(original, batch_size, image_size, field_strength, low_res_size, seed=None):
        if seed is not None:
            return original(batch_size, image_size, field_strength, low_res_size, seed)
        strength = tf.random.uniform([batch_size, 1, 1, 1, 3], 0, field_strength, dtype=tf.float32)
        field = strength * tf.random.normal([batch_size, *low_res_size, 3])
        return layer_util.resize3d(field, image_size)
