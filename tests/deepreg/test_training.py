"""The options of a training: the same training within bounds, and what they leave alone."""

import copy
import logging

import numpy as np
import pytest
import tensorflow as tf
from deepreg.registry import REGISTRY
from helpers_methods import random_pair
from helpers_runs import COST_VOLUME, GLOROT, METHODS, SIZE

from mmzoo import onednn
from mmzoo.deepreg import training
from mmzoo.errors import PreflightError
from mmzoo.framework import keras
from mmzoo.layers.precision import mixed_networks, policy_of_networks
from mmzoo.networks.translation import StridedDiscriminator, UNetGenerator

LEVELS = {"num_channel_initial": 2, "extract_levels": [0, 1, 2], **GLOROT}
DEEPREG_UNET = {"name": "unet", "num_channel_initial": 2, "depth": 1, **GLOROT}
BACKBONES = [
    *(settings["backbone"] for settings in METHODS.values()),
    DEEPREG_UNET,
    {**DEEPREG_UNET, "control_points": 4, "concat_skip": True, "pooling": False},
    {"name": "local", **LEVELS},
    {"name": "global", **LEVELS},
    COST_VOLUME,
]
OWN = {  # a configuration of DeepReg's own
    "backbone": DEEPREG_UNET,
    "loss": {
        "image": {"name": "ssd", "weight": 1.0},
        "regularization": {"name": "bending-energy", "weight": 0.1},
    },
}
CONFIGS = {"ddf": OWN, **METHODS}
pytestmark = pytest.mark.slow
# The latter three are Adam's. With its own epsilon, 1e-7, it makes whole steps, to either side, of
# gradients that are nothing but rounding, and the next losses differ by that.
STEPS, RATE, BETA, EPSILON = 3, 1e-3, 0.9, 1e-3


def trained(method: str, **options):
    """Return a model after three steps on one batch, its logs by name, (steps,) each, and the
    gradient of the first step, as one row.
    """
    keras.utils.set_random_seed(1)
    train = {**copy.deepcopy(CONFIGS[method]), **options}
    labeled = method == "rigidity-ddf"
    settings = {"moving_image_size": SIZE, "fixed_image_size": SIZE, "index_size": 2}
    settings |= {"labeled": labeled, "batch_size": 1, "config": train, "name": method}
    model = training.build_model(settings)
    model.compile(optimizer=keras.optimizers.Adam(RATE, beta_1=BETA, epsilon=EPSILON))
    data = tf.data.Dataset.from_tensors(random_pair(SIZE, labeled=labeled, batch=1)).repeat()
    gradients: list = []
    note = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: gradients.append(mean_of(model)))
    history = model.fit(data, steps_per_epoch=1, epochs=STEPS, verbose=0, callbacks=[note]).history
    first = gradients[0] / (1 - BETA)
    return model, {name: np.array(values) for name, values in history.items()}, first


def mean_of(model) -> np.ndarray:
    """Return Adam's running mean of the gradient; after one step it is (1 - beta) times that."""
    optimizers = [model.optimizer]
    if hasattr(model, "translator"):
        optimizers += [model.translator.optimizer, model.translator.discriminator_optimizer]
    means = [mean.numpy().ravel() for adam in optimizers for mean in adam._momentums]
    return np.concatenate(means)


@pytest.fixture(scope="module")
def plain():
    """Trainings without options, by method; each is made once."""
    known: dict = {}

    def of(method: str):
        if method not in known:
            known[method] = trained(method)
        return known[method]

    return of


def differences(model, other) -> np.ndarray:
    """Return how far each number of two models' weights is from the other's."""
    pairs = zip(model.trainable_weights, other.trainable_weights, strict=True)
    return np.concatenate([np.abs(a.numpy() - b.numpy()).ravel() for a, b in pairs])


# === Mixed precision ===


def networks(build):
    """Return a network in float32 and one in mixed precision, with the same weights."""
    pair = tf.stack([random_pair(SIZE, labeled=False, batch=1)[f"{s}_image"] for s in SIDES], -1)
    outputs, made = [], []
    keras.utils.set_random_seed(0)
    for mixed in (False, True):
        with mixed_networks(mixed):
            network = build()
        network(pair)
        made.append(network)
    made[1].set_weights(made[0].get_weights())
    for network in made:
        outputs.append(network(pair))
    return *made, *outputs


