"""Method `bspline-ddf`: the network predicts control points, a cubic B-spline makes the field.

Source: de Vos et al. 2020 (and 2017, 2019): DIRNet, its spatial transformer, and

    L = L_sim(F, M o u) + alpha bending(u)

Configuration: a backbone that says its `grid_spacing`, such as `dirnet`, and under `train.loss`
the sections `image`, `regularization` and `label` as for DeepReg's `ddf`. Every term is the mean
over the batch, logged by its name.
Differs from DeepReg's `ddf`: the warp continues border values, and a regulariser is not divided by
the batch size once more.
"""

from __future__ import annotations

import tf_keras as keras
from deepreg.model.network import DDFModel

from mmzoo.layers import BSplineField, Warp
from mmzoo.models.pair import build_backbone, check_one_size
from mmzoo.models.progress import OneLineProgress
from mmzoo.models.terms import LossTerms


class BSplineDDFModel(OneLineProgress, DDFModel):
    """Predicts `ddf` on the fixed grid in voxels: pred_fixed_image(x) = moving(x + ddf(x))."""

    def build_model(self) -> keras.Model:
        """Build the Keras model of all inputs and outputs.

        Raises:
            ValueError: moving and fixed images differ in size, or the backbone predicts no control
                points.
        """
        check_one_size(self, "bspline-ddf")
        self._inputs = self.build_inputs()
        moving, fixed = self._inputs["moving_image"], self._inputs["fixed_image"]
        backbone = build_backbone(self)
        if not hasattr(backbone, "grid_spacing"):
            raise ValueError(
                "bspline-ddf needs a backbone that predicts control points and says their "
                f"`grid_spacing`, got {self.config['backbone']['name']!r}; use dirnet, or method "
                "ddf for a dense field."
            )
        coefficients = backbone(self.concat_images(moving, fixed))
        ddf = BSplineField(self.fixed_image_size, backbone.grid_spacing)(coefficients)
        warp = Warp()
        self._outputs = {"ddf": ddf, "pred_fixed_image": warp([moving, ddf])}
        if self.labeled:
            self._outputs["pred_fixed_label"] = warp([self._inputs["moving_label"], ddf])
        return keras.Model(inputs=self._inputs, outputs=self._outputs)

    def build_loss(self) -> None:
        """Add the terms of `train.loss`."""
        terms = LossTerms(self._model, self.config["loss"], self.num_devices)
        inputs, outputs = self._inputs, self._outputs
        if terms.active("regularization"):
            terms.add("regularization", "regularization", outputs["ddf"])
        for kind in ("image", "label") if self.labeled else ("image",):
            if terms.active(kind):
                terms.add(kind, kind, inputs[f"fixed_{kind}"], outputs[f"pred_fixed_{kind}"])
