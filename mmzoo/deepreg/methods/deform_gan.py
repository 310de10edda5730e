"""Method `deform-gan`: registration and translation that learn from each other.

Source: Deform-GAN (Zhang et al. 2020), Eq. 4-8. Transformation network T, generator G and
discriminator D take one step each in turn, D, G, T, the other two fixed, on the same pair (R, F):

    phi = T(F, R),  L_T = image(R, F o phi) + translated(R, G(F o phi)) + regularization(phi)

and D and G as `mmzoo.networks.translation.translator` says, source F o phi, target R.
Configuration, under `train.loss` (names from the registry; weight 0 or no section: not used):

    image:           {name: local-gradient, weight: 2}       beta of Eq. 5
    translated:      {name: local-correlation, weight: 1}
    regularization:  {name: diffusion, weight: 1}            alpha of Eq. 4
    label:           {name: dice, weight: 0}                 not in the paper

and `train.translator`, see `mmzoo.deepreg.methods.translation`. DeepReg's images are in [0, 1];
networks and losses get them as 2 I - 1, because G ends in a tanh and the local gradient's eps
presumes it. What is saved is in [0, 1] again.
Differs from the authors' code, which gives each of the three steps a pair of its own: one pair a
step, so that F o phi and G(F o phi) are computed once for D and G.
"""

import tensorflow as tf
from deepreg.model import optimizer as optimizers

from mmzoo.deepreg.methods.collapse import CollapseWatch
from mmzoo.deepreg.methods.one_way import OneWayDDFModel
from mmzoo.deepreg.methods.terms import LossTerms, build_loss
from mmzoo.deepreg.methods.translation import (
    build_translator,
    check_translator,
    read_translator,
)
from mmzoo.framework import keras
from mmzoo.layers.deformation import UNDEFORMED
from mmzoo.networks.translation.translator import Terms, minimise, penalty, weighted_sum

SECTIONS = ("image", "translated", "regularization", "label")