SIDES = ("moving", "fixed")


def of_registry(settings):
    defaults = {"image_size": SIZE, "out_channels": 3, "out_activation": None}
    return REGISTRY.build_backbone({"out_kernel_initializer": "zeros", **settings}, defaults)


def of_translator(cls, *settings):
    with policy_of_networks():
        return cls(*settings)


@pytest.mark.parametrize(
    "build",
    [
        *(lambda s=settings: of_registry(s) for settings in BACKBONES),
        lambda: of_translator(UNetGenerator, 2, 1),
        lambda: of_translator(StridedDiscriminator, (2, 3)),
    ],
    ids=[*(f"{s['name']}{'-cp' * ('control_points' in s)}" for s in BACKBONES), "G", "D"],
)
def test_a_network_convolves_in_bfloat16_and_returns_float32(build):
    plain, mixed, expected, got = networks(build)
    kinds = (keras.layers.Conv3D, keras.layers.Conv3DTranspose)
    convolutions = [layer for layer in mixed._flatten_layers() if isinstance(layer, kinds)]
    assert "bfloat16" in {layer.compute_dtype for layer in convolutions}
    assert {weight.dtype.base_dtype for weight in mixed.variables} == {tf.float32}
    assert "bfloat16" not in {layer.compute_dtype for layer in plain._flatten_layers()}
    for one, other in zip(tf.nest.flatten(got), tf.nest.flatten(expected), strict=True):
        assert one.dtype == tf.float32
        # Not rounded to bfloat16 in the end: a field has more than three digits.
        assert np.any(one.numpy() != tf.cast(tf.cast(one, tf.bfloat16), tf.float32).numpy())
        assert tf.norm(one - other) < 0.1 * tf.norm(other)


@pytest.mark.parametrize("method", ["ddf", "direct-ddf", "deform-gan"])
def test_mixed_precision_gives_the_same_training_within_bounds(method, plain):
    """Losses within 2 % of their size, weights within the steps that Adam can take.

    A bfloat16 has steps of 0.4 %. `ncc`, of direct-ddf, is what a correlation lacks of 1, here
    0.009, and changes by more than other losses: 2.8 % without oneDNN, below 2 % with it.
    """
    share = 0.05 if method == "direct-ddf" else 0.02
    expected, losses, _ = plain(method)
    model, mixed_losses, _ = trained(method, mixed_precision=True)
    for name, values in losses.items():
        np.testing.assert_allclose(mixed_losses[name], values, atol=share * np.abs(values).max())
    assert 0 < differences(model, expected).max() < 2 * STEPS * RATE
    assert {tensor.dtype for tensor in model._model.outputs} == {tf.float32}
    assert {loss.dtype for loss in model.losses} <= {tf.float32}


def test_a_run_in_mixed_precision_predicts_in_float32(config, write_config, run_train, run_predict):
    import nibabel as nib

    path = write_config(config, train__mixed_precision=True, train__epochs=1)
    run = run_train(path)
    stored = tf.train.load_checkpoint(str(run / "save/ckpt-1")).get_variable_to_dtype_map()
    assert not {tf.bfloat16, tf.float16} & set(stored.values())
    out = run_predict(run / "save/ckpt-1")
    field = nib.load(next(out.glob("pair_*/ddf.nii.gz"))).get_fdata(dtype=np.float32)
    assert np.isfinite(field).all() and np.any(field)


# === Compiling the step ===


