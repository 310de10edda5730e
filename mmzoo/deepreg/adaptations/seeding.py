"""Adaptations that make `train.seed` reproduce a run."""

import random
import threading
import types

import tensorflow as tf

from mmzoo.deepreg.adaptations.wrapping import wrapping
from mmzoo.framework import keras

_run_seed: int | None = None
_choosing = threading.local()  # `.draws`: the generator of the loader that runs in a thread


def seed_run(seed: int | None) -> None:
    """Seed all random generators of a run; with None loaders use the system's entropy.

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
    """Whether the last configuration that was read has a seed."""
    return _run_seed is not None


def go_on_with_data(model, epoch: int) -> None:
    """Let a seeded run that continues see the same data as without the interruption.

    Order, patches, labels and augmentation are drawn in sequence from the run's seed, so the
    finished epochs are drawn again and skipped. Without a seed nothing is skipped.

    Args:
        model: whose `fit` is called next.
        epoch: number of finished epochs.
    """
    if _run_seed is None or not epoch:
        return

    @wrapping(model, "fit")
    def fit(original, *args, x, steps_per_epoch, **kwargs):
        behind = x.skip(epoch * steps_per_epoch)
        return original(*args, x=behind, steps_per_epoch=steps_per_epoch, **kwargs)


def give_each_loader_its_draws(interface) -> None:
    """Give each loader of a seeded run generators of its own.

    Each loader runs ahead in a thread of its own: with a common generator the draws would depend on
    which thread is first. In training, `seed` is then a generator from which an order is drawn anew
    in each epoch (`draw_generator`); validation and test data keep their seed 0 and hence DeepReg's
    order.
    """
    loader_class, generator_class = interface.DataLoader, interface.GeneratorDataLoader

    @wrapping(loader_class, "__init__")
    def init(original, self, *args, **kwargs):
        original(self, *args, **kwargs)
        self.label_draws = None
        if _run_seed is None:
            return
        if self.seed is None:
            self.seed = self.label_draws = random.Random(f"{_run_seed} 0")
        else:
            self.label_draws = random.Random(f"{_run_seed} 1")

    @wrapping(generator_class, "sample_image_label")
    def sample_image_label(original, self, *args, **kwargs):
        # this thread runs on to the first sample, after the label is drawn
        _choosing.draws = self.label_draws
        yield from original(self, *args, **kwargs)


def draw_generator(seed: random.Random | int | None = None) -> random.Random:
    """Return a new generator for a loader to shuffle with, seeded by the loader's own."""
    return random.Random(seed.getrandbits(64) if isinstance(seed, random.Random) else seed)


def seed_order(loader) -> None:
    """Draw the order of training data from the loader's own generator, anew in each epoch.

    In training DeepReg's loaders get the seed None, so `random.Random(None)` uses the system's
    entropy and no two runs are equal. Only the loader module's own name `random` is replaced.
    """
    loader.random = types.SimpleNamespace(Random=draw_generator)


def seed_label_choice(dataset_util) -> None:
    """Draw the label that a sample shows from the seed of the run.

    `get_label_indices` draws from Python's global generator, which other threads use as well.
    """

    def randrange(stop: int) -> int:
        return (getattr(_choosing, "draws", None) or random).randrange(stop)

    dataset_util.random = types.SimpleNamespace(randrange=randrange)
