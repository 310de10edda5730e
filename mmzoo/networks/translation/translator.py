"""The translator: generator, discriminator, and one step of training of each.

Source: Deform-GAN (Zhang et al. 2020), section 2 and Eq. 7, 8. With source S (the warped floating
image), target R and translation G(S), means over the batch:

    L_G = w_adv L_adv(G) + lambda |G(S) - R|_1 - mu LG(G(S), S)     (Eq. 8; lambda 100, mu 5)
    L_D = L_adv(D)

where LG is the similarity whose loss is `constraint`. Source and target need not be aligned: the
constraint keeps the edges of the translation where those of the source are. A conditional
discriminator (Eq. 7) sees S beside the translation and, beside the target, a source that is aligned
with it: the text of section 2.1 warns of one that is not.
Differs from the authors' code: both steps are on the same pair; the generator learns from the
discriminator with its normalisation's moving averages, so that nothing of it changes meanwhile.
"""

from __future__ import annotations

import tensorflow as tf

from mmzoo.checks import check_positive
from mmzoo.framework import check_same_keras, keras
from mmzoo.networks.translation.objectives import objective_of

PARTS = ("generator", "discriminator", "constraint")
Terms = dict[str, tuple[float, tf.Tensor]]  # name -> weight, value


@keras.saving.register_keras_serializable(package="mmzoo")
class Translator(keras.Model):
    """Trains on pairs (source, target), each (batch, dim1, dim2, dim3, 1) in [-1, 1].

    A conditional one trains on (source, target, aligned source) where source and target are not
    aligned.

        translator = Translator(UNetGenerator(), StridedDiscriminator())
        translator.compile(Adam(1e-4), discriminator_optimizer=Adam(1e-4))
        translator.fit(dataset)
        translated = translator(source)

    Logged: `generator_loss` and `discriminator_loss`; `discriminator_accuracy`, the share of real
    and translated images that are classified correctly; `generator_contrast`, the standard
    deviation of the translated image over that of the target; and each term of L_G without its
    weight and with it.
    """

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        objective: str = "cross-entropy",
        conditional: bool = False,
        adversarial_weight: float = 1.0,
        l1_weight: float = 100.0,
        constraint: keras.losses.Loss | None = None,
        constraint_weight: float = 5.0,
        name: str = "Translator",
    ):
        """Keep networks and settings.

        Args:
            generator: see `GENERATORS`.
            discriminator: see `DISCRIMINATORS`.
            objective: one of `OBJECTIVES`.
            conditional: whether the discriminator sees the source beside the image; false is the
                authors' code.
            adversarial_weight: of the objective in L_G.
            l1_weight: lambda.
            constraint: a loss of (source, translated) whose `call` returns (batch,); None for none.
            constraint_weight: mu.
            name: of the model.

        Raises:
            ValueError: an unknown objective, or a negative weight.
        """
        super().__init__(name=name)
        weights = (adversarial_weight, l1_weight, constraint_weight)
        for key, weight in zip(("adversarial", "l1", "constraint"), weights, strict=True):
            check_positive(f"{key}.weight", weight, allow_zero=True)
        self.generator = generator
        self.discriminator = discriminator
        self.objective_name = objective
        self.objective = objective_of(objective)
        self.conditional = conditional
        self.adversarial_weight = adversarial_weight
        self.l1_weight = l1_weight
        self.constraint = constraint if constraint_weight else None
        self.constraint_weight = constraint_weight
        self.trackers = self._build_trackers(objective)

    def _build_trackers(self, objective: str) -> dict[str, keras.metrics.Mean]:
        names = ["generator_loss", "discriminator_loss"]
        names += ["discriminator_accuracy", "generator_contrast"]
        self.log_names = {"adversarial": objective, "l1": "L1"}
        if self.constraint is not None:
            self.log_names["constraint"] = self.constraint.name
        for term, kind in self.log_names.items():
            names += [f"loss/generator-{term}_{kind}", f"loss/generator-{term}_{kind}_weighted"]
        return {name: keras.metrics.Mean(name) for name in names}

    def build_networks(self, image_size) -> None:
        """Create the weights of both networks, for images of a size (dim1, dim2, dim3)."""
        self.generator(keras.Input((*image_size, 1)))
        self.discriminator(keras.Input((*image_size, 1 + self.conditional)))

    def compile(self, optimizer, discriminator_optimizer, **kwargs) -> None:
        """Take the optimizers of generator and discriminator."""
        check_same_keras(optimizer, discriminator_optimizer)
        super().compile(optimizer=optimizer, **kwargs)
        self.discriminator_optimizer = discriminator_optimizer

    def build_optimizers(self) -> None:
        """Create the optimizers' variables, for a checkpoint to be restored into."""
        self.optimizer.build(self.generator.trainable_variables)
        self.discriminator_optimizer.build(self.discriminator.trainable_variables)

    # === Config ===
    def get_config(self) -> dict:
        """Return networks and settings, for recreating this translator, not compiled."""
        parts = {name: getattr(self, name) for name in PARTS}
        names = ("conditional", "adversarial_weight", "l1_weight", "constraint_weight", "name")
        return {
            **{name: keras.saving.serialize_keras_object(part) for name, part in parts.items()},
            **{name: getattr(self, name) for name in names},
            "objective": self.objective_name,
        }

    @classmethod
    def from_config(cls, config: dict, custom_objects=None) -> Translator:
        """Return a translator of such settings."""
        parts = {
            name: keras.saving.deserialize_keras_object(config[name], custom_objects)
            for name in PARTS
        }
        return cls(**{**config, **parts})

    # === Forward ===
    def call(self, inputs: tf.Tensor, training=None, mask=None) -> tf.Tensor:
        """Return the translation of a source (batch, dim1, dim2, dim3, 1)."""
        return self.generator(inputs, training=training)

    def judge(
        self,
        source: tf.Tensor,
        images: list[tf.Tensor],
        training: bool,
        aligned: tf.Tensor | None = None,
    ) -> list[tf.Tensor]:
        """Return the discriminator's logits of images, all in one batch.

        Args:
            source: of the images, for a conditional discriminator.
            images: (batch, dim1, dim2, dim3, 1) each.
            training: whether its normalisation takes the batch's statistics.
            aligned: source of the first image, if that is another one.
        """
        if self.conditional:
            sources = [source if aligned is None else aligned, *[source] * (len(images) - 1)]
            images = [tf.concat(seen, axis=-1) for seen in zip(images, sources, strict=True)]
        logits = self.discriminator(tf.concat(images, axis=0), training=training)
        return tf.split(logits, len(images), axis=0)

    # === Losses ===
    def generator_terms(self, source: tf.Tensor, target: tf.Tensor, translated: tf.Tensor) -> Terms:
        """Return weight and value of each term of L_G; values are scalars."""
        (fake,) = self.judge(source, [translated], training=False)
        terms = {
            "adversarial": (self.adversarial_weight, self.objective.generator(fake)),
            "l1": (self.l1_weight, tf.reduce_mean(tf.abs(translated - target))),
        }
        if self.constraint is not None:
            value = tf.reduce_mean(self.constraint.call(source, translated))
            terms["constraint"] = (self.constraint_weight, value)
        return terms

    # === Training ===
    def train_step(self, data) -> dict:
        """Take one step of the discriminator, then one of the generator; return the logs."""
        source, target, aligned = _with_aligned(data)
        with tf.GradientTape() as tape:
            translated = self.generator(source, training=True)
            with tape.stop_recording():
                self._step_discriminator(source, target, translated, aligned)
            terms = self.generator_terms(source, target, translated)
            loss = weighted_sum(terms) + penalty(self.generator)
        minimise(self.optimizer, tape, loss, self.generator.trainable_variables)
        return self._log_generator(loss, terms, target, translated)

    def test_step(self, data) -> dict:
        """Return the logs of a pair without learning from it."""
        source, target, aligned = _with_aligned(data)
        translated = self.generator(source, training=False)
        self._log_discriminator(*self.judge(source, [target, translated], False, aligned))
        terms = self.generator_terms(source, target, translated)
        loss = weighted_sum(terms) + penalty(self.generator)
        return self._log_generator(loss, terms, target, translated)

    def _step_discriminator(self, source, target, translated, aligned=None) -> None:
        with tf.GradientTape() as tape:
            # One batch of both, or batch statistics alone would separate them.
            real, fake = self.judge(source, [target, translated], True, aligned)
            loss = self.objective.discriminator(real, fake) + penalty(self.discriminator)
        variables = self.discriminator.trainable_variables
        minimise(self.discriminator_optimizer, tape, loss, variables)
        self._log_discriminator(real, fake)

    # === Logs ===
    def _log_discriminator(self, real: tf.Tensor, fake: tf.Tensor) -> None:
        correct = [tf.reduce_mean(tf.cast(right, tf.float32)) for right in (real > 0, fake < 0)]
        self.trackers["discriminator_accuracy"].update_state(tf.add_n(correct) / 2)
        loss = self.objective.discriminator(real, fake)
        self.trackers["discriminator_loss"].update_state(loss)

    def _log_generator(self, loss, terms: Terms, target, translated) -> dict:
        self.trackers["generator_loss"].update_state(loss)
        contrast = deviation(translated) / tf.maximum(deviation(target), 1e-6)
        self.trackers["generator_contrast"].update_state(contrast)
        for term, (weight, value) in terms.items():
            name = f"loss/generator-{term}_{self.log_names[term]}"
            self.trackers[name].update_state(value)
            self.trackers[f"{name}_weighted"].update_state(weight * value)
        return {name: tracker.result() for name, tracker in self.trackers.items()}


def _with_aligned(data: tuple) -> tuple:
    """Return source, target and the source that is aligned with the target, None if not given."""
    return data if len(data) == 3 else (*data, None)


def weighted_sum(terms: Terms) -> tf.Tensor:
    """Return the sum of the terms, each times its weight."""
    return tf.add_n([weight * value for weight, value in terms.values()])


def penalty(network: keras.Model) -> tf.Tensor:
    """Return the sum of a network's own losses, the penalties on its weights."""
    return tf.add_n([tf.cast(loss, tf.float32) for loss in network.losses] or [tf.constant(0.0)])


def minimise(optimizer, tape: tf.GradientTape, loss: tf.Tensor, variables: list) -> None:
    """Take one step of an optimizer on some variables; with several devices each adds its share."""
    share = 1.0 / tf.distribute.get_strategy().num_replicas_in_sync
    gradients = tape.gradient(loss, variables)
    scaled = [share * gradient for gradient in gradients]
    optimizer.apply_gradients(zip(scaled, variables, strict=True))


def deviation(images: tf.Tensor) -> tf.Tensor:
    """Return the standard deviation within an image, the mean over the batch."""
    return tf.reduce_mean(tf.math.reduce_std(images, axis=range(1, len(images.shape))))
