"""What every loss in the table of plugins must do, whatever it computes."""

import dataclasses
import inspect
import json
import pkgutil
import re
import typing

import numpy as np
import pytest
import tensorflow as tf

from mmzoo.cli.register import register
from mmzoo.deepreg.plugins import PLUGINS
from mmzoo.framework import keras
from mmzoo.losses import Rigidity
from mmzoo.losses.base import FunctionLoss
from mmzoo.registration.similarity import LOSSES as LOSSES_OF_REGISTER

LOSSES = {p.name: pkgutil.resolve_name(p.target) for p in PLUGINS if p.category == "loss_class"}
# Those that compare two images by neighbourhood, intensity or histogram, and take a mask.
SIMILARITIES = [
    name
    for name, cls in LOSSES.items()
    if issubclass(cls, FunctionLoss) and "mask" in inspect.signature(cls.function).parameters
    if cls is not Rigidity
]
SHAPE = (7, 6, 8)
# Settings that are neither numbers nor bools, other than their defaults.
OTHERWISE = {
    "mask": "literal",
    "order": "smooth-then-normalise",
    "sigmas": (2.0,),
    "spacing": (1.0, 2.0, 1.5),
    "stencil": "nested",
}

ONE_CHANNEL = ("mi", "ncc", "nmi")
ALSO_CONSTANT = ("mind-ssc",)  # compare an image with a constant one, too

each_loss = pytest.mark.parametrize("name", LOSSES)
each_similarity = pytest.mark.parametrize("name", SIMILARITIES)


def images(batch=2, shape=SHAPE, seed=0):
    """Return two related images in (0, 1), float64."""
    draws = np.random.default_rng(seed)
    first = draws.uniform(0.05, 0.95, (batch, *shape))
    return [first, np.clip(1 - first**2 + draws.normal(0, 0.1, first.shape), 0.02, 0.98)]


def inputs_of(cls, batch=2, shape=SHAPE, seed=0):
    """Return what a loss compares: two images, a label and a field, or a field; float64."""
    draws = np.random.default_rng(seed)
    field = draws.normal(0, 0.3, (batch, *shape, 3))
    if cls is Rigidity:
        label = np.zeros((batch, *shape))
        label[:, 1:-1, 2:-1, 1:-2] = 1
        return [label, field]
    return [field] if issubclass(cls, keras.layers.Layer) else images(batch, shape, seed)


def tensors_of(name, dtype=tf.float64, **given):
    return [tf.constant(value, dtype) for value in inputs_of(LOSSES[name], **given)]


def changed_settings(cls):
    """Return settings of a class, none of which is its default."""
    other = {}
    for key, parameter in inspect.signature(cls.__init__).parameters.items():
        default = parameter.default
        if key in ("self", "reduction", "name", "kwargs", "args"):
            continue
        if key in OTHERWISE:
            other[key] = OTHERWISE[key]
        elif isinstance(default, bool):
            other[key] = not default
        else:
            assert isinstance(default, (int, float)), f"add {key} to OTHERWISE"
            other[key] = default + 2 if isinstance(default, int) else 1.5 * default
        assert other[key] != default
    return other


# === Form ===


@each_loss
def test_has_a_name_a_source_and_a_docstring(name):
    cls = LOSSES[name]
    assert cls().name == cls.__name__
    assert "Source:" in inspect.getmodule(cls).__doc__
    assert name in cls.__doc__ and "see" in cls.__doc__
    if issubclass(cls, FunctionLoss) and cls is not Rigidity:
        assert cls.function.__name__ == inspect.getmodule(cls).__name__.rpartition(".")[2] or (
            cls.function.__name__.startswith(name.replace("-", "_"))
        )
        for section in ("Args:", "Returns:", "Raises:"):
            assert section in cls.function.__doc__


@each_loss
def test_comes_back_from_its_config_with_all_settings(name):
    cls = LOSSES[name]
    loss = cls(**changed_settings(cls))
    config = json.loads(json.dumps(loss.get_config()))
    again = cls.from_config(config)
    assert json.loads(json.dumps(again.get_config())) == config
    for key, value in changed_settings(cls).items():
        assert config[key] == (list(value) if isinstance(value, tuple) else value), key
    kind = keras.layers if issubclass(cls, keras.layers.Layer) else keras.losses
    assert type(kind.deserialize(kind.serialize(loss))) is cls
    tensors = tensors_of(name)
    np.testing.assert_array_equal(again.call(*tensors), loss.call(*tensors))


