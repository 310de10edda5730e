"""Every network, layer and loss of the zoo is saved by Keras and comes back the same."""

import subprocess
import sys

import numpy as np
import pytest
from helpers_models import SMALL, small
from helpers_runs import random_pair

import mmzoo
from mmzoo.deepreg.plugins import PLUGINS
from mmzoo.framework import keras

ARGUMENTS = {
    "BSplineField": {"shape": None, "spacing": (4, 4, 4)},
    "ConvBlock": {"filters": 2, "kernel_size": 3},
    "RandomAffine": {"moving_image_size": (8,) * 3, "fixed_image_size": (8,) * 3, "batch_size": 1},
    "Resize": {"shape": (4, 5, 6)},
}
ARGUMENTS["RandomContrast"] = ARGUMENTS["RandomShapes"] = ARGUMENTS["RandomAffine"]
ARGUMENTS["RandomDeformation"] = {**ARGUMENTS["RandomAffine"], "size": 2.0}


def classes():
    """Return every class of Keras in the public rooms and in the table of plugins."""
    import pkgutil

    bases = (keras.Model, keras.layers.Layer, keras.losses.Loss)
    found = {}
    networks = mmzoo.networks
    for module in (mmzoo.layers, mmzoo.losses, networks.registration, networks.translation):
        found |= {name: getattr(module, name) for name in module.__all__}
    for plugin in PLUGINS:
        if plugin.category != "model_class":  # what DeepReg trains is no layer of a user's
            found[plugin.target.partition(":")[2]] = pkgutil.resolve_name(plugin.target)
    kinds = {name: cls for name, cls in found.items() if isinstance(cls, type)}
    return {name: cls for name, cls in kinds.items() if issubclass(cls, bases)}


@pytest.mark.parametrize("name", sorted(classes()))
def test_is_registered_and_comes_back_from_its_serialised_form(name):
    cls = classes()[name]
    assert keras.saving.get_registered_name(cls) == f"mmzoo>{name}"
    made = mmzoo.models.translator() if name == "Translator" else cls(**ARGUMENTS.get(name, {}))
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(made))
    assert type(again) is cls
    config, expected = again.get_config(), made.get_config()
    assert list(config) == list(expected)
    plain = ("image_size", "name", "reduction", "spacing", "channels", "shape")
    for key in set(expected) & set(plain):
        assert config[key] == expected[key], key


PROGRAM = """
import sys
import numpy as np
import mmzoo.models
from mmzoo.framework import keras
assert "deepreg" not in sys.modules
for name in sys.argv[1:]:
    data = dict(np.load(name + ".npz"))
    model = keras.models.load_model(name + ".keras")
    if "source" in data:
        found = {"translated": model(data.pop("source"))}
    else:
        found = model({side: data.pop(side) for side in ("moving", "fixed")})
    for key, expected in data.items():
        np.testing.assert_allclose(found[key], expected, atol=1e-6)
    loss = getattr(model, "loss", None)  # of those that were compiled
    print(name.rpartition("/")[2], loss and type(loss["warped"]).__name__)
"""


def test_saved_models_give_the_same_in_a_fresh_process(tmp_path):
    pair = random_pair()
    for name in SMALL:
        model = small(name)
        for variable in model.weights:
            if "moving_mean" in variable.name:
                variable.assign(np.random.default_rng(0).normal(0, 0.1, variable.shape))
        if name == "dirnet":
            model.compile("adam", loss={"warped": mmzoo.losses.SEGI(sigmas=[2.0])})
        model.save(tmp_path / f"{name}.keras")
        np.savez(tmp_path / f"{name}.npz", **pair, **model(pair))
    tiny = mmzoo.networks.translation.UNetGenerator(num_channel_initial=2, depth=1)
    translator = mmzoo.models.translator(generator=tiny)
    translator.build_networks((16, 16, 16))
    source = pair["moving"][..., None]
    np.savez(tmp_path / "translator.npz", source=source, translated=translator(source))
    translator.save(tmp_path / "translator.keras")
    names = [*SMALL, "translator"]
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, *(str(tmp_path / name) for name in names)],
        capture_output=True,
        text=True,
    )
    losses = {"dirnet": "SEGI"}
    assert ended.stdout.splitlines() == [f"{n} {losses.get(n)}" for n in names], ended.stderr[
        -2000:
    ]
