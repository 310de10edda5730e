"""Models of DeepReg's kind and inputs for them."""

import copy

import tensorflow as tf
from deepreg.registry import REGISTRY

IMAGES = ("moving_image", "fixed_image")
LABELS = ("moving_label", "fixed_label")


def build_method(name, config, size, *, labeled, batch_size, **sizes):
    """Build a method as DeepReg does for pairs; `config`, its section `train`, is not changed."""
    settings = {"moving_image_size": size, "fixed_image_size": size, "index_size": 2, **sizes}
    settings |= {"name": name, "labeled": labeled, "batch_size": batch_size}
    return REGISTRY.build_model({**settings, "config": copy.deepcopy(config)})


def random_pair(size, *, labeled, batch=2):
    """Draw one batch, the same each time."""
    names = IMAGES + LABELS * labeled
    draw = tf.random.stateless_uniform
    inputs = {name: draw((batch, *size), (seed, 7)) for seed, name in enumerate(names)}
    return {**inputs, "indices": tf.zeros((batch, 2))}
