"""Adaptation of which labels of a pair a training sees: one drawn at random, or all at once.

DeepReg draws one label a step. A mean over all labels, or a mask of all bones together, cannot be
had from one of them; a method that says `all_labels` gets them as channels. Prediction stays
DeepReg's: one sample a label, or none.
"""

import functools
import inspect

import numpy as np
import tensorflow as tf

from mmzoo.deepreg.preflight.configuration import method_of

LABELS = ("moving_label", "fixed_label")


def hand_over_all_labels(interface) -> None:
    """Let a loader that is asked for `all_labels` give (dim1, dim2, dim3, num_labels) each."""
    loader_class, generator_class = interface.DataLoader, interface.GeneratorDataLoader
    build = loader_class.get_dataset_and_preprocess
    get_dataset, sample = generator_class.get_dataset, generator_class.sample_image_label
    resize = interface.resize_inputs
    loader_class.all_labels = False

    @functools.wraps(build)
    def get_dataset_and_preprocess(self, *args, all_labels=False, **kwargs):
        self.all_labels = all_labels and self.labeled
        return build(self, *args, **kwargs)

    @functools.wraps(get_dataset)
    def get_all(self):
        if not self.all_labels:
            return get_dataset(self)
        signature = {
            **dict.fromkeys(("moving_image", "fixed_image"), tf.TensorSpec([None] * 3)),
            **dict.fromkeys(LABELS, tf.TensorSpec([None] * 4)),
            "indices": tf.TensorSpec([self.num_indices]),
        }
        return tf.data.Dataset.from_generator(self.data_generator, output_signature=signature)

    @functools.wraps(sample)
    def sample_all(self, **given):
        if not self.all_labels:
            yield from sample(self, **given)
            return
        self.validate_images_and_labels(**given)
        indices = given.pop("image_indices")
        for name in LABELS:
            label = given[name]
            given[name] = label[..., None] if label.ndim == 3 else label
        yield {**given, "indices": np.asarray([*indices, 0], np.float32)}

    @functools.wraps(resize)
    def resize_inputs(inputs, moving_image_size, fixed_image_size):
        inputs = dict(inputs)
        sizes = {"moving_label": moving_image_size, "fixed_label": fixed_image_size}
        channels = {
            name: _resize_channels(inputs.pop(name), size)
            for name, size in sizes.items()
            if name in inputs and len(inputs[name].shape) == 4
        }
        return {**resize(inputs, moving_image_size, fixed_image_size), **channels}

    loader_class.get_dataset_and_preprocess = get_dataset_and_preprocess
    generator_class.get_dataset, generator_class.sample_image_label = get_all, sample_all
    interface.resize_inputs = resize_inputs


def _resize_channels(labels: tf.Tensor, size) -> tf.Tensor:
    """Resize (dim1, dim2, dim3, num_labels) as DeepReg does each label.

    Labels that have the size already are not touched: turning them there and back takes as long as
    reading them.
    """
    from deepreg.model.layer_util import resize3d

    def resized():
        return tf.transpose(resize3d(tf.transpose(labels, [3, 0, 1, 2]), size), [1, 2, 3, 0])

    has_size = tf.reduce_all(tf.equal(tf.shape(labels)[:3], size))
    return tf.ensure_shape(tf.cond(has_size, lambda: labels, resized), [*size, None])


def ask_for_all_labels(train_module) -> None:
    """Ask the loaders of a training for all labels where the method says that it takes them."""
    build_config, build_dataset = train_module.build_config, train_module.build_dataset
    wanted: dict = {}  # of the run whose configuration was read last

    @functools.wraps(build_config)
    def build_config_and_note(*args, **kwargs):
        result = build_config(*args, **kwargs)
        wanted["all_labels"] = method_of(result[0]["train"]).all_labels
        return result

    @functools.wraps(build_dataset)
    def build_dataset_and_ask(*args, **kwargs):
        given = inspect.signature(build_dataset).bind(*args, **kwargs).arguments
        given["preprocess_config"] = {**given["preprocess_config"], **wanted}
        return build_dataset(**given)

    train_module.build_config = build_config_and_note
    train_module.build_dataset = build_dataset_and_ask
