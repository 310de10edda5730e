"""The adversarial objectives against NumPy, and which way they push."""

import numpy as np
import pytest
import tensorflow as tf

from mmzoo.networks.translation.objectives import OBJECTIVES, objective_of

REAL = np.array([[0.7], [-1.2], [30.0]])
FAKE = np.array([[-0.4], [2.1], [-0.1]])


def test_cross_entropy_is_that_of_probabilities():
    def probability(logits):
        return 1 / (1 + np.exp(-logits))

    objective = OBJECTIVES["cross-entropy"]
    labels = np.concatenate([np.ones(3), np.zeros(3)])
    p = probability(np.concatenate([REAL, FAKE]))[:, 0]
    expected = -np.mean(labels * np.log(p) + (1 - labels) * np.log1p(-p + 1e-300))
    value = objective.discriminator(tf.constant(REAL), tf.constant(FAKE))
    assert float(value) == pytest.approx(expected, rel=1e-9)
    assert float(objective.generator(tf.constant(FAKE))) == pytest.approx(
        -np.mean(np.log(probability(FAKE))), rel=1e-9
    )


def test_least_squares_is_the_distance_from_one_and_zero():
    objective = OBJECTIVES["least-squares"]
    value = objective.discriminator(tf.constant(REAL), tf.constant(FAKE))
    expected = (np.mean((REAL - 1) ** 2) + np.mean(FAKE**2)) / 2
    assert float(value) == pytest.approx(expected, rel=1e-12)
    value = float(objective.generator(tf.constant(FAKE)))
    assert value == pytest.approx(np.mean((FAKE - 1) ** 2), rel=1e-12)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_discriminator_and_generator_pull_the_logit_of_a_fake_opposite_ways(name):
    fake = tf.constant([[0.3]])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(fake)
        of_discriminator = OBJECTIVES[name].discriminator(tf.constant([[0.5]]), fake)
        of_generator = OBJECTIVES[name].generator(fake)
    assert float(tape.gradient(of_discriminator, fake)[0, 0]) > 0
    assert float(tape.gradient(of_generator, fake)[0, 0]) < 0


def test_a_sure_discriminator_gives_no_infinity():
    sure = tf.constant([[500.0]])
    assert float(OBJECTIVES["cross-entropy"].generator(-sure)) == 500
    assert float(OBJECTIVES["cross-entropy"].discriminator(sure, -sure)) == 0


def test_an_unknown_objective_is_named():
    with pytest.raises(ValueError, match="`adversarial.name` is 'cross-entrpy': did you mean"):
        objective_of("cross-entrpy")
