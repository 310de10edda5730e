"""Files of networks from strangers: weights are taken, code is not run."""

import json
import shutil
import zipfile

import numpy as np
import pytest

import mmzoo
from mmzoo.errors import PreflightError
from mmzoo.framework import keras

IMAGES = [np.random.default_rng(0).uniform(size=(1, 8, 8, 8)).astype("float32")] * 2


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    path = tmp_path_factory.mktemp("exported") / "a.keras"
    model = mmzoo.models.dirnet(grid_spacing=[4, 4, 4])
    model.save(path)
    return path, model


def edited(path, folder, change):
    """Write a copy of a file of Keras whose config.json is changed."""
    copy = folder / "edited.keras"
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(copy, "w") as other:
        for name in archive.namelist():
            content = archive.read(name)
            if name == "config.json":
                config = json.loads(content)
                change(config)
                content = json.dumps(config).encode()
            other.writestr(name, content)
    return copy


def test_a_file_of_the_zoo_gives_what_it_was_written_from(exported):
    path, model = exported
    again = mmzoo.load_model(path)
    np.testing.assert_allclose(again(IMAGES)["ddf"], model(IMAGES)["ddf"], atol=1e-6)


def test_a_lambda_is_refused_and_not_run(tmp_path, capsys):
    image = keras.Input((2,))
    code = keras.layers.Lambda(lambda x: [x, print("this ran")][0])
    model = keras.Model(image, code(image))
    model.save(tmp_path / "a.keras")
    capsys.readouterr()
    with pytest.raises(PreflightError, match="holds Lambda of keras.layers.* trust=True"):
        mmzoo.load_model(tmp_path / "a.keras")
    assert "this ran" not in capsys.readouterr().out
    assert mmzoo.load_model(tmp_path / "a.keras", trust=True).count_params() == 0


def test_hdf5_and_savedmodels_are_refused_unless_they_are_trusted(tmp_path):
    image = keras.Input((2,))
    model = keras.Model(image, keras.layers.Dense(1)(image))
    with pytest.warns(UserWarning, match="legacy"):
        model.save(tmp_path / "a.h5")
    model.save(tmp_path / "saved", save_format="tf")
    for name in ("a.h5", "saved"):
        with pytest.raises(PreflightError, match=f"{name} runs code of its own .* trust=True"):
            mmzoo.load_model(tmp_path / name)
        assert mmzoo.load_model(tmp_path / name, trust=True).count_params() == 3


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"module": "os", "class_name": "system"}, "holds system of os"),
        ({"module": "builtins", "class_name": "function"}, "holds function of builtins"),
        ({"class_name": "TFOpLambda", "config": {"function": "io.write_file"}}, "io.write_file"),
    ],
)
def test_a_class_of_another_module_is_refused(exported, tmp_path, entry, said):
    path = edited(exported[0], tmp_path, lambda config: config.update(extra=[entry]))
    with pytest.raises(PreflightError, match=said):
        mmzoo.load_model(path)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_file_that_was_cut_is_named(exported, tmp_path, share):
    path = tmp_path / "cut.keras"
    shutil.copy(exported[0], path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(PreflightError, match="cut.keras is no file of Keras, or is damaged"):
        mmzoo.load_model(path)


def test_a_file_that_was_edited_is_named(exported, tmp_path):
    path = edited(exported[0], tmp_path, lambda config: config["config"].pop("network"))
    with pytest.raises(PreflightError, match="edited.keras cannot be loaded as a model"):
        mmzoo.load_model(path)