@pytest.mark.parametrize("name", [n for n in LOSSES if issubclass(LOSSES[n], FunctionLoss)])
def test_the_class_hands_its_settings_to_the_function(name):
    cls = LOSSES[name]
    settings, tensors = changed_settings(cls), tensors_of(name)
    loss = cls(**settings)
    assert loss.settings == settings
    expected = cls.function(*tensors, **settings)
    assert expected.shape == (2,)
    np.testing.assert_array_equal(loss.call(*tensors), expected)
    np.testing.assert_allclose(loss(*tensors), np.mean(expected), rtol=1e-6)
    assert not settings or not np.array_equal(cls().call(*tensors), expected)


@pytest.mark.parametrize("name", [n for n in LOSSES if issubclass(LOSSES[n], FunctionLoss)])
def test_the_class_and_the_function_have_one_set_of_defaults(name):
    cls = LOSSES[name]
    function = cls.function
    for field in dataclasses.fields(cls):
        parameter = inspect.signature(function).parameters.get(field.name)
        if parameter is not None and parameter.default is not parameter.empty:
            assert field.default == parameter.default, field.name


def test_mmzoo_register_takes_every_similarity_and_its_help_names_them():
    assert set(LOSSES_OF_REGISTER) == {*SIMILARITIES, "segi-mi"}
    option = typing.get_type_hints(register, include_extras=True)["loss"].__metadata__[0]
    assert set(re.findall(r"[a-z-]+", option.help)) - {"or"} == set(LOSSES_OF_REGISTER)


# === Values ===


@each_loss
def test_the_items_of_a_batch_do_not_know_of_each_other(name):
    loss, tensors = LOSSES[name](), tensors_of(name)
    alone = [loss.call(*(t[i : i + 1] for t in tensors)) for i in range(2)]
    alone = np.reshape(alone, -1)
    together = np.asarray(loss.call(*tensors))
    np.testing.assert_allclose(together, alone if together.ndim else alone.mean(), rtol=1e-9)
    assert np.ptp(alone) > 0


@each_loss
@pytest.mark.parametrize("axes", [(1, 2, 0), (2, 1, 0)])
def test_no_axis_is_special(name, axes):
    loss = LOSSES[name]()
    given = inputs_of(LOSSES[name])
    turned = []
    for value in given:
        order = [0, *(1 + axis for axis in axes), *range(4, value.ndim)]
        value = np.transpose(value, order)
        turned.append(value[..., list(axes)] if value.ndim == 5 else value)
    expected = loss.call(*map(tf.constant, given))
    np.testing.assert_allclose(loss.call(*map(tf.constant, turned)), expected, rtol=1e-9)
    if LOSSES[name] is not Rigidity and len(given) == 2:  # and where things are matters
        mixed = [given[0], np.roll(given[1], 2, axis=1)]
        assert not np.allclose(loss.call(*map(tf.constant, mixed)), expected, rtol=1e-3)


@each_similarity
def test_swapping_the_images_changes_nothing(name):
    a, b = tensors_of(name)
    np.testing.assert_allclose(LOSSES[name].function(b, a), LOSSES[name].function(a, b), rtol=1e-11)


@each_similarity
def test_a_mask_of_ones_is_no_mask(name):
    function, (a, b) = LOSSES[name].function, tensors_of(name)
    np.testing.assert_allclose(function(a, b, tf.ones_like(a)), function(a, b), rtol=1e-12)


@each_similarity
def test_an_empty_mask_gives_zero_and_a_finite_gradient(name):
    given = tensors_of(name)
    with tf.GradientTape() as tape:
        tape.watch(given)
        value = LOSSES[name].function(*given, tf.zeros_like(given[0]))
    np.testing.assert_array_equal(value, [0, 0])
    assert all(np.isfinite(gradient).all() for gradient in tape.gradient(value, given))


@each_similarity
def test_voxels_outside_the_mask_do_not_count(name):
    function, (a, b) = LOSSES[name].function, tensors_of(name, shape=(24, 6, 8))
    mask = np.zeros(a.shape)
    mask[:, :6] = 1
    far = np.array(b)
    far[:, 16:] = 0.5  # further than any window reaches
    inside = function(a, b, tf.constant(mask))
    np.testing.assert_allclose(function(a, tf.constant(far), tf.constant(mask)), inside, rtol=1e-3)
    assert not np.allclose(function(a, tf.constant(far)), function(a, b), rtol=1e-2)


@each_similarity
def test_one_channel_is_no_channel(name):
    function, (a, b) = LOSSES[name].function, tensors_of(name)
    stacked = function(a[..., None], b[..., None])
    np.testing.assert_allclose(stacked, function(a, b), rtol=1e-12)


