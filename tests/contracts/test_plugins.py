"""What each row of the table of plugins must have, and what backbones and augmentations must do."""

import inspect
import json
import pkgutil
import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from deepreg.registry import REGISTRY

from mmzoo.deepreg.methods.base import Method, hooks_of
from mmzoo.deepreg.plugins import PLUGINS

REPOSITORY = Path(__file__).parents[2]
BACKBONES = [row.name for row in PLUGINS if row.category == "backbone_class"]
METHODS = [row for row in PLUGINS if row.category == "model_class"]
AUGMENTATIONS = [row.name for row in PLUGINS if row.category == "da_class"]
SIZE = (16, 32, 16)
# Smaller than the papers' networks.
SMALL = {
    "additive-unet": {"num_channel_initial": 2},
    "cost-volume": {"encoder": [2, 2], "decoder": [2] * 3, "searches": [[2, 1, 2]], "steps": 1},
    "deform-gan-unet": {"num_channel_initial": 2, "depth": 1},
    "dirnet": {"num_channels": 4, "grid_spacing": [4, 2, 8]},
    "mmregnet": {"num_channel_initial": 1},
    "synthmorph": {"encoder": [2, 2], "decoder": [2] * 3},
    "voxelmorph": {"encoder": [2, 2], "decoder": [2] * 5},
}

# None of them the default.
SETTINGS: dict[str, dict] = {
    "random-affine": {"scale": 0.05},
    "random-deformation": {"size": 20.0, "rotation": 5.0, "keep_undeformed": True},
    "random-contrast": {"structures": 2, "turn": 4.0, "move": 1.0, "mirror": False},
    "random-shapes": {"count": 7, "coarse": 12.0, "fine": 3.0},
}

each_row = pytest.mark.parametrize("row", PLUGINS, ids=lambda row: row.name)
each_backbone = pytest.mark.parametrize("name", BACKBONES)
each_augmentation = pytest.mark.parametrize("name", AUGMENTATIONS)
each_method = pytest.mark.parametrize("row", METHODS, ids=lambda row: row.name)


@each_row
def test_says_what_it_is_and_where_it_is_from(row):
    cls = pkgutil.resolve_name(row.target)
    assert cls.__doc__ and cls.__name__ == row.target.partition(":")[2]
    assert re.search(r"\bSource\b", inspect.getmodule(cls).__doc__)


@pytest.mark.skipif(not (REPOSITORY / "docs").is_dir(), reason="needs a checkout")
@each_row
def test_is_in_the_docs(row):
    pages = [path.read_text() for path in (REPOSITORY / "docs").glob("*.md")]
    named = re.compile(rf"(?<![\w-]){re.escape(row.name)}(?![\w-])")
    assert any(named.search(page) for page in pages), f"name `{row.name}` in a page of docs/"


# === Methods ===


@each_method
def test_a_method_has_its_name_and_the_hooks(row):
    cls = pkgutil.resolve_name(row.target)
    assert issubclass(cls, Method) and cls.method == row.name
    assert hooks_of(cls) is cls
    assert set(cls.needs_labels) <= {"label", "rigidity"}
    for hook in ("check_config", "build_optimizers", "pair_loss"):
        own, base = (inspect.signature(getattr(each, hook)) for each in (cls, Method))
        assert list(own.parameters) == list(base.parameters), hook


def test_a_method_of_deepreg_has_the_hooks_defaults():
    assert hooks_of(REGISTRY.get("model_class", "ddf")) is Method
    assert (Method.loss_settings, Method.needs_labels, Method.all_labels) == ((), (), False)
    Method.check_config({"translator": "nonsense"})


# === Backbones ===


def build(name, size=SIZE, **settings):
    defaults = {
        "image_size": size,
        "out_channels": 3,
        "out_kernel_initializer": "glorot_uniform",
        "out_activation": None,
    }
    config = {"name": name, **SMALL[name], **settings}
    return REGISTRY.build_backbone(config=config, default_args=defaults)


@each_backbone
def test_the_items_of_a_batch_do_not_know_of_each_other(name):
    network = build(name)
    pair = tf.random.stateless_uniform((2, *SIZE, 2), (1, 2))
    together = network(pair, training=False)
    for item in range(2):
        alone = network(pair[item : item + 1], training=False)
        np.testing.assert_allclose(together[item : item + 1], alone, rtol=1e-4, atol=1e-5)
    assert np.abs(together[0] - together[1]).max() > 1e-3


