"""Base of the methods that predict one dense field: model, loss terms, configuration.

Under `train.loss` the sections `image`, `regularization` and `label`, as for DeepReg's `ddf`. Every
term is the mean over the batch, logged by its name.
Differs from DeepReg's `ddf`: the warp repeats edge values, where DeepReg's gives zero on the first
plane of each axis (a sixth of a patch of 6 slices), and a regulariser is not divided by the batch
size twice.
"""

import tensorflow as tf
from deepreg.model.network import DDFModel

from mmzoo.checks import check_one_size
from mmzoo.deepreg.methods.base import Method
from mmzoo.deepreg.methods.terms import LossTerms
from mmzoo.framework import keras
from mmzoo.layers import Warp


class OneWayDDFModel(Method, DDFModel):
    """Predicts `ddf` on the fixed grid in voxels: pred_fixed_image(x) = moving(x + ddf(x))."""

    remedy = ""  # what to do where the backbone predicts no dense field

    def predict_ddf(self, pair: tf.Tensor) -> tf.Tensor:
        """Return the field (batch, dim1, dim2, dim3, 3) of moving and fixed image side by side.

        Raises:
            ValueError: the backbone's output is no field of the image's size.
        """
        ddf = self.build_backbone()(inputs=pair)
        wanted = (*self.fixed_image_size, 3)
        if tuple(ddf.shape[1:]) != wanted:
            raise ValueError(
                f"{self.method} needs a backbone that predicts a field {wanted}, got "
                f"{tuple(ddf.shape[1:])} from {self.config['backbone']['name']!r}; {self.remedy}."
            )
        return ddf

    def build_model(self) -> keras.Model:
        """Build the Keras model of all inputs and outputs.

        Raises:
            ValueError: moving and fixed images differ in size.
        """
        check_one_size(self.method, self.moving_image_size, self.fixed_image_size)
        self._inputs = self.build_inputs()
        moving, fixed = self._inputs["moving_image"], self._inputs["fixed_image"]
        ddf = self.predict_ddf(self.concat_images(moving, fixed))
        warp = Warp()
        self._outputs = {"ddf": ddf, "pred_fixed_image": warp([moving, ddf])}
        if self.labeled:
            self._outputs["pred_fixed_label"] = warp([self._inputs["moving_label"], ddf])
        return keras.Model(inputs=self._inputs, outputs=self._outputs)

    def build_loss(self) -> None:
        """Add the terms of `train.loss`."""
        terms = LossTerms(self._model, self.config["loss"])
        inputs, outputs = self._inputs, self._outputs
        if terms.active("regularization"):
            terms.add("regularization", "regularization", outputs["ddf"])
        for kind in ("image", "label") if self.labeled else ("image",):
            if terms.active(kind):
                terms.add(kind, kind, inputs[f"fixed_{kind}"], outputs[f"pred_fixed_{kind}"])
