"""Models of DeepReg's kind and inputs for them."""

import copy

import numpy as np
import tensorflow as tf
from deepreg.registry import REGISTRY

from mmzoo.ops.warp import warp

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


def check_field_and_warps(model, inputs, network):
    """Check that a model's field is that of its network, and warps the image and all labels."""
    out = model(inputs, training=False)
    (network,) = (layer for layer in model._model.layers if layer.name == network)
    pair = tf.stack([inputs["moving_image"], inputs["fixed_image"]], axis=-1)
    assert np.abs(out["ddf"]).max() > 1e-2
    np.testing.assert_allclose(out["ddf"], network(pair), atol=1e-6)
    for kind in ("image", "label"):
        expected = warp(inputs[f"moving_{kind}"], out["ddf"])
        np.testing.assert_allclose(out[f"pred_fixed_{kind}"], expected, atol=1e-6)
