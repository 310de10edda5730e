"""The configurations, the zoo's and DeepReg's own, give the same with and without acceleration.

What a configuration makes the network learn from: its loss, and the gradient of every weight. The
networks are small; losses and methods are the configuration's. Of those in which the same of
DeepReg's pieces occur, with the same method and network, the first is taken.
"""

import functools
import inspect
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from deepreg.loss import deform, image
from deepreg.model import layer_util
from helpers_methods import build_method, random_pair
from helpers_runs import COST_VOLUME, GLOROT, LABELS, METHODS

from mmzoo.config_merge import merge_files, read_file
from mmzoo.deepreg.adaptations.acceleration import PIECES as PIECE_NAMES
from mmzoo.deepreg.methods.terms import build_loss
from mmzoo.framework import keras

CONFIGS = Path(__file__).parents[2] / "configs"
ODD, HALVED = (11, 14, 9), (16, 16, 16)  # the latter for networks that take nothing else
PIECES = [
    (layer_util, "resample"),
    (deform.BendingEnergy, "call"),
    (deform.GradientNorm, "call"),
    (image.LocalNormalizedCrossCorrelation, "call"),
    (image.GlobalMutualInformation, "call"),
]
BACKBONES = [settings["backbone"] for settings in (METHODS | LABELS).values()]
SMALL = {backbone["name"]: backbone for backbone in (*BACKBONES, COST_VOLUME)}
UNET = {"name": "unet", "num_channel_initial": 2, "depth": 1}
LEVELS = {"num_channel_initial": 2, "extract_levels": [0, 1]}
DICE, GMI = {"name": "dice", "weight": 1.0}, {"name": "gmi", "weight": 1.0}
BENDING, GRADIENT = {"name": "bending", "weight": 0.5}, {"name": "gradient", "weight": 0.5}
LNCC, L1 = {"name": "lncc", "kernel_size": 5}, {**GRADIENT, "l1": True}
DEEPREG = {  # as in DeepReg's demonstrations: method, network and losses
    "unet": ("ddf", UNET, {"image": LNCC, "label": DICE, "regularization": BENDING}),
    "dvf": ("dvf", UNET, {"image": GMI, "label": DICE, "regularization": GRADIENT}),
    "local": (
        "ddf",
        {"name": "local", **LEVELS},
        {"image": {**LNCC, "kernel_type": "triangular"}, "regularization": L1},
    ),
    "affine": ("ddf", {"name": "global", **LEVELS}, {"image": GMI, "label": DICE}),
    "conditional": ("conditional", UNET, {"label": DICE}),
}


def shipped() -> dict:
    """Return {file: (method, small network, losses)}, one of each kind."""
    paths = [path for path in sorted(CONFIGS.rglob("*.yaml")) if path.parent.name != "scale"]
    methods = [path for path in paths if "method" in read_file(path).get("train", {})]
    plain = [path for path in paths if "loss" in read_file(path).get("train", {})]
    layered = [(m, p) for m in methods for p in plain if p.stem.startswith(m.stem + "_")]
    kinds: dict = {}
    for files in [*((path,) for path in methods), *layered]:
        train = merge_files(files)["train"]
        backbone, losses = train["backbone"]["name"], train["loss"]
        deepregs = {section.get("name") for section in losses.values()} & set(PIECE_NAMES)
        kind = (train["method"], backbone, *sorted(deepregs))
        kinds.setdefault(kind, (files[-1].stem, (train["method"], SMALL[backbone], losses)))
    return dict(kinds.values())


KINDS = {**{f"DeepReg's {name}": kind for name, kind in DEEPREG.items()}, **shipped()}


def build(kind):
    """Return a small model of a method and its losses, and a batch for it."""
    method, backbone, losses = kind
    keras.utils.set_random_seed(3)
    size = HALVED if backbone["name"] in ("mmregnet", "deform-gan-unet") else ODD
    train = {"backbone": {**backbone, **GLOROT}, "loss": losses}
    model = build_method(method, train, size, labeled=True, batch_size=2)
    return model, random_pair(size, labeled=True)


def loss_and_gradient(model, pair) -> tuple[float, np.ndarray]:
    """Return the loss and its gradient, that of all weights in one row."""

    @tf.function
    def run():
        with tf.GradientTape() as tape:
            model(pair, training=True)
            loss = tf.add_n(model.losses)
        gradients = tape.gradient(loss, model.trainable_weights)
        return loss, tf.concat([tf.reshape(g, [-1]) for g in gradients], axis=0)

    return tuple(value.numpy() for value in run())


def counted(function, calls: list):
    @functools.wraps(function)
    def call(*args, **kwargs):
        calls.append(function)
        return function(*args, **kwargs)

    call.__signature__ = inspect.signature(function)  # Keras reads it
    return call


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_loss_and_gradient_are_those_of_deepreg(kind, monkeypatch):
    fast, calls = [getattr(*piece) for piece in PIECES], []
    for piece, function in zip(PIECES, fast, strict=True):
        monkeypatch.setattr(*piece, counted(function, calls))
    model, pair = build(kind)
    if not calls:  # deform-gan calls its losses later
        assert not any(type(loss).__module__.startswith("deepreg") for loss in losses_of(kind))
        return
    loss, gradient = loss_and_gradient(model, pair)
    for piece, function in zip(PIECES, fast, strict=True):
        monkeypatch.setattr(*piece, function.__wrapped__)
    plain_loss, plain_gradient = loss_and_gradient(*build(kind))
    assert np.linalg.norm(plain_gradient) > 0
    # The information of noise is what is left of entropies of some 3 nats, so that in single
    # precision either form is off by 1e-6 (against double: 3e-6 and 2e-6 of 0.046 nats).
    assert loss == pytest.approx(plain_loss, rel=1e-5, abs=5e-6)
    error = np.linalg.norm(gradient - plain_gradient)
    assert error < 1e-5 * np.linalg.norm(plain_gradient)


def losses_of(kind) -> list:
    *_, losses = kind
    used = {section: settings for section, settings in losses.items() if section != "label"}
    return [build_loss(section, settings)[1] for section, settings in used.items()]


def test_all_pieces_occur():
    losses = {section["name"] for *_, losses in DEEPREG.values() for section in losses.values()}
    assert losses >= {name for name in PIECE_NAMES if name != "warp"}
