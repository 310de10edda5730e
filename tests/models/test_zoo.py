"""The papers' networks as plain Keras models: what goes in and out, sizes, training."""

import importlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from helpers_models import SMALL, small
from helpers_runs import random_pair

import mmzoo
from mmzoo import framework

SIZES = {"mmregnet": (16, 32, 16), "deform_gan": (8, 6, 10)}  # odd ones for the others
PARAMETERS = {
    "mmregnet": 317_470,
    "voxelmorph": 300_547,
    "dirnet": 114_691,
    "additive_unet": 79_335,
}


@pytest.mark.parametrize("name", SMALL)
def test_a_model_for_any_size_gives_what_one_of_that_size_does_in_a_graph_too(name):
    size = SIZES.get(name, (9, 14, 11))
    pair = random_pair(size, batch=2)
    any_size, of_size = small(name), small(name, size)
    # Kernels of Keras's own draw leave a network of one channel without a field now and then.
    rng = np.random.default_rng(0)
    weights = [
        rng.normal(0, np.prod(w.shape[:-1]) ** -0.5, w.shape) if w.ndim == 5 else w
        for w in any_size.get_weights()
    ]
    for model in (any_size, of_size):
        model.set_weights(weights)
    expected = of_size(pair)
    assert np.abs(expected["ddf"]).max() > 1e-3
    unknown = [tf.TensorSpec((None,) * 4, tf.float32, side) for side in pair]
    graph = tf.function(lambda moving, fixed: any_size([moving, fixed]), input_signature=unknown)
    for found in (any_size(pair), graph(**pair)):
        assert sorted(found) == sorted(expected)
        for key in expected:
            assert found[key].shape == (2, *size, 3)[: 5 if key.endswith("ddf") else 4]
            np.testing.assert_allclose(found[key], expected[key], atol=2e-6)


def test_two_way_fields_warp_both_images():
    from mmzoo.ops.warp import warp

    pair = random_pair()
    found = small("mmregnet")(pair)
    np.testing.assert_allclose(found["warped"], warp(pair["moving"], found["ddf"]), atol=1e-6)
    back = warp(pair["fixed"], found["backward_ddf"])
    np.testing.assert_allclose(found["backward_warped"], back, atol=1e-6)


def test_deform_gan_sees_images_from_minus_one_to_one():
    pair = random_pair()
    model = small("deform_gan")
    network = model.get_layer("DeformGANUNet")
    seen = 2 * tf.stack([pair["moving"], pair["fixed"]], axis=-1) - 1
    np.testing.assert_allclose(model(pair)["ddf"], network(seen), atol=1e-6)
    translated = model.get_layer("UNetGenerator")(2 * model(pair)["warped"][..., None] - 1)
    expected = (translated[..., 0] + 1) / 2
    np.testing.assert_allclose(model(pair)["translated"], expected, atol=1e-6)


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_defaults_are_the_papers(name):
    model = getattr(mmzoo.models, name)()
    assert sum(int(np.prod(v.shape)) for v in model.trainable_weights) == PARAMETERS[name]
    assert np.abs(model(random_pair())["ddf"]).max() < 1e-2  # next to the identity


def test_learns_by_compile_and_fit_with_a_loss_of_the_zoo():
    pair = random_pair(batch=2)
    model = small("dirnet")
    model.compile("adam", loss={"warped": mmzoo.losses.NCC()})
    history = model.fit(pair, {"warped": pair["fixed"]}, epochs=3, verbose=0).history["loss"]
    assert history[-1] < history[0]


def test_the_translator_has_the_papers_terms_and_other_networks_if_given():
    translator = mmzoo.models.translator(l1_weight=7.0, conditional=False)
    assert translator.l1_weight == 7 and translator.constraint_weight == 5
    assert type(translator.constraint).__name__ == "LocalGradient"
    own = mmzoo.networks.translation.UNetGenerator(num_channel_initial=2, depth=1)
    assert mmzoo.models.translator(generator=own).generator is own


def test_a_size_or_a_network_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="multiple of 16, got"):
        mmzoo.models.mmregnet((16, 16, 20))
    with pytest.raises(ValueError, match="one or two fields of 3 channels, got 4 channels"):
        small("additive_unet", out_channels=4)
    graph = tf.function(
        lambda pair: small_mmregnet(pair)["ddf"],
        input_signature=[[tf.TensorSpec((None,) * 4)] * 2],
    )
    small_mmregnet = small("mmregnet")
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be a multiple of 16"):
        graph([tf.zeros((1, 16, 16, 20))] * 2)


def test_objects_of_the_other_keras_are_named_with_the_remedy():
    other = {2: "keras", 3: "tf_keras"}[framework.VERSION]
    adam = importlib.import_module(f"{other}.optimizers").Adam
    loss = importlib.import_module(f"{other}.losses").MeanSquaredError()
    said = (
        f"is of .*{framework.NAMES[other][:7]}.* of {framework.NAMES[framework.NAME][:7]}.*: take"
    )
    said += f" it from the package {framework.NAME}, or .*TF_USE_LEGACY_KERAS"
    model = small("dirnet")
    with pytest.raises(TypeError, match=f"Adam {said}"):
        model.compile(adam(), loss={"warped": mmzoo.losses.NCC()})
    with pytest.raises(TypeError, match=f"MeanSquaredError {said}"):
        model.compile("adam", loss={"warped": loss})
    tiny = mmzoo.networks.translation.UNetGenerator(num_channel_initial=2, depth=1)
    with pytest.raises(TypeError, match=f"Adam {said}"):
        mmzoo.models.translator(generator=tiny).compile("adam", discriminator_optimizer=adam())


def test_needs_neither_deepreg_nor_more_than_a_moment():
    program = (
        "import sys, mmzoo\n"
        "assert not {'tensorflow', 'numpy', 'tf_keras'} & set(sys.modules)\n"
        "class Block:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('deepreg', 'yaml'): raise ImportError(name)\n"
        "sys.meta_path.insert(0, Block())\n"
        "model = mmzoo.models.dirnet((8, 8, 8))\n"
        "print(mmzoo.losses.SEGI().name, model.name)\n"
        "try: mmzoo.nothing\n"
        "except AttributeError as error: print(error)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.stdout.splitlines() == [
        "SEGI DIRNet",
        "module 'mmzoo' has no attribute 'nothing'",
    ], ended.stderr[-2000:]
