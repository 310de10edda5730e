"""Trained networks out of a run's folder, and messages where there is none."""

import numpy as np
import pytest
from helpers_runs import GLOROT, METHODS, SIZE, random_pair, write_run

import mmzoo
from mmzoo.framework import keras
from mmzoo.inference.export import export
from mmzoo.inference.loading import build_method, load_model
from mmzoo.inference.runs import open_run

TWO_WAY = {"pred_moving_image": "backward_warped", "backward_ddf": "backward_ddf"}


def outputs_of_deepreg(run, pair):
    method = build_method(open_run(run))
    inputs = {f"{name}_image": image for name, image in pair.items()}
    return method, method({**inputs, "indices": np.zeros((1, 2), np.float32)})


@pytest.mark.parametrize("method", METHODS)
def test_the_model_gives_what_the_method_predicts_by_name(runs, method):
    pair = random_pair()
    _, theirs = outputs_of_deepreg(runs[method], pair)
    model = mmzoo.load_model(runs[method])
    assert isinstance(model, keras.Model) and model.input_names == ["moving", "fixed"]
    ours = model(pair)
    names = {"ddf": "ddf", "pred_fixed_image": "warped", **TWO_WAY}
    names = {theirs_: ours_ for theirs_, ours_ in names.items() if theirs_ in theirs}
    assert sorted(ours) == sorted(names.values())
    for name, mine in names.items():
        np.testing.assert_allclose(ours[mine], theirs[name], atol=1e-6)
    assert np.abs(ours["ddf"]).max() > 1e-3
    in_order = model([pair["moving"], pair["fixed"]])
    np.testing.assert_array_equal(in_order["ddf"], ours["ddf"])


def test_another_size_than_that_of_the_training_and_a_fixed_one(runs):
    pair = random_pair((16, 32, 48))
    any_size = mmzoo.load_model(runs["bidirectional-ddf"])
    of_size = mmzoo.load_model(runs["bidirectional-ddf"], image_size=(16, 32, 48))
    assert of_size.inputs[0].shape == (None, 16, 32, 48)
    np.testing.assert_allclose(any_size(pair)["ddf"], of_size(pair)["ddf"], atol=1e-6)
    with pytest.raises(ValueError, match="multiple of 16, got"):
        mmzoo.load_model(runs["bidirectional-ddf"], image_size=(16, 20, 48))
    with pytest.raises(ValueError, match="multiple of 16, got"):
        any_size(random_pair((16, 20, 48)))


def test_deform_gan_translates_when_asked(runs):
    pair = random_pair()
    method, theirs = outputs_of_deepreg(runs["deform-gan"], pair)
    source = 2 * theirs["pred_fixed_image"][..., None] - 1
    expected = (method.translator(source)[..., 0] + 1) / 2
    translated = mmzoo.load_model(runs["deform-gan"], translated=True)(pair)["translated"]
    np.testing.assert_allclose(translated, expected, atol=1e-6)
    with pytest.raises(ValueError, match="deform-gan makes, .* method 'direct-ddf'"):
        mmzoo.load_model(runs["direct-ddf"], translated=True)


def test_the_last_checkpoint_of_a_run_or_the_one_that_is_named(runs, monkeypatch):
    folder = runs["direct-ddf"]
    assert open_run(folder).checkpoint.endswith("save/ckpt-10")
    assert open_run(folder / "save" / "ckpt-2").checkpoint.endswith("save/ckpt-2")
    monkeypatch.chdir(folder.parent.parent)
    assert open_run(folder.name, log_root=folder.parent.name).image_size == SIZE
    earlier, last = (load_model(folder / "save" / f"ckpt-{n}")(random_pair()) for n in (2, 10))
    assert np.abs(earlier["ddf"] - last["ddf"]).max() > 1e-3


def test_what_is_no_run_gets_a_message_with_the_closest_name(runs, tmp_path):
    folder = runs["direct-ddf"]
    with pytest.raises(ValueError, match=r"no training .*did you mean .*/direct-ddf\?"):
        open_run(folder.with_name("direct-df"))
    with pytest.raises(ValueError, match=r"no training .*did you mean .*/ckpt-10\?"):
        open_run(folder / "save" / "ckpt-11")
    with pytest.raises(ValueError, match="has no checkpoint: expected save/ckpt-EPOCHS"):
        open_run(tmp_path)
    (tmp_path / "save").mkdir()
    (tmp_path / "save" / "ckpt-1.index").touch()
    with pytest.raises(ValueError, match=r"needs the config.yaml .* there is no .*config.yaml"):
        open_run(tmp_path)


def test_deepregs_own_methods_are_refused(trained):
    with pytest.raises(ValueError, match="method 'ddf', which is not the zoo's.*direct-ddf"):
        mmzoo.load_model(trained)


def test_a_checkpoint_of_another_network_is_refused(runs, tmp_path):
    run = open_run(runs["direct-ddf"])
    run.config["train"]["backbone"]["encoder"] = [2, 3]
    with pytest.raises(ValueError, match="is of another model"):
        load_model(run)


def test_a_network_of_deepregs_own_keeps_the_size_of_its_training(tmp_path):
    unet = {"name": "unet", "depth": 1, "num_channel_initial": 2, **GLOROT}
    run = write_run(tmp_path / "run", "direct-ddf", unet)
    pair = random_pair()
    _, theirs = outputs_of_deepreg(run, pair)
    np.testing.assert_allclose(load_model(run)(pair)["ddf"], theirs["ddf"], atol=1e-6)
    with pytest.raises(ValueError, match="DeepReg's own and takes images of .*16, 16, 16"):
        load_model(run, image_size=(32, 32, 32))
    with pytest.raises(ValueError, match="DeepReg's own, which Keras cannot save; .*savedmodel"):
        export(run, tmp_path / "x.keras", "keras")
    assert not (tmp_path / "x.keras").exists()
