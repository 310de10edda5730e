"""Method `rigidity-ddf`: a dense field that is held rigid inside labelled bones.

Source: van Ulsen 2022, Eq. 4.7-4.10, all of which are sums of these terms under `train.loss`
(names from the registry; weight 0 or no section: not used):

    image:           {name: mi, weight: 0.5}         1 - lambda (1 without labels), L_I
    label:           {name: dice, weight: 0.5}       lambda, L_S: the mean over the labels
    regularization:  {name: gradient, weight: 2}     gamma_1, L_R
    rigidity:        {name: rigidity, weight: 0.4}   gamma_2, L_RP over all labels together

In training the model sees all labels of a pair at once (`all_labels`), in prediction one or none:
the network takes the images alone. A label that is empty in one of the two images says nothing of
how they fit; it does not count in the mean.
Differs from the thesis: that last rule; the warp continues border values; and see
`mmzoo.losses.rigidity`.
"""

from __future__ import annotations

import functools

import tensorflow as tf
import tf_keras as keras

from mmzoo.deepreg.methods.one_way import OneWayDDFModel
from mmzoo.deepreg.methods.pair import build_dense_field
from mmzoo.deepreg.methods.terms import LossTerms
from mmzoo.ops.filters import weighted_mean

SIDES = ("moving", "fixed")


class RigidityDDFModel(OneWayDDFModel):
    """Predicts `ddf` on the fixed grid in voxels: pred_fixed_image(x) = moving(x + ddf(x)).

    Labels are (batch, dim1, dim2, dim3), or with a channel a label. `pred_fixed_label` has the
    channels of the labels.
    """

    method = "rigidity-ddf"
    all_labels = True
    needs_labels = ("label", "rigidity")

    def build_inputs(self) -> dict:
        """Return DeepReg's inputs, labels with a channel axis."""
        inputs = super().build_inputs()
        for side in SIDES if self.labeled else ():
            shape = (*getattr(self, f"{side}_image_size"), None)
            name = f"{side}_label"
            inputs[name] = keras.Input(shape=shape, batch_size=self.batch_size, name=name)
        return inputs

    def predict_ddf(self, pair: tf.Tensor) -> tf.Tensor:
        """Return the backbone's output.

        Raises:
            ValueError: it is no field of the image's size.
        """
        return build_dense_field(self, pair, method=self.method, remedy="use additive-unet")

    def build_loss(self) -> None:
        """Add the terms of Eq. 4.10."""
        terms = LossTerms(self._model, self.config["loss"], self.num_devices)
        inputs, outputs = self._inputs, self._outputs
        if terms.active("regularization"):
            terms.add("regularization", "regularization", outputs["ddf"])
        if terms.active("image"):
            terms.add("image", "image", inputs["fixed_image"], outputs["pred_fixed_image"])
        if self.labeled and terms.active("rigidity"):
            terms.add("rigidity", "rigidity", inputs["moving_label"], outputs["ddf"])
        if self.labeled and terms.active("label"):
            labels = inputs["fixed_label"], outputs["pred_fixed_label"]
            in_both = present(inputs["moving_label"]) * present(inputs["fixed_label"])
            mean = functools.partial(weighted_mean, weights=in_both, axis=0)
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


def one_a_row(labels: tf.Tensor) -> tf.Tensor:
    """Return labels (batch, dim1, dim2, dim3, n) as a batch of (batch * n, dim1, dim2, dim3)."""
    dims = labels.shape[1:4]
    return tf.reshape(tf.transpose(labels, [0, 4, 1, 2, 3]), [-1, *dims])


def present(labels: tf.Tensor) -> tf.Tensor:
    """Return 1 for each label that is somewhere, else 0: (batch * n,), ordered as `one_a_row`."""
    return tf.reshape(tf.cast(tf.reduce_max(labels, axis=(1, 2, 3)) > 0, labels.dtype), [-1])
