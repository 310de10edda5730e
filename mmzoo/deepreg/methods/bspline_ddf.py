"""Method `bspline-ddf`: the network predicts control points, a cubic B-spline makes the field.

Source: de Vos et al. 2020 (and 2017, 2019): DIRNet, its spatial transformer, and

    L = L_sim(F, M o u) + alpha bending(u)

Configuration: a backbone that says its `grid_spacing`, such as `dirnet`; the rest as in
`mmzoo.deepreg.methods.one_way`.
"""

import tensorflow as tf

from mmzoo.deepreg.methods.one_way import OneWayDDFModel
from mmzoo.layers import BSplineField


class BSplineDDFModel(OneWayDDFModel):
    """Predicts `ddf` on the fixed grid in voxels: pred_fixed_image(x) = moving(x + ddf(x))."""

    method = "bspline-ddf"

    def predict_ddf(self, pair: tf.Tensor) -> tf.Tensor:
        """Return the B-spline of the backbone's control points.

        Raises:
            ValueError: the backbone predicts no control points.
        """
        backbone = self.build_backbone()
        if not hasattr(backbone, "grid_spacing"):
            raise ValueError(
                "bspline-ddf needs a backbone that predicts control points and says their "
                f"`grid_spacing`, got {self.config['backbone']['name']!r}; use dirnet, or method "
                "direct-ddf for a dense field."
            )
        return BSplineField(self.fixed_image_size, backbone.grid_spacing)(backbone(pair))
