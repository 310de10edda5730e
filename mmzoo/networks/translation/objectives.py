"""Adversarial objectives: what discriminator and generator minimise, given the logits.

A new one is an entry of `OBJECTIVES`; whether the discriminator sees the source beside the image
(the conditional GAN) is the translator's matter.
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from mmzoo.checks import check_choice


class AdversarialObjective(NamedTuple):
    """Two functions of logits of any shape, each to a scalar, the smaller the better.

    discriminator(real, fake): of the logits of real and of translated images.
    generator(fake): of the logits of translated images.
    """

    discriminator: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    generator: Callable[[tf.Tensor], tf.Tensor]


def _entropy_of_discriminator(real: tf.Tensor, fake: tf.Tensor) -> tf.Tensor:
    """-1/2 (mean log sigmoid(real) + mean log (1 - sigmoid(fake)))."""
    return (tf.reduce_mean(tf.nn.softplus(-real)) + tf.reduce_mean(tf.nn.softplus(fake))) / 2


def _entropy_of_generator(fake: tf.Tensor) -> tf.Tensor:
    """-mean log sigmoid(fake): the non-saturating form, as in the authors' code."""
    return tf.reduce_mean(tf.nn.softplus(-fake))


def _squares_of_discriminator(real: tf.Tensor, fake: tf.Tensor) -> tf.Tensor:
    return (tf.reduce_mean((real - 1) ** 2) + tf.reduce_mean(fake**2)) / 2


def _squares_of_generator(fake: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean((fake - 1) ** 2)


OBJECTIVES = {
    # Goodfellow et al. 2014; Isola et al. 2017 (Pix2Pix), Eq. 7 of Zhang 2020.
    "cross-entropy": AdversarialObjective(_entropy_of_discriminator, _entropy_of_generator),
    # Mao et al. 2017: its gradient does not vanish where the discriminator is sure.
    "least-squares": AdversarialObjective(_squares_of_discriminator, _squares_of_generator),
}


def objective_of(name: str) -> AdversarialObjective:
    """Return the objective of a name; ValueError with the closest one if there is none."""
    check_choice("adversarial.name", name, OBJECTIVES)
    return OBJECTIVES[name]
