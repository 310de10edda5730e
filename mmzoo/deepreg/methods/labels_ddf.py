"""Method `labels-ddf`: a dense field, trained on all labels of a pair at once.

Source: SynthMorph (Hoffmann et al. 2022), Eq. 4: mean soft Dice of the structures and diffusion of
the field; the network sees the images, but the loss does not compare them:

    L = L_dice(L_F, L_M o u) + lambda L_smooth(u)

    label:           {name: dice, weight: 1}        the mean over the labels; `every: 2`: of each
                                                    second voxel an axis, from a place drawn anew
    regularization:  {name: diffusion, weight: 1}   lambda
    image:           a similarity of the images may be added

In training the model sees all labels of a pair at once (`all_labels`), in prediction one or none:
the network takes the images alone. A label that is empty in one of the two images is left out of
the mean of its pair. All pairs of a batch have equal weight.
"""

import functools

import tensorflow as tf

from mmzoo.deepreg.methods.one_way import OneWayDDFModel
from mmzoo.deepreg.methods.terms import LossTerms
from mmzoo.framework import keras
from mmzoo.ops.compiled import compiled
from mmzoo.ops.filters import weighted_mean
from mmzoo.ops.grid import dims_of, reference_grid
from mmzoo.ops.warp import sample

SIDES = ("moving", "fixed")


class LabelsDDFModel(OneWayDDFModel):
    """Predicts `ddf` on the fixed grid in voxels: pred_fixed_image(x) = moving(x + ddf(x)).

    Labels are (batch, dim1, dim2, dim3), or with a channel a label. `pred_fixed_label` has the
    channels of the labels.
    """

    method = "labels-ddf"
    all_labels = True
    needs_labels: tuple[str, ...] = ("label",)
    loss_settings = ("every",)
    remedy = "use synthmorph or voxelmorph"

    def build_inputs(self) -> dict:
        """Return DeepReg's inputs, labels with a channel axis."""
        inputs = super().build_inputs()
        for side in SIDES if self.labeled else ():
            shape = (*getattr(self, f"{side}_image_size"), None)
            name = f"{side}_label"
            inputs[name] = keras.Input(shape=shape, batch_size=self.batch_size, name=name)
        return inputs

    def build_loss(self) -> None:
        """Add the terms of `train.loss`."""
        self.add_terms(LossTerms(self._model, self.config["loss"]))

    def add_terms(self, terms: LossTerms) -> None:
        """Add regularisation, similarity and overlap."""
        inputs, outputs = self._inputs, self._outputs
        if terms.active("regularization"):
            terms.add("regularization", "regularization", outputs["ddf"])
        if terms.active("image"):
            terms.add("image", "image", inputs["fixed_image"], outputs["pred_fixed_image"])
        if self.labeled and terms.active("label"):
            every = self.config["loss"]["label"].get("every", 1)
            labels = inputs["fixed_label"], outputs["pred_fixed_label"]
            if every > 1:
                labels = Thinned(every)([labels[0], inputs["moving_label"], outputs["ddf"]])
            in_both = present(inputs["moving_label"]) * present(inputs["fixed_label"])
            mean = functools.partial(mean_of_pairs, in_both=in_both)
            terms.add("label", "label", *map(one_a_row, labels), mean=mean)

    def call(self, inputs: dict, training=None, mask=None) -> dict:
        """Return the outputs of a pair; a label without channels is one channel."""
        inputs = dict(inputs)
        for name in [f"{side}_label" for side in SIDES if self.labeled]:
            if len(inputs[name].shape) == 4:
                inputs[name] = inputs[name][..., None]
        return self._model(inputs, training=training, mask=mask)

    def postprocess(self, inputs: dict, outputs: dict):
        """Return the indices and what `deepreg_predict` saves: (tensor, normalise, on_label)."""
        indices, processed = super().postprocess(inputs, outputs)
        if self.labeled:  # one label at a time, as the inputs of a prediction have it
            label, *how = processed["pred_fixed_label"]
            processed["pred_fixed_label"] = (label[..., 0], *how)
        return indices, processed


class Thinned(keras.layers.Layer):
    """Fixed and warped labels on a subset of the voxels, for a fraction of the time.

    Input: fixed and moving labels (batch, dim1, dim2, dim3, n) and the ddf. Output: fixed and
        warped labels at every `every`-th voxel along each axis of the fixed grid, from a random
        first one, so that all voxels count over the steps.
    """

    def __init__(self, every: int, **kwargs):
        super().__init__(**kwargs)
        self.every = every

    def call(self, inputs):
        """Return fixed and warped labels."""
        fixed, moving, ddf = inputs
        grid = tf.cast(reference_grid(dims_of(ddf)), ddf.dtype)
        first = tf.unstack(tf.random.uniform((3,), 0, self.every, tf.int32))
        i, j, k = (slice(start, None, self.every) for start in first)
        return fixed[:, i, j, k], _sample(moving, grid[i, j, k] + ddf[:, i, j, k])


_sample = compiled(sample)


def one_a_row(labels: tf.Tensor) -> tf.Tensor:
    """Return labels (batch, dim1, dim2, dim3, n) as a batch of (batch * n, dim1, dim2, dim3)."""
    return tf.reshape(tf.transpose(labels, [0, 4, 1, 2, 3]), [-1, *dims_of(labels)])


def present(labels: tf.Tensor) -> tf.Tensor:
    """Return 1 for each label that is not empty, else 0: (batch, n)."""
    return tf.cast(tf.reduce_max(labels, axis=(1, 2, 3)) > 0, labels.dtype)


def mean_of_pairs(values: tf.Tensor, in_both: tf.Tensor) -> tf.Tensor:
    """Return the mean over pairs of the mean over the labels that are in both images.

    Args:
        values: of each label, (batch * n,), ordered as `one_a_row`.
        in_both: 1 where it counts, else 0, (batch, n).
    """
    of_pairs = weighted_mean(tf.reshape(values, tf.shape(in_both)), in_both, axis=1)
    return tf.reduce_mean(of_pairs)
