"""Adaptations that make `train.seed` reproduce a run."""

import functools
import random
import types

import tensorflow as tf
import tf_keras as keras

# The generator of the data loaders' draws while a run is seeded. It is their own: the loader runs
# in a thread of its own, and draws of the main thread must not come between.
_loader_draws: random.Random | None = None


def seed_run(seed: int | None) -> None:
    """Seed everything a run draws from; None returns the loaders to the entropy of the system.

    Args:
        seed: the configuration's `train.seed`, from 0 to 2**32 - 1.
    """
    global _loader_draws
    _loader_draws = None if seed is None else random.Random(f"{seed} 0")
    if seed is None:
        return
    keras.utils.set_random_seed(seed)  # Python, NumPy, TensorFlow and Keras's own initialisers
    tf.config.experimental.enable_op_determinism()


def go_on_with_data(model, epoch: int) -> None:
    """Let a seeded run that goes on see the data that it would have seen without a stop.

    Order, patches, label choices and augmentation are drawn one after the other from the run's
    seed, so the epochs that are behind are drawn again, and left out. Without a seed nothing can
    be repeated, and nothing is.

    Args:
        model: what `fit` is called of next.
        epoch: how many epochs are behind.
    """
    if _loader_draws is None or not epoch:
        return
    fit = model.fit

    @functools.wraps(fit)
    def fit_from_there(*args, x, steps_per_epoch, **kwargs):
        behind = x.skip(epoch * steps_per_epoch)
        return fit(*args, x=behind, steps_per_epoch=steps_per_epoch, **kwargs)

    model.fit = fit_from_there


def draw_generator(seed=None) -> random.Random:
    """Return what a loader shuffles with: a new order at each call, from the run's seed."""
    if seed is None and _loader_draws is not None:
        return random.Random(_loader_draws.getrandbits(64))
    return random.Random(seed)


def seed_order(loader) -> None:
    """Draw the order of training data from the seed of the run, anew in each epoch.

    In training DeepReg hands its loaders the seed None, so their `random.Random(None)` takes the
    entropy of the system and no two runs are alike. Only the loader module's own name `random` is
    rebound; validation and test data keep their seed 0 and hence DeepReg's order.
    """
    loader.random = types.SimpleNamespace(Random=draw_generator)


def seed_label_choice(dataset_util) -> None:
    """Draw the label that a training sample shows from the seed of the run.

    `get_label_indices` draws from Python's global generator, which other threads use as well.
    """

    def randrange(stop: int) -> int:
        return (_loader_draws or random).randrange(stop)

    dataset_util.random = types.SimpleNamespace(randrange=randrange)
