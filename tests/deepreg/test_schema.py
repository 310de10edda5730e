"""Keys and values of a configuration, checked before any work starts."""

import copy
from pathlib import Path

import pytest
import yaml

from mmzoo.config_merge import merge_files
from mmzoo.deepreg import schema
from mmzoo.deepreg.catalogue import config_folder
from mmzoo.deepreg.preflight.configuration import check_keys
from mmzoo.errors import PreflightError

DOCS = Path(__file__).parents[2] / "docs/training.md"
FOLDERS = {"train": "a", "valid": None, "test": ["b", "c"]}
DATASET = {"dir": FOLDERS, "format": "nifti", "type": "paired", "labeled": True}


def changed(config, name, value):
    config = copy.deepcopy(config)
    *sections, key = name.split(".")
    target = config
    for section in sections:
        target = target[section]
    target[key] = value
    return config


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("train.steps_per_epochs", 3, "'steps_per_epochs'.* Did you mean 'steps_per_epoch'"),
        ("train.los", {}, "'los', which is no key of it. Did you mean 'loss'"),
        ("train.optimiser", {}, "'optimiser'.* Did you mean 'optimizer'"),
        ("trian", {}, "The configuration has 'trian'.* Did you mean 'train'"),
        ("dataset.labelled", True, "`dataset` has 'labelled'.* Did you mean 'labeled'"),
        ("dataset.dir.vaild", None, "`dataset.dir` has 'vaild'.* Did you mean 'valid'"),
        ("train.preprocess.batchsize", 1, "`train.preprocess` has.* Did you mean 'batch_size'"),
        ("predict", {"interpol": 1}, "`predict` has 'interpol'.* Did you mean 'interpolation'"),
        ("train.optimizer.learning_rate", "1e-4", "YAML reads 1e-4 as text; write 1.0e-4"),
        ("train.optimizer.learning_rate", "1E4", "YAML reads 1E4 as text; write 1.0e"),
        ("train.optimizer.learning_rate", "0.1", "number, got the text '0.1'; take the quotes"),
        ("train.optimizer.learning_rate", float("nan"), "`train.optimizer.l.* must be a finite"),
        ("train.optimizer.learning_rate", -1, "must be a number above 0, or a schedule.*got -1"),
        (
            "train.loss.image.weight",
            "1",
            "image.weight` must be a number, got the text",
        ),
        ("train.loss.image.weight", float("nan"), "must be a finite number"),
        ("train.loss.image.weight", None, "`train.loss.image.weight` must be a number: .* None"),
        ("train.loss.image", "ssd", "`train.loss.image` must be sections with a name"),
        ("train.preprocess.batch_size", 0, "batch_size` must be a whole number above 0.*got 0"),
        ("train.epochs", "x", "`train.epochs` must be a whole number above 0: .*got 'x'"),
        ("train.epochs", -1, "`train.epochs` must be a whole number above 0: .*got -1"),
        ("train.epochs", 2.5, "`train.epochs` must be a whole number"),
        ("train.epochs", True, "`train.epochs` must be a whole number"),
        ("train.save_period", 0, "`train.save_period` must be a whole number above 0.*got 0"),
        ("train.backbone", None, "`train.backbone` must be a section"),
        ("train", [], "`train` must be a section"),
        ("dataset.labeled", "yes", "`dataset.labeled` must be true or false"),
        ("dataset.moving_image_shape", [16, 16], "must be three whole numbers.*16, 16"),
        ("dataset.dir.train", 3, "`dataset.dir.train` must be a folder, a list of folders"),
        ("dataset.type", "pared", "`dataset.type` must be paired, unpaired or grouped"),
    ],
)
def test_a_slip_is_named_with_what_was_meant(config, name, value, said):
    with pytest.raises(PreflightError, match=said):
        check_keys(changed(config, name, value))


def test_a_missing_key_is_named(config):
    del config["train"]["epochs"]
    with pytest.raises(PreflightError, match="lacks `train.epochs`: a whole number above 0"):
        check_keys(config)
    schema.check_keys(config, partial=True)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"learning_rat": 1.0}, "has 'learning_rat', which Adam does not take. Did you mean 'l"),
        ({"name": "Adm"}, "`train.optimizer.name` is 'Adm': did you mean 'Adam'"),
        ({"beta_1": []}, "`train.optimizer.beta_1` must be a number, got .."),
        ({"learning_rate": {"class_name": "No"}}, "`train.optimizer` cannot be made"),
    ],
)
def test_an_optimizer_that_keras_would_not_make_is_refused(
    config, write_config, run_train, settings, said
):
    config["train"]["optimizer"] |= settings
    with pytest.raises(ValueError, match=said):
        run_train(write_config(config))


def test_nothing_is_written_before_the_check(config, write_config, run_train, tmp_path):
    with pytest.raises(PreflightError, match="Did you mean 'steps_per_epoch'"):
        run_train(write_config(config, train__steps_per_epochs=3))
    assert not (tmp_path / "logs").exists()


def test_a_method_of_the_user_s_own_may_have_keys_of_its_own(config, monkeypatch):
    from deepreg.model.network import DDFModel
    from deepreg.registry import REGISTRY

    class OwnModel(DDFModel):
        """Registered by a test."""

    monkeypatch.setitem(REGISTRY._dict, ("model_class", "own-method-of-a-test"), OwnModel)
    config["train"] |= {"method": "own-method-of-a-test", "own": 3}
    check_keys(config)
    with pytest.raises(PreflightError, match="`train.epochs` must be"):
        check_keys(changed(config, "train.epochs", "x"))


@pytest.mark.parametrize(
    "file", sorted(config_folder().rglob("*.yaml")), ids=lambda file: file.stem
)
@pytest.mark.parametrize("scale", ["", "night", "laptop", "smoke"])
def test_the_zoo_s_own_configurations_pass(file, scale):
    scales = [config_folder() / f"scale/{scale}.yaml"] if scale else []
    schema.check_keys({**merge_files([file, *scales]), "dataset": DATASET}, partial=True)


def test_the_table_in_the_docs_is_that_of_the_schema():
    table = "\n".join(f"| `{key}` | {value} |" for key, value in schema.rows())
    assert table in DOCS.read_text()


def test_yaml_that_grows_without_bound_is_refused(tmp_path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 10)}]" for k in range(1, 10)]
    path = tmp_path / "bomb.yaml"
    path.write_text("\n".join(lines))
    with pytest.raises(ValueError, match="bomb.yaml has more than 100,000 entries"):
        merge_files([path])
    path.write_text("a: " + "[" * 5000)
    with pytest.raises(ValueError, match="no YAML: it is nested too deeply"):
        merge_files([path])
    path.write_text("a: &a\n  b: *a\n")
    with pytest.raises(ValueError, match="more than 100,000 entries"):
        merge_files([path])
    path.write_text("on: 1")
    with pytest.raises(ValueError, match="has the key True, which YAML reads as bool"):
        merge_files([path])
    path.write_bytes(yaml.safe_dump({"a": 1}).encode() + b"\xff")
    with pytest.raises(ValueError, match="is no YAML"):
        merge_files([path])