class DeformGANModel(OneWayDDFModel):
    """Predicts `ddf` on the fixed grid in voxels: pred_fixed_image(x) = moving(x + ddf(x)).

    T is the network of `train.backbone`, whose optimizer is `optimizer`; `translator` holds G and
    D with theirs. With `train.translator.save_translated` a prediction has `translated_image` too,
    G of the warped image.
    """

    method = "deform-gan"
    remedy = "use deform-gan-unet"
    check_config = staticmethod(check_translator)

    # === Model ===
    def build_model(self) -> keras.Model:
        """Build the Keras model of T, its inputs and outputs, and the translator.

        Raises:
            ValueError: moving and fixed images differ in size, or a setting of `train.translator`
                is wrong.
        """
        self.translator_settings = read_translator(self.config)
        self.translator = build_translator(self.translator_settings, self.fixed_image_size)
        return super().build_model()

    def predict_ddf(self, pair: tf.Tensor) -> tf.Tensor:
        """Return the output of T, whose input is in [-1, 1]."""
        return super().predict_ddf(signed(pair))

    def build_loss(self) -> None:
        """Build the terms of L_T and what logs them."""
        config = self.config["loss"]
        used = LossTerms(self._model, config)
        sections = SECTIONS if self.labeled else SECTIONS[:-1]
        self.losses_of_ddf = {s: build_loss(s, config[s]) for s in sections if used.active(s)}
        names = ["loss"]
        for section, (_, loss) in self.losses_of_ddf.items():
            names += [f"loss/{section}_{loss.name}", f"loss/{section}_{loss.name}_weighted"]
        self.trackers = {name: keras.metrics.Mean(name) for name in names}

    def compile(self, optimizer, **kwargs) -> None:
        """Set T's optimizer; G and D get the configured ones, or copies of it."""
        super().compile(optimizer=optimizer, **kwargs)
        with self.distribute_strategy.scope():
            own, others = ("generator_optimizer", "discriminator_optimizer"), []
            for key in own:
                settings = self.translator_settings.get(key)
                like_t = type(self.optimizer).from_config(self.optimizer.get_config())
                others.append(optimizers.build_optimizer(settings) if settings else like_t)
            self.translator.compile(others[0], discriminator_optimizer=others[1])

    def build_optimizers(self) -> None:
        """Create the variables of the three optimizers, into which a checkpoint is restored."""
        self.optimizer.build(self._model.trainable_variables)
        self.translator.build_optimizers()

    # === Training ===
    def fit(self, *args, callbacks=None, **kwargs):
        """Train as `keras.Model.fit` does, and watch for a collapse."""
        # First in the list, so that a failed training saves no checkpoint.
        return super().fit(*args, callbacks=[CollapseWatch(), *(callbacks or [])], **kwargs)

    def train_step(self, data) -> dict:
        """Make one step of D, one of G and one of T; return the logs."""
        inputs, aligned = self._unpack(data)
        fixed = signed(inputs["fixed_image"])[..., None]
        warped = signed(self._model(inputs, training=True)["pred_fixed_image"])[..., None]
        logs = self.translator.train_step((warped, fixed, aligned))
        with tf.GradientTape() as tape:
            terms = self._terms(inputs, self._model(inputs, training=True))
            loss = weighted_sum(terms) + penalty(self._model)
        minimise(self.optimizer, tape, loss, self._model.trainable_variables)
        return {**self._log(loss, terms), **logs}

    def test_step(self, data) -> dict:
        """Return the logs of a pair without learning from it."""
        inputs, aligned = self._unpack(data)
        outputs = self._model(inputs, training=False)
        fixed = signed(inputs["fixed_image"])[..., None]
        warped = signed(outputs["pred_fixed_image"])[..., None]
        logs = self.translator.test_step((warped, fixed, aligned))
        terms = self._terms(inputs, outputs)
        return {**self._log(weighted_sum(terms) + penalty(self._model), terms), **logs}

    def _unpack(self, data) -> tuple[dict, tf.Tensor]:
        """Return T's inputs, and F before its deformation (none in validation)."""
        inputs = dict(keras.utils.unpack_x_y_sample_weight(data)[0])
        aligned = inputs.pop(UNDEFORMED, inputs["moving_image"])
        return inputs, signed(aligned)[..., None]

    def pair_loss(self, inputs: dict, outputs: dict) -> tf.Tensor:
        """Return L_T of a pair and the penalty on T's weights, a scalar."""
        return weighted_sum(self._terms(inputs, outputs)) + penalty(self._model)

    def _terms(self, inputs: dict, outputs: dict) -> Terms:
        """Return weight and value of each term of L_T (Eq. 4 and 5)."""
        fixed, warped = signed(inputs["fixed_image"]), signed(outputs["pred_fixed_image"])
        compared = {"image": (fixed, warped), "regularization": (outputs["ddf"],)}
        if "translated" in self.losses_of_ddf:
            compared["translated"] = (fixed, self.translator(warped[..., None])[..., 0])
        if self.labeled:
            compared["label"] = (inputs["fixed_label"], outputs["pred_fixed_label"])
        return {
            section: (weight, tf.reduce_mean(loss.call(*compared[section])))
            for section, (weight, loss) in self.losses_of_ddf.items()
        }

    def _log(self, loss: tf.Tensor, terms: Terms) -> dict:
        self.trackers["loss"].update_state(loss)
        for section, (weight, value) in terms.items():
            name = f"loss/{section}_{self.losses_of_ddf[section][1].name}"
            self.trackers[name].update_state(value)
            self.trackers[f"{name}_weighted"].update_state(weight * value)
        return {name: tracker.result() for name, tracker in self.trackers.items()}

    # === Prediction ===
    def call(self, inputs: dict, training=None, mask=None) -> dict:
        """Return the outputs of T, and the translated image if it is asked for."""
        outputs = dict(self._model(inputs, training=training))
        if self.translator_settings.get("save_translated"):
            warped = signed(outputs["pred_fixed_image"])[..., None]
            outputs["translated_image"] = (self.translator(warped)[..., 0] + 1) / 2
        return outputs

    def postprocess(self, inputs: dict, outputs: dict):
        """Return the indices and what `deepreg_predict` saves: (tensor, normalise, on_label)."""
        indices, processed = super().postprocess(inputs=inputs, outputs=outputs)
        if "translated_image" in outputs:
            processed["translated_image"] = (outputs["translated_image"], True, False)
        return indices, processed


def signed(images: tf.Tensor) -> tf.Tensor:
    """Return images of [0, 1] in [-1, 1]."""
    return 2 * images - 1
