"""Method `rigidity-ddf`: a dense field with a rigidity penalty inside labelled bones.

Source: van Ulsen 2022, Eq. 4.7-4.10, all of which are sums of these terms under `train.loss`
(names from the registry; weight 0 or no section: not used):

    image:           {name: mi, weight: 0.5}         1 - lambda (1 without labels), L_I
    label:           {name: dice, weight: 0.5}       lambda, L_S: the mean over the labels
    regularization:  {name: gradient, weight: 2}     gamma_1, L_R
    rigidity:        {name: rigidity, weight: 0.4}   gamma_2, L_RP over all labels together

In training the model sees all labels of a pair at once (`all_labels`), in prediction one or none:
the network takes the images alone. A label that is empty in one of the two images is left out of
the mean. Differs from the thesis: that last rule; the warp repeats edge values; and see
`mmzoo.losses.rigidity`.
"""

from mmzoo.deepreg.methods.labels_ddf import LabelsDDFModel
from mmzoo.deepreg.methods.terms import LossTerms


class RigidityDDFModel(LabelsDDFModel):
    """Predicts `ddf` on the fixed grid in voxels: pred_fixed_image(x) = moving(x + ddf(x)).

    Labels are (batch, dim1, dim2, dim3), or with a channel a label. `pred_fixed_label` has the
    channels of the labels.
    """

    method = "rigidity-ddf"
    needs_labels = ("label", "rigidity")
    remedy = "use additive-unet"

    def add_terms(self, terms: LossTerms) -> None:
        """Add the terms of Eq. 4.10."""
        if self.labeled and terms.active("rigidity"):
            ddf = self._outputs["ddf"]
            terms.add("rigidity", "rigidity", self._inputs["moving_label"], ddf)
        super().add_terms(terms)
