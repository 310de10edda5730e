"""A program: trains methods on one device and on two logical ones, and prints what differs.

`python helpers_replicas.py FOLDER [CONFIG]`: a line of JSON a method of the zoo; with a
configuration, trains that by DeepReg's own `train` on two devices, stopped and gone on.
"""

import functools
import json
import sys
from pathlib import Path
from unittest import mock

import mmzoo.deepreg

mmzoo.deepreg.activate()

import deepreg.train  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
import tf_keras as keras  # noqa: E402
from helpers_methods import random_pair  # noqa: E402
from helpers_runs import LABELS, METHODS, SIZE, configuration  # noqa: E402
from tensorflow.python.ops import custom_gradient  # noqa: E402

from mmzoo.deepreg import training  # noqa: E402
from mmzoo.ops import compiled  # noqa: E402

DEVICES = ("CPU:0", "CPU:1")


@functools.cache  # two in one process mistake each other's sums
def mirrored() -> tf.distribute.Strategy:
    """Return the strategy of both devices."""
    sums = tf.distribute.ReductionToOneDevice()
    return tf.distribute.MirroredStrategy(DEVICES, cross_device_ops=sums)


def batch_of(method: str) -> dict:
    """Return two pairs; of `labels-ddf` with labels as channels, one pair without the second."""
    inputs = random_pair(SIZE, labeled=True, batch=2)
    for side in ("moving", "fixed") if method in LABELS else ():
        label = tf.cast(inputs[f"{side}_label"] > 0.6, tf.float32)
        second = tf.reverse(label, [1]) * tf.constant([1.0, 0.0])[:, None, None, None]
        inputs[f"{side}_label"] = tf.stack([label, second], axis=-1)
    return inputs


def build(method: str, devices: int):
    """Return a method's model, as DeepReg's `train` makes it for so many devices."""
    keras.utils.set_random_seed(1)
    strategy = mirrored() if devices > 1 else tf.distribute.get_strategy()
    with strategy.scope():
        sizes = {"moving_image_size": SIZE, "fixed_image_size": SIZE, "index_size": 2}
        settings = {"name": method, "labeled": True, "batch_size": 2, "num_devices": devices}
        train = configuration(method)["train"]
        if (
            method == "bidirectional-ddf"
        ):  # fields at rest: large ones of noise fold any rounding up
            train["backbone"] = {**train["backbone"], "out_kernel_initializer": "zeros"}
        model = training.build_model({**settings, **sizes, "config": train})
        # Of the gradient's own size, and with a state of its own.
        model.compile(optimizer=keras.optimizers.SGD(1e-4, momentum=0.9))
    return model


def differences(method: str, folder: Path) -> dict:
    """Return the losses of three steps on one device, on two, and on two gone on from a checkpoint.

    With them, how far the weights lie apart after these steps, as a share of how far they moved.
    """
    data = tf.data.Dataset.from_tensors(batch_of(method)).repeat()
    found, moved = {}, {}
    for devices in (1, 2):
        model = build(method, devices)
        weights = model.trainable_weights
        before = [weight.numpy() for weight in weights]
        log_dir = str(folder / f"{method}-{devices}")
        fit = {"x": data, "steps_per_epoch": 1, "verbose": 0}
        callback, _ = deepreg.train.build_checkpoint_callback(model, data, log_dir, 2, "")
        logs = model.fit(epochs=3, callbacks=[callback], **fit).history
        pairs = zip(weights, before, strict=True)
        moved[devices] = np.concatenate([(w.numpy() - b).ravel() for w, b in pairs])
        found[devices] = {name: values[-3:] for name, values in logs.items()}
    for weight in [*model.weights, *model.optimizer.variables]:
        weight.assign(tf.zeros_like(weight))
    saved = f"{log_dir}/save/ckpt-2"
    epoch = deepreg.train.build_checkpoint_callback(model, data, log_dir, 2, saved)[1]
    again = model.fit(initial_epoch=epoch, epochs=3, **fit).history
    apart = np.linalg.norm(moved[1] - moved[2]) / np.linalg.norm(moved[1])
    return {"one": found[1], "two": found[2], "resumed": again, "apart": float(apart)}


def train_by_deepreg(config: str, folder: Path) -> None:
    """Train by `deepreg.train.train` as if both devices were GPUs, one epoch, then another."""
    seen = mock.patch.object(tf.config, "list_physical_devices", lambda kind=None: list(DEVICES))
    also = mock.patch.object(
        tf.config.experimental, "list_physical_devices", lambda kind=None: list(DEVICES)
    )
    strategy = mirrored()
    made = mock.patch.object(tf.distribute, "MirroredStrategy", lambda: strategy)
    with seen, also, made:
        for epochs in (1, 2):
            deepreg.train.train("0,1", config, False, "", "run", str(folder), epochs)


if __name__ == "__main__":
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    # The same values; XLA would compile each piece for each device.
    compiled.is_plain = lambda: True
    # At each sum over devices it searches the whole graph for variables: seven tenths of the time.
    custom_gradient._get_dependent_variables = lambda **_: []
    # It rewrites graphs to be quicker, which takes longer than running them here.
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    if sys.argv[2:]:
        train_by_deepreg(sys.argv[2], Path(sys.argv[1]))
    else:
        for name in METHODS | LABELS:
            print(json.dumps({name: differences(name, Path(sys.argv[1]))}), flush=True)