@pytest.mark.parametrize(
    "method",
    ["direct-ddf", "bspline-ddf", "deform-gan"],  # MMRegNet's takes minutes
)
def test_a_compiled_step_gives_the_same_training(method, plain):
    """Losses to 1e-3, the gradient of the first step to 1e-2 of its length, weights to half a step.

    Rounding is 1e-5 of that; a ReLU or a pooling at a tie that decides otherwise, 1e-3 of the
    gradient and a tenth of a step.
    """
    expected, losses, gradient = plain(method)
    model, compiled_losses, compiled_gradient = trained(method, jit_compile=True)
    assert model.jit_compile and not expected.jit_compile
    for name, values in losses.items():
        np.testing.assert_allclose(compiled_losses[name], values, atol=1e-3 * np.abs(values).max())
    assert gradient.size == differences(model, expected).size
    assert differences(model, expected).max() < RATE / 2
    assert np.linalg.norm(compiled_gradient - gradient) < 1e-2 * np.linalg.norm(gradient)


def test_auto_compiles_where_there_is_a_gpu(monkeypatch):
    assert not training.compiles_step({"jit_compile": "auto"})
    monkeypatch.setattr(training, "_gpus", lambda: ["a GPU"])
    assert training.compiles_step({"jit_compile": "auto"})
    assert not training.compiles_step({})


# === Checks ===


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ({"jit_compile": "yes"}, "`train.jit_compile` must be true or false or auto, got 'yes'"),
        ({"mixed_precision": 1}, "`train.mixed_precision` must be true or false, got 1"),
        ({"mixed_precison": True}, "has 'mixed_precison', .* Did you mean 'mixed_precision'"),
    ],
)
def test_a_wrong_option_is_named_before_work_starts(train, message, config, write_config):
    from deepreg.train import build_config

    path = write_config({**config, "train": {**config["train"], **train}})
    with pytest.raises(PreflightError, match=message):
        build_config(path, "logs", "run", "")


def test_all_values_pass():
    for value in (True, False, "auto"):
        training.check_options({"jit_compile": value, "mixed_precision": bool(value)})
    training.check_options({})


def test_what_costs_time_on_this_machine_is_said(monkeypatch, caplog):
    caplog.set_level(logging.WARNING)
    training.warn_of_options({"jit_compile": "auto"})
    assert not caplog.records
    training.warn_of_options({"jit_compile": True, "mixed_precision": True})
    assert "train.jit_compile is on and there is no GPU" in caplog.text
    assert "train.mixed_precision is on and there is no GPU" in caplog.text


def test_tensorflow_without_onednn_is_told_unless_it_is_the_user_s_choice(monkeypatch, caplog):
    monkeypatch.setattr(onednn, "is_on", lambda: False)
    monkeypatch.setenv(onednn.VARIABLE, "0")
    training.warn_of_options({})
    assert not caplog.records
    monkeypatch.setenv(onednn.VARIABLE, "1")  # set after TensorFlow was imported
    training.warn_of_options({})
    assert "TensorFlow runs without oneDNN" in caplog.text
    assert "set TF_ENABLE_ONEDNN_OPTS=1 in the environment" in caplog.text


@pytest.mark.parametrize(("asked", "said"), [("", 0), ("-1", 0), ("0", 1), ("1", 1), ("0,1", 1)])
def test_a_gpu_that_is_asked_for_and_not_seen_is_told(asked, said, monkeypatch, caplog):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", asked)
    monkeypatch.setattr(training, "_gpus", lambda: [])
    training.warn_of_options({})
    assert caplog.text.count(f"`-g {asked}` asks for a GPU and TensorFlow sees none") == said


@pytest.mark.parametrize(("method", "said"), [("ddf", 1), ("direct-ddf", 0)])
def test_a_method_that_trains_another_loss_on_several_gpus_is_told(
    method, said, monkeypatch, caplog
):
    monkeypatch.setattr(training, "_gpus", lambda: ["a GPU", "another"])
    training.warn_of_options({"method": method})
    assert caplog.text.count(f"On 2 GPUs the method {method!r} counts similarities 1/2") == said


@pytest.mark.parametrize(("capability", "said"), [((7, 5), 1), ((9, 0), 0), (None, 0)])
def test_a_gpu_without_bfloat16_is_told(capability, said, monkeypatch, caplog):
    monkeypatch.setattr(training, "_gpus", lambda: ["a GPU"])
    details = {"compute_capability": capability} if capability else {}
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: details)
    training.warn_of_options({"jit_compile": True, "mixed_precision": True})
    assert caplog.text.count("bfloat16 is fast from 8.0 on") == said
