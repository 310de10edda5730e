"""The translator: its losses term by term, which weights a step changes, what it learns."""

import numpy as np
import pytest
import tensorflow as tf

from mmzoo.framework import keras
from mmzoo.losses import LocalGradient, local_gradient
from mmzoo.networks.translation import StridedDiscriminator, Translator, UNetGenerator

SHAPE = (8, 8, 12)


def build(rate=1e-3, channels=2, **settings):
    keras.utils.set_random_seed(0)
    generator = UNetGenerator(num_channel_initial=channels, depth=1)
    translator = Translator(generator, StridedDiscriminator(channels=(2, 4)), **settings)
    translator.build_networks(SHAPE)
    translator.compile(
        keras.optimizers.SGD(rate), discriminator_optimizer=keras.optimizers.SGD(rate)
    )
    return translator


def pair(batch=2):
    source = tf.random.stateless_uniform((batch, *SHAPE, 1), (1, 2), -1, 1)
    return source, -source * abs(source)


def values(network):
    return [weight.numpy() for weight in network.weights]


def changed(network, before):
    return [bool((w.numpy() != b).any()) for w, b in zip(network.weights, before, strict=True)]


@pytest.mark.parametrize("conditional", [True, False])
def test_the_losses_are_equation_8_term_by_term_and_logged(conditional):
    constraint = LocalGradient(window=3)
    translator = build(conditional=conditional, constraint=constraint, adversarial_weight=0.5)
    source, target = pair()
    logs = {k: float(v) for k, v in translator.test_step((source, target)).items()}
    fake = translator(source)
    seen = [tf.concat([v, source], -1) if conditional else v for v in (target, fake)]
    real_logit, fake_logit = (translator.discriminator(v).numpy() for v in seen)
    expected = {
        "adversarial_cross-entropy": (0.5, np.mean(np.log1p(np.exp(-fake_logit)))),
        "l1_L1": (100.0, np.mean(np.abs(fake - target))),
        "constraint_LocalGradient": (5.0, np.mean(local_gradient(source, fake, window=3))),
    }
    total = sum(float(loss) for loss in translator.generator.losses)
    for name, (weight, value) in expected.items():
        assert logs[f"loss/generator-{name}"] == pytest.approx(value, rel=1e-4), name
        assert logs[f"loss/generator-{name}_weighted"] == pytest.approx(weight * value, rel=1e-4)
        total += weight * value
    assert logs["generator_loss"] == pytest.approx(total, rel=1e-4)
    entropy = np.log1p(np.exp(-real_logit)).mean() + np.log1p(np.exp(fake_logit)).mean()
    assert logs["discriminator_loss"] == pytest.approx(entropy / 2, rel=1e-4)
    right = ((real_logit > 0).mean() + (fake_logit < 0).mean()) / 2
    assert logs["discriminator_accuracy"] == pytest.approx(right)
    contrast = np.mean([np.std(f) for f in fake]) / np.mean([np.std(t) for t in target])
    assert logs["generator_contrast"] == pytest.approx(contrast, rel=1e-4)


def test_a_step_of_one_network_leaves_the_other_as_it_is():
    translator = build()
    source, target = pair()
    generator, discriminator = values(translator.generator), values(translator.discriminator)
    translator._step_discriminator(source, target, translator(source))
    assert not any(changed(translator.generator, generator))
    assert all(changed(translator.discriminator, discriminator))

    translator = build()
    translator.discriminator_optimizer.learning_rate = 0.0
    kept = [w.numpy() for w in translator.discriminator.trainable_weights]
    translator.train_step((source, target))
    assert all(changed(translator.generator, generator))
    for weight, old in zip(translator.discriminator.trainable_weights, kept, strict=True):
        np.testing.assert_array_equal(weight, old)


def test_the_generator_s_step_follows_the_gradient_of_its_loss_against_the_new_discriminator():
    translator = build(rate=0.1, l1_weight=2.0, conditional=True)
    source, target = pair()
    before = [w.numpy() for w in translator.generator.trainable_weights]
    translator.train_step((source, target))
    stepped = [w.numpy() for w in translator.generator.trainable_weights]
    for weight, old in zip(translator.generator.trainable_weights, before, strict=True):
        weight.assign(old)
    with tf.GradientTape() as tape:  # the discriminator has taken its step
        fake = translator(source)
        logit = translator.discriminator(tf.concat([fake, source], -1), training=False)
        loss = tf.reduce_mean(tf.math.softplus(-logit)) + 2 * tf.reduce_mean(abs(fake - target))
        loss += tf.add_n(translator.generator.losses)
    gradients = tape.gradient(loss, translator.generator.trainable_weights)
    for new, old, gradient in zip(stepped, before, gradients, strict=True):
        np.testing.assert_allclose(new, old - 0.1 * gradient, atol=1e-6)


def test_an_unconditional_discriminator_does_not_see_the_source():
    translator = build(conditional=False)
    source, target = pair()
    one = translator.judge(source, [target], training=False)[0]
    np.testing.assert_array_equal(translator.judge(-source, [target], training=False)[0], one)
    seeing = build(conditional=True)
    one = seeing.judge(source, [target], training=False)[0]
    assert np.abs(seeing.judge(-source, [target], training=False)[0] - one).max() > 1e-6


def test_a_conditional_discriminator_sees_the_target_beside_the_source_aligned_with_it():
    translator = build(conditional=True)
    source, target = pair()
    aligned = tf.reverse(source, [1])
    real, fake = translator.judge(source, [target, -target], False, aligned)
    discriminator = translator.discriminator
    np.testing.assert_allclose(real, discriminator(tf.concat([target, aligned], -1)), atol=1e-6)
    np.testing.assert_allclose(fake, discriminator(tf.concat([-target, source], -1)), atol=1e-6)
    logs = [translator.test_step(data) for data in ((source, target, aligned), (source, target))]
    assert logs[0]["discriminator_loss"] != logs[1]["discriminator_loss"]
    assert logs[0]["generator_contrast"] == logs[1]["generator_contrast"]


def test_a_discriminator_sees_one_image_unless_asked():
    assert not build().conditional


def test_learns_a_translation_through_fit():
    translator = build(channels=8)
    before = float(translator.test_step(pair())["loss/generator-l1_L1"])
    optimizers = [keras.optimizers.Adam(3e-3) for _ in range(2)]
    translator.compile(optimizers[0], discriminator_optimizer=optimizers[1])
    dataset = tf.data.Dataset.from_tensors(pair()).repeat(60)
    translator.fit(dataset, epochs=1, verbose=0, shuffle=False)
    assert float(np.mean(abs(translator(pair()[0]) - pair()[1]))) < 0.6 * before


def test_without_weight_or_loss_there_is_no_constraint():
    for settings in ({"constraint": LocalGradient(), "constraint_weight": 0.0}, {}):
        assert not any("constraint" in name for name in build(**settings).trackers)


def test_wrong_settings_are_named():
    with pytest.raises(ValueError, match="`l1.weight` must be a number at least 0, got -1"):
        build(l1_weight=-1)
    with pytest.raises(ValueError, match="did you mean 'least-squares'"):
        build(objective="least-square")
