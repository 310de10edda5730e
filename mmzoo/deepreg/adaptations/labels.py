"""Adaptation: all labels of a pair in each training step, instead of a random one.

DeepReg draws one label a step. A mean over all labels, or a mask of all bones, needs all of them: a
method with `all_labels` gets them as channels. Prediction stays DeepReg's: one sample a label, or
none.
"""

import numpy as np
import tensorflow as tf

from mmzoo.deepreg.adaptations.wrapping import arguments_of, last_results, wrapping
from mmzoo.deepreg.preflight.configuration import method_of

LABELS = ("moving_label", "fixed_label")


def hand_over_all_labels(interface) -> None:
    """Let a loader with `all_labels` give label arrays (dim1, dim2, dim3, num_labels)."""
    loader_class, generator_class = interface.DataLoader, interface.GeneratorDataLoader
    loader_class.all_labels = False

    @wrapping(loader_class, "get_dataset_and_preprocess")
    def get_dataset_and_preprocess(original, self, *args, all_labels=False, **kwargs):
        self.all_labels = all_labels and self.labeled
        return original(self, *args, **kwargs)

    @wrapping(generator_class, "get_dataset")
    def get_dataset(original, self):
        if not self.all_labels:
            return original(self)
        signature = {
            **dict.fromkeys(("moving_image", "fixed_image"), tf.TensorSpec([None] * 3)),
            **dict.fromkeys(LABELS, tf.TensorSpec([None] * 4)),
            "indices": tf.TensorSpec([self.num_indices]),
        }
        return tf.data.Dataset.from_generator(self.data_generator, output_signature=signature)

    @wrapping(generator_class, "sample_image_label")
    def sample_image_label(original, self, **given):
        if not self.all_labels:
            yield from original(self, **given)
            return
        self.validate_images_and_labels(**given)
        indices = given.pop("image_indices")
        for name in LABELS:
            label = given[name]
            given[name] = label[..., None] if label.ndim == 3 else label
        yield {**given, "indices": np.asarray([*indices, 0], np.float32)}

    @wrapping(interface, "resize_inputs")
    def resize_inputs(original, inputs, moving_image_size, fixed_image_size):
        inputs = dict(inputs)
        sizes = {"moving_label": moving_image_size, "fixed_label": fixed_image_size}
        channels = {
            name: _resize_channels(inputs.pop(name), size)
            for name, size in sizes.items()
            if name in inputs and len(inputs[name].shape) == 4
        }
        return {**original(inputs, moving_image_size, fixed_image_size), **channels}


def _resize_channels(labels: tf.Tensor, size) -> tf.Tensor:
    """Resize (dim1, dim2, dim3, num_labels) as DeepReg does each label.

    Labels that have the size already are returned as they are: transposing takes as long as
    reading.
    """
    from deepreg.model.layer_util import resize3d

    def resized():
        return tf.transpose(resize3d(tf.transpose(labels, [3, 0, 1, 2]), size), [1, 2, 3, 0])

    has_size = tf.reduce_all(tf.equal(tf.shape(labels)[:3], size))
    return tf.ensure_shape(tf.cond(has_size, lambda: labels, resized), [*size, None])


def ask_for_all_labels(train_module) -> None:
    """Ask the loaders of a training for all labels where the method says that it takes them."""
    built = last_results(train_module, "build_config")

    @wrapping(train_module, "build_dataset")
    def build_dataset(original, *args, **kwargs):
        given = arguments_of(original, args, kwargs)
        wanted = method_of(built[0]["train"]).all_labels
        given["preprocess_config"] = {**given["preprocess_config"], "all_labels": wanted}
        return original(**given)
