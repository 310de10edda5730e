"""What a training, a preset or one Keras has left is the same model in the other."""

import os
import subprocess
import sys

import numpy as np
import pytest
from helpers_models import SMALL, small
from helpers_runs import random_pair, write_run

import mmzoo
from mmzoo.deepreg import presets
from mmzoo.inference import packing

# Reads each file, run and preset that it is given, writes what the models say, and the models.
READ = """
import sys
from pathlib import Path
import keras
import numpy as np
import mmzoo
folder, *runs = sys.argv[1:]
pair = dict(np.load(folder + "/pair.npz"))
for source in [*Path(folder).glob("*.keras"), *runs]:
    name = Path(source).stem
    model = mmzoo.load_model(source, translated=True) if name == "deform-gan" else (
        mmzoo.load_model(source)
    )
    assert isinstance(model, keras.Model)
    translates = name == "translator"
    found = {"image": model(pair["moving"][..., None])} if translates else model(pair)
    np.savez(f"{folder}/found/{name}.npz", **found)
    model.save(f"{folder}/found/{name}.keras")
assert keras.__version__.startswith("3.") and "deepreg" not in sys.modules
"""


def outputs(model, pair: dict) -> dict:
    if type(model).__name__ == "Translator":
        return {"image": model(pair["moving"][..., None])}
    return model(pair)


@pytest.fixture(scope="module")
def read_in_keras_3(runs, tmp_path_factory):
    """Return (folder, models by name), after a program with Keras 3 has read and written them."""
    folder = tmp_path_factory.mktemp("either")
    (folder / "found").mkdir()
    models = {name: small(name) for name in SMALL}
    for model in models.values():
        for variable in model.weights:
            if "moving_mean" in variable.name:
                variable.assign(np.random.default_rng(0).normal(0, 0.1, variable.shape))
    parts = mmzoo.networks.translation
    models["translator"] = mmzoo.models.translator(
        generator=parts.UNetGenerator(num_channel_initial=2, depth=1),
        discriminator=parts.StridedDiscriminator(channels=(2, 3)),
    )
    models["translator"].build_networks((16, 16, 16))
    models["dirnet"].compile("adam", loss={"warped": mmzoo.losses.SEGI(sigmas=[2.0])})
    for name, model in models.items():
        outputs(model, random_pair())
        model.save(folder / f"{name}.keras")
    sources = [runs["bidirectional-ddf"], runs["deform-gan"], runs["rigidity-ddf"]]
    for source in sources:
        models[source.name] = mmzoo.load_model(source, translated=source.name == "deform-gan")
    packed = write_run(folder / "packed", "labels-ddf")
    environment = {**os.environ, "TF_USE_LEGACY_KERAS": "0", presets.VARIABLE: str(folder / "own")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(presets.VARIABLE, environment[presets.VARIABLE])
        out = packing.pack(packed, folder / "boxes.npz", title="Boxes", licence="Apache-2.0")
        packing.add(str(out), presets.checksum(out))
        models["boxes"] = mmzoo.load_model("boxes")
    np.savez(folder / "pair.npz", **random_pair())
    command = [sys.executable, "-c", READ, str(folder), *map(str, sources), "boxes"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr[-3000:]
    return folder, models


@pytest.mark.parametrize(
    "name", [*SMALL, "translator", "bidirectional-ddf", "deform-gan", "rigidity-ddf", "boxes"]
)
def test_the_other_keras_gives_the_same_and_what_it_saves_is_read(read_in_keras_3, name):
    folder, models = read_in_keras_3
    pair = random_pair()
    expected = outputs(models[name], pair)
    assert max(np.abs(value).max() for value in expected.values()) > 1e-3
    for found in (
        dict(np.load(folder / "found" / f"{name}.npz")),
        outputs(mmzoo.load_model(folder / "found" / f"{name}.keras"), pair),
    ):
        assert sorted(found) == sorted(expected)
        for key in expected:
            np.testing.assert_allclose(found[key], expected[key], atol=1e-5)


def test_a_model_of_the_users_own_from_the_other_keras_is_named(tmp_path):
    program = (
        "import sys, keras\nimage = keras.Input((2,))\n"
        "keras.Model(image, keras.layers.Dense(1)(image)).save(sys.argv[1])\n"
    )
    path = tmp_path / "own.keras"
    subprocess.run([sys.executable, "-c", program, str(path)], check=True, capture_output=True)
    with pytest.raises(ValueError, match="Keras 3 wrote it, .* runs Keras 2.* unset TF_USE_LEGACY"):
        mmzoo.load_model(path)


TRAIN = """
import sys
import keras
import numpy as np
import mmzoo
from mmzoo.phantoms.case import make_case
from mmzoo.phantoms.settings import PhantomSettings

heart = PhantomSettings("heart", size=(16, 16, 16))
pairs = [[make_case(heart, kind, person)[0] for person in (0, 1)] for kind in ("mr", "ct")]
moving, fixed = ((np.array(p) - np.min(p)) / np.ptp(p) for p in pairs)
model = mmzoo.models.mmregnet()
model.compile(keras.optimizers.Adam(1e-4), loss={"warped": mmzoo.losses.SEGI()})
history = model.fit([moving, fixed], {"warped": fixed}, epochs=10, verbose=0).history["loss"]
trained = mmzoo.load_model(sys.argv[1])
print(history[-1] < history[0], trained.predict([moving, fixed], verbose=0)["ddf"].shape)
"""


@pytest.mark.long
def test_a_program_with_keras_3_trains_on_phantoms_and_loads_a_training_of_deepreg(runs):
    environment = {**os.environ, "TF_USE_LEGACY_KERAS": "0"}
    command = [sys.executable, "-c", TRAIN, str(runs["bidirectional-ddf"])]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert ended.stdout == "True (2, 16, 16, 16, 3)\n", ended.stderr[-3000:]
