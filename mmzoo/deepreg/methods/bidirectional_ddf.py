"""Method `bidirectional-ddf`: one network predicts the forward and the backward field.

Source: Ding et al. 2021 (MMRegNet), Eq. 1-3, 9 and 10:

    (U, V) = f(I_m, I_f)
    L = L_sim + lambda_1 L_cycle + lambda_2 (Psi(U) + Psi(V))

Configuration, under `train.loss` (names from the registry; weight 0 or no section: not used):

    image:           {name: segi, weight: 1, directions: both}     similarity
    cycle:           {weight: 0.1, directions: both}               Eq. 9
    regularization:  {name: bending, weight: 10}                   Psi, of both fields, summed
    label:           {name: dice, weight: 0, directions: both}     not in the paper

`directions: both` adds the term of fixed -> moving to that of moving -> fixed; `forward` is the
printed equation. Differs from the paper: both directions are the default, as in the authors' code
(their similarity is summed over both, their cycle covers both images).
"""

import tensorflow as tf

from mmzoo.checks import check_one_size
from mmzoo.deepreg.methods.base import Method
from mmzoo.deepreg.methods.terms import LossTerms
from mmzoo.framework import keras
from mmzoo.layers import Warp

FIELDS = 2


class BidirectionalDDFModel(Method):
    """Predicts `ddf` (on the fixed grid) and `backward_ddf` (on the moving grid), voxels.

    warped moving image: pred_fixed_image(x) = moving(x + ddf(x));
    warped fixed image: pred_moving_image(x) = fixed(x + backward_ddf(x)).
    Moving and fixed images have one size: both fields come from one network.
    """

    method = "bidirectional-ddf"
    loss_settings = ("directions",)

    def build_model(self) -> keras.Model:
        """Build the Keras model of all inputs and outputs.

        Raises:
            ValueError: moving and fixed images differ in size, or the backbone gives another
                number of channels than two fields have.
        """
        check_one_size(self.method, self.moving_image_size, self.fixed_image_size)
        self._inputs = self.build_inputs()
        moving, fixed = self._inputs["moving_image"], self._inputs["fixed_image"]
        ddf, backward_ddf = self._predict_fields(moving, fixed)

        warp = Warp()
        self._outputs = {
            "ddf": ddf,
            "backward_ddf": backward_ddf,
            "pred_fixed_image": warp([moving, ddf]),
            "pred_moving_image": warp([fixed, backward_ddf]),
        }
        if self.labeled:
            moving_label, fixed_label = self._inputs["moving_label"], self._inputs["fixed_label"]
            self._outputs["pred_fixed_label"] = warp([moving_label, ddf])
            self._outputs["pred_moving_label"] = warp([fixed_label, backward_ddf])
        return keras.Model(inputs=self._inputs, outputs=self._outputs)

    def _predict_fields(self, moving: tf.Tensor, fixed: tf.Tensor):
        backbone = self.build_backbone()
        fields = backbone(inputs=self.concat_images(moving, fixed))
        if fields.shape[-1] != 3 * FIELDS:
            raise ValueError(
                f"bidirectional-ddf needs a backbone of {3 * FIELDS} output channels, got "
                f"{fields.shape[-1]} from {self.config['backbone']['name']!r}; use mmregnet, or "
                f"set train.backbone.out_channels to {3 * FIELDS}."
            )
        return tf.split(fields, FIELDS, axis=-1)  # Eq. 1

    def build_loss(self) -> None:
        """Add the terms of Eq. 10."""
        terms = LossTerms(self._model, self.config["loss"])
        inputs, outputs = self._inputs, self._outputs
        if terms.active("regularization"):
            terms.add("regularization", "regularization", outputs["ddf"])
            terms.add("regularization", "regularization_backward", outputs["backward_ddf"])
        for kind in ("image", "label"):
            if not terms.active(kind) or (kind == "label" and not self.labeled):
                continue
            terms.add(kind, kind, inputs[f"fixed_{kind}"], outputs[f"pred_fixed_{kind}"])
            if terms.both_directions(kind):
                moving, warped = inputs[f"moving_{kind}"], outputs[f"pred_moving_{kind}"]
                terms.add(kind, f"{kind}_backward", moving, warped)
        if terms.active("cycle"):  # Eq. 9
            restored = Warp()([outputs["pred_fixed_image"], outputs["backward_ddf"]])
            terms.add("cycle", "cycle", inputs["moving_image"], restored)
            if terms.both_directions("cycle"):
                restored = Warp()([outputs["pred_moving_image"], outputs["ddf"]])
                terms.add("cycle", "cycle_backward", inputs["fixed_image"], restored)

    def postprocess(self, inputs: dict, outputs: dict):
        """Return the indices and what `deepreg_predict` saves: (tensor, normalise, on_label)."""
        images = ("moving_image", "fixed_image")
        predicted = ("ddf", "backward_ddf", "pred_fixed_image", "pred_moving_image")
        processed = {name: (inputs[name], True, False) for name in images}
        processed |= {name: (outputs[name], True, False) for name in predicted}
        if self.labeled:
            for name in ("moving_label", "fixed_label"):
                processed[name] = (inputs[name], False, True)
            for name in ("pred_fixed_label", "pred_moving_label"):
                processed[name] = (outputs[name], False, True)
        return inputs["indices"], processed