@each_backbone
def test_starts_at_the_identity_where_deepreg_asks_for_zeros(name):
    # The first field is not zero: without it the network's is.
    searches = {"searches": [], "steps": 0} if name == "cost-volume" else {}
    network = build(name, out_kernel_initializer="zeros", **searches)
    field = network(tf.random.stateless_uniform((1, *SIZE, 2), (1, 2)), training=False)
    assert field.shape[-1] in (3, 6)
    np.testing.assert_array_equal(field, np.zeros(field.shape))


@each_backbone
def test_sees_which_image_is_moving(name):
    network, pair = build(name), tf.random.stateless_uniform((1, *SIZE, 2), (1, 2))
    assert np.abs(network(pair) - network(pair[..., ::-1])).max() > 1e-4


@each_backbone
def test_every_parameter_gets_a_gradient(name):
    network, pair = build(name), tf.random.stateless_uniform((2, *SIZE, 2), (1, 2))
    with tf.GradientTape() as tape:
        value = tf.reduce_mean(network(pair, training=True) ** 2)
    gradients = tape.gradient(value, network.trainable_variables)
    for variable, gradient in zip(network.trainable_variables, gradients, strict=True):
        assert gradient is not None and np.abs(gradient).max() > 0, variable.name


@each_backbone
def test_comes_back_from_its_config_with_all_settings(name):
    network = build(name)
    config = json.loads(json.dumps(network.get_config()))
    assert SMALL[name].items() <= config.items()
    taken = inspect.signature(type(network).__init__).parameters.keys()
    # A velocity has three channels, and a network that needs no other takes no other.
    assert taken - config.keys() <= {"self", "kwargs", "out_channels"}
    again = type(network).from_config(config)
    assert json.loads(json.dumps(again.get_config())) == config


@each_backbone
def test_a_graph_that_knows_no_size_gives_the_same_field(name):
    known, free = build(name), build(name, size=None)
    pair = tf.random.stateless_uniform((2, *SIZE, 2), (1, 2))
    expected = known(pair, training=False)
    free(pair, training=False)
    free.set_weights(known.get_weights())
    signature = [tf.TensorSpec((None, None, None, None, 2))]
    graph = tf.function(lambda pair: free(pair, training=False), input_signature=signature)
    np.testing.assert_allclose(graph(pair), expected, rtol=1e-4, atol=1e-5)


@each_backbone
def test_a_constant_pair_gives_a_finite_field_and_nan_is_not_hidden(name):
    network = build(name)
    constant = np.full((2, *SIZE, 2), 0.3, np.float32)
    assert np.isfinite(network(constant, training=False)).all()
    constant[1, 8, 8, 8, 0] = np.nan
    field = network(constant, training=False).numpy()
    assert np.isfinite(field[0]).all() and np.isnan(field[1]).any()


# === Augmentations ===


def build_augmentation(name, **settings):
    sizes = {"moving_image_size": SIZE, "fixed_image_size": SIZE, "batch_size": 2}
    return REGISTRY.build_data_augmentation({"name": name, **settings}, default_args=sizes)


@each_augmentation
def test_draws_anew_for_each_batch_and_the_same_for_the_same_seed(name):
    layer, sides = build_augmentation(name), ("moving", "fixed")
    batch = {f"{side}_image": tf.random.stateless_uniform((2, *SIZE), (1, 2)) for side in sides}
    if name in ("random-contrast", "random-shapes"):
        labels = tf.one_hot(tf.cast(4 * batch["moving_image"], tf.int32), 3)
        batch |= {f"{side}_label": labels for side in sides}
    changed = "moving_label" if name == "random-shapes" else "moving_image"

    def run():
        tf.random.set_seed(3)
        data = tf.data.Dataset.from_tensors(batch).repeat(3).map(layer)
        return [drawn[changed].numpy() for drawn in data]

    first, again = run(), run()
    assert np.abs(first[0] - first[1]).max() > 0.05
    np.testing.assert_array_equal(first, again)


@each_augmentation
def test_an_augmentation_comes_back_from_its_config_with_all_settings(name):
    layer = build_augmentation(name, **SETTINGS[name])
    config = json.loads(json.dumps(layer.get_config()))
    assert SETTINGS[name].items() <= config.items()
    taken = inspect.signature(type(layer).__init__).parameters.keys()
    assert taken - config.keys() == {"self", "kwargs"}
    again = type(layer).from_config(config)
    assert json.loads(json.dumps(again.get_config())) == config
