"""Detects the collapse of a GAN's training, and says what to do."""

import logging
import math

import numpy as np

from mmzoo.framework import keras

SURE = 0.99  # accuracy of a discriminator that has won
FLAT = 0.05  # contrast of translated images, as a share of the targets', that counts as constant

DISCRIMINATOR_WINS = (
    "epoch %d: the discriminator has won: it classifies %.1f %% of real and translated images "
    "correctly, so that the generator learns from the other terms alone. Lower its learning rate "
    "(train.translator.discriminator_optimizer), or try adversarial.name: least-squares."
)
GENERATOR_CONSTANT = (
    "epoch %d: the generator is nearly constant: its images have %.1f %% of the targets' contrast, "
    "so that the term `translated` carries no information. Begin anew with a lower learning rate "
    "(train.translator.generator_optimizer) or a smaller adversarial.weight."
)
NOT_A_NUMBER = (
    "the training is lost: {} in epoch {}. No checkpoint of it was written; the same command goes "
    "on from the last one. Lower train.optimizer.learning_rate, or the weight of the term that "
    "grew (TensorBoard shows them all)."
)


class CollapseWatch(keras.callbacks.Callback):
    """Warns of a collapse once when it begins, and stops a training that computes NaN.

    It looks at the epoch's means of `discriminator_accuracy` and `generator_contrast`, at every
    loss after each step, and at every weight after each epoch.
    """

    def __init__(self):
        """Start without warnings."""
        super().__init__()
        self.warned = set()  # of messages

    def on_epoch_begin(self, epoch, logs=None):
        """Keep the number of the epoch."""
        self.epoch = epoch + 1

    def on_train_batch_end(self, batch, logs=None):
        """Stop the training if a loss is NaN or infinite.

        Raises:
            ValueError: one is not, before a checkpoint is written.
        """
        lost = [name for name, value in (logs or {}).items() if not math.isfinite(float(value))]
        if lost:
            # If a term is NaN, so is the total: name the term.
            named = [name for name in lost if name.startswith("loss/")] or lost
            plain = [name for name in named if not name.endswith("_weighted")] or named
            raise ValueError(
                NOT_A_NUMBER.format(f"{', '.join(plain)} is not a finite number", self.epoch)
            )

    def on_epoch_end(self, epoch, logs=None):
        """Warn of a collapse; stop if a weight is NaN or infinite.

        Raises:
            ValueError: one is not, before a checkpoint is written.
        """
        for weight in self.model.trainable_weights:
            if not np.isfinite(weight.numpy()).all():
                what = f"the weight {weight.name} is not finite"
                raise ValueError(NOT_A_NUMBER.format(what, self.epoch))
        logs = logs or {}
        accuracy = logs.get("discriminator_accuracy", 0.0)
        contrast = logs.get("generator_contrast", 1.0)
        self._warn(DISCRIMINATOR_WINS, accuracy >= SURE, 100 * accuracy)
        self._warn(GENERATOR_CONSTANT, contrast < FLAT, 100 * contrast)

    def _warn(self, message: str, collapsed: bool, percent: float) -> None:
        """Warn when a collapse begins, once."""
        if collapsed and message not in self.warned:
            logging.warning(message, self.epoch, percent)
            self.warned.add(message)
        elif not collapsed:
            self.warned.discard(message)
