"""Adaptations that make `train.seed` reproduce a run."""

import functools
import random
import threading
import types

import tensorflow as tf

from mmzoo.framework import keras

_run_seed: int | None = None
_choosing = threading.local()  # `.draws`: what the loader at work in a thread chooses with


def seed_run(seed: int | None) -> None:
    """Seed everything a run draws from; None returns the loaders to the entropy of the system.

    Args:
        seed: the configuration's `train.seed`, from 0 to 2**32 - 1.
    """
    global _run_seed
    _run_seed = seed
    if seed is None:
        return
    keras.utils.set_random_seed(seed)  # Python, NumPy, TensorFlow and Keras's own initialisers
    tf.config.experimental.enable_op_determinism()


def is_seeded() -> bool:
    """Say whether the run that was read last has a seed."""
    return _run_seed is not None


def go_on_with_data(model, epoch: int) -> None:
    """Let a seeded run that goes on see the data that it would have seen without a stop.

    Order, patches, label choices and augmentation are drawn one after the other from the run's
    seed, so the epochs that are behind are drawn again, and left out. Without a seed nothing can
    be repeated, and nothing is.

    Args:
        model: what `fit` is called of next.
        epoch: how many epochs are behind.
    """
    if _run_seed is None or not epoch:
        return
    fit = model.fit

    @functools.wraps(fit)
    def fit_from_there(*args, x, steps_per_epoch, **kwargs):
        behind = x.skip(epoch * steps_per_epoch)
        return fit(*args, x=behind, steps_per_epoch=steps_per_epoch, **kwargs)

    model.fit = fit_from_there


def give_each_loader_its_draws(interface) -> None:
    """Give each loader of a seeded run generators of its own.

    Each loader runs in a thread of its own and draws ahead of what it is asked for: with one
    generator between them, who draws first would decide. In training, `seed` is then a generator
    from which an order is drawn anew in each epoch (`draw_generator`); validation and test data
    keep their seed 0 and hence DeepReg's order.
    """
    loader_class, generator_class = interface.DataLoader, interface.GeneratorDataLoader
    build, sample = loader_class.__init__, generator_class.sample_image_label

    @functools.wraps(build)
    def __init__(self, *args, **kwargs):
        build(self, *args, **kwargs)
        self.label_draws = None
        if _run_seed is None:
            return
        if self.seed is None:
            self.seed = self.label_draws = random.Random(f"{_run_seed} 0")
        else:
            self.label_draws = random.Random(f"{_run_seed} 1")

    @functools.wraps(sample)
    def sample_image_label(self, *args, **kwargs):
        # what follows runs in this thread until the first sample, which is after the choice
        _choosing.draws = self.label_draws
        yield from sample(self, *args, **kwargs)

    loader_class.__init__ = __init__
    generator_class.sample_image_label = sample_image_label


def draw_generator(seed: random.Random | int | None = None) -> random.Random:
    """Return what a loader shuffles with: a new order at each call, from its own generator."""
    return random.Random(seed.getrandbits(64) if isinstance(seed, random.Random) else seed)


def seed_order(loader) -> None:
    """Draw the order of training data from the loader's own generator, anew in each epoch.

    In training DeepReg hands its loaders the seed None, so their `random.Random(None)` takes the
    entropy of the system and no two runs are alike. Only the loader module's own name `random` is
    rebound.
    """
    loader.random = types.SimpleNamespace(Random=draw_generator)


def seed_label_choice(dataset_util) -> None:
    """Draw the label that a sample shows from the seed of the run.

    `get_label_indices` draws from Python's global generator, which other threads use as well.
    """

    def randrange(stop: int) -> int:
        return (getattr(_choosing, "draws", None) or random).randrange(stop)

    dataset_util.random = types.SimpleNamespace(randrange=randrange)
