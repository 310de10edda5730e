"""The watch over a GAN's training: what it says, when, and that it stops before NaN is saved."""

import logging

import numpy as np
import pytest

from mmzoo.deepreg.methods.collapse import CollapseWatch
from mmzoo.framework import keras


@pytest.fixture
def watch():
    callback = CollapseWatch()
    model = keras.Sequential([keras.layers.Dense(1)])
    model.build((None, 2))
    callback.set_model(model)
    return callback


def end_epochs(watch, caplog, **logs):
    """Give one value an epoch to each log; return the warnings."""
    caplog.set_level(logging.WARNING)
    for epoch, values in enumerate(zip(*logs.values(), strict=True)):
        watch.on_epoch_begin(epoch)
        watch.on_epoch_end(epoch, dict(zip(logs, values, strict=True)))
    return [record.getMessage() for record in caplog.records]


def test_says_once_that_the_discriminator_has_won_and_again_when_it_wins_again(watch, caplog):
    said = end_epochs(watch, caplog, discriminator_accuracy=[0.7, 0.995, 1.0, 0.8, 1.0])
    assert [line[:8] for line in said] == ["epoch 2:", "epoch 5:"]
    assert "the discriminator has won: it classifies 99.5 %" in said[0]
    assert "train.translator.discriminator_optimizer" in said[0]


def test_says_that_the_generator_is_constant(watch, caplog):
    said = end_epochs(watch, caplog, generator_contrast=[0.9, 0.01, 0.01])
    assert len(said) == 1
    assert "epoch 2: the generator is nearly constant: its images have 1.0 %" in said[0]


def test_says_nothing_of_a_sound_training(watch, caplog):
    sound = {"discriminator_accuracy": [0.5, 0.9], "generator_contrast": [0.3, 1.2]}
    assert end_epochs(watch, caplog, **sound) == []


def test_a_loss_that_is_no_number_stops_and_is_named_by_its_term(watch):
    watch.on_epoch_begin(4)
    nan = float("nan")
    logs = {"loss": nan, "loss/image_X": -0.2, "loss/translated_Y": nan}
    logs["loss/translated_Y_weighted"] = nan
    with pytest.raises(ValueError, match="is lost: loss/translated_Y is not a .* in epoch 5. No"):
        watch.on_train_batch_end(0, logs)
    with pytest.raises(ValueError, match="generator_loss is not a finite number"):
        watch.on_train_batch_end(0, {"loss": 1.0, "generator_loss": float("inf")})


def test_a_weight_that_is_no_number_stops_before_the_epoch_is_saved(watch):
    watch.on_epoch_begin(0)
    watch.on_epoch_end(0, {})
    watch.model.trainable_weights[0].assign(np.full((2, 1), np.nan))
    with pytest.raises(ValueError, match="the weight .*kernel.* is not finite in epoch 1"):
        watch.on_epoch_end(0, {})