@each_similarity
def test_channels_are_averaged_or_refused(name):
    function, (a, b) = LOSSES[name].function, tensors_of(name)
    pair = tf.stack([a, b], -1), tf.stack([b, b], -1)
    if name in ONE_CHANNEL:
        with pytest.raises(ValueError, match="must have one channel, got 2"):
            function(*pair)
    else:
        mean = (function(a, b) + function(b, b)) / 2
        np.testing.assert_allclose(function(*pair), mean, rtol=1e-11)


@each_similarity
def test_images_of_two_shapes_are_refused(name):
    with pytest.raises(ValueError, match=r"same shape, got \(1, 4, 4, 4\) and \(1, 4, 4, 5\)"):
        LOSSES[name].function(tf.zeros((1, 4, 4, 4)), tf.zeros((1, 4, 4, 5)))


@each_loss
@pytest.mark.parametrize("both", [True, False])
@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_constant_input_gives_a_finite_value_and_gradient(name, both, dtype):
    tensors = tensors_of(name, dtype)
    constant = [tf.fill(t.shape, tf.constant(0.3, t.dtype)) for t in tensors]
    given = constant if both else [*tensors[:-1], constant[-1]]
    with tf.GradientTape() as tape:
        tape.watch(given)
        value = LOSSES[name]().call(*given)
    assert np.isfinite(value).all()
    if name in SIMILARITIES and (both or name not in ALSO_CONSTANT):
        np.testing.assert_allclose(value, 0, atol=1e-4)
    for gradient in tape.gradient(value, given):
        assert gradient is None or np.isfinite(tf.convert_to_tensor(gradient)).all()


@each_loss
def test_nan_is_not_hidden_and_stays_in_its_item(name):
    given = inputs_of(LOSSES[name])
    given[-1][1, 3, 3, 3] = np.nan
    value = np.asarray(LOSSES[name]().call(*map(tf.constant, given)))
    assert np.isnan(value).tolist() == ([False, True] if value.ndim else True)


# === Gradients, types and graphs ===


@each_loss
@pytest.mark.parametrize("changed", [False, True])
def test_gradient_agrees_with_finite_differences(name, changed):
    cls = LOSSES[name]
    # No gradient goes through the mask that Rigidity carries along with the field.
    usual = {"mask": "literal"} if cls is Rigidity else {}
    loss, given = cls(**(changed_settings(cls) if changed else usual)), tensors_of(name)
    weights = tf.constant([1.0, -3.0], tf.float64)

    def total(*tensors):
        value = loss.call(*tensors)
        return tf.reduce_sum(weights * value if value.shape.rank else value)

    with tf.GradientTape() as tape:
        tape.watch(given)
        value = total(*given)
    gradients = tape.gradient(value, given)
    draws = np.random.default_rng(1)
    for which in range(cls is Rigidity, len(given)):  # of a label there is none
        gradient = tf.convert_to_tensor(gradients[which]).numpy()
        for _ in range(3):
            direction = draws.normal(size=gradient.shape)
            sides = []
            for step in (1e-5, -1e-5):
                moved = list(given)
                moved[which] = given[which] + step * direction
                sides.append(float(total(*moved)))
            expected = (sides[0] - sides[1]) / 2e-5
            assert (gradient * direction).sum() == pytest.approx(expected, rel=1e-3, abs=1e-6)


@each_loss
def test_single_precision_agrees_with_double(name):
    loss = LOSSES[name]()
    single = loss.call(*tensors_of(name, tf.float32))
    assert single.dtype == tf.float32
    np.testing.assert_allclose(single, loss.call(*tensors_of(name)), rtol=1e-3, atol=1e-5)


@each_loss
def test_takes_half_precision(name):
    half = LOSSES[name]().call(*tensors_of(name, tf.bfloat16))
    np.testing.assert_allclose(
        tf.cast(half, tf.float64), LOSSES[name]().call(*tensors_of(name)), rtol=0.05
    )


@each_loss
def test_a_graph_that_does_not_know_the_batch_gives_the_eager_value(name):
    tensors = tensors_of(name, tf.float32)
    signature = [tf.TensorSpec((None, *t.shape[1:]), t.dtype) for t in tensors]
    graph = tf.function(LOSSES[name]().call, input_signature=signature)
    expected = LOSSES[name]().call(*tensors)
    np.testing.assert_allclose(graph(*tensors), expected, rtol=1e-5, atol=1e-7)


@each_loss
def test_takes_symbolic_tensors_as_deepreg_builds_its_models(name):
    tensors = tensors_of(name, tf.float32)
    inputs = [keras.Input(t.shape[1:]) for t in tensors]
    model = keras.Model(inputs, LOSSES[name]().call(*inputs))
    expected = LOSSES[name]().call(*tensors)
    np.testing.assert_allclose(model(tensors), expected, rtol=1e-5, atol=1e-7)
