import collections
import copy
from pathlib import Path

import numpy as np
import pytest
import yaml
from deepreg.config import parser
from deepreg.model.optimizer import build_optimizer


def test_nested_sections_are_merged_and_lists_replaced():
    merged = parser.update_nested_dict({"a": {"b": 1, "c": [1, 2]}}, {"a": {"c": [3]}, "d": 4})
    assert merged == {"a": {"b": 1, "c": [3]}, "d": 4}


def test_python_s_own_collections_is_left_alone():
    assert not hasattr(collections, "Mapping")


@pytest.mark.parametrize("section", ["image", "label", "regularization"])
def test_a_loss_section_may_be_absent_and_stays_absent(config, section):
    del config["train"]["loss"][section]
    assert parser.config_sanity_check(copy.deepcopy(config)) == config


def test_a_loss_weight_may_be_absent_and_stays_absent(config):
    del config["train"]["loss"]["image"]["weight"]
    assert parser.config_sanity_check(copy.deepcopy(config)) == config


def test_a_full_configuration_passes_unchanged(config):
    given = copy.deepcopy(config)
    assert parser.config_sanity_check(given) == config
    assert given == config


def test_a_configuration_of_deepreg_0_1_1_still_becomes_a_current_one(config):
    loss = config["train"]["loss"]
    config["train"]["loss"] = {
        "dissimilarity": {
            "image": {"name": "lncc", "weight": 2.0, "lncc": {"kernel_size": 5}},
        },
        "regularization": {"weight": 0.5, "energy_type": "bending"},
    }
    got = parser.config_sanity_check(config)["train"]["loss"]
    assert got["image"] == {"name": "lncc", "weight": 2.0, "kernel_size": 5}
    assert got["regularization"] == loss["regularization"]
    assert "label" not in got


def test_a_weight_that_is_not_positive_still_warns(config, caplog):
    config["train"]["loss"]["image"]["weight"] = 0.0
    parser.config_sanity_check(config)
    assert "The image loss weight 0.00 is not positive." in caplog.text


def test_learning_rate_may_be_a_schedule():
    rate = {
        "class_name": "ExponentialDecay",
        "config": {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.5},
    }
    config = {"name": "Adam", "learning_rate": rate}
    given = copy.deepcopy(config)
    optimizer = build_optimizer(config)
    assert config == given
    optimizer.iterations.assign(20)
    np.testing.assert_allclose(optimizer._learning_rate(optimizer.iterations), 0.025, rtol=1e-6)


def test_learning_rate_may_still_be_a_number():
    optimizer = build_optimizer({"name": "SGD", "learning_rate": 0.25})
    np.testing.assert_allclose(optimizer.learning_rate, 0.25)


def test_zoo_configurations_are_found_by_name_from_any_folder(tmp_path, monkeypatch):
    from deepreg.config import parser

    from mmzoo.deepreg.catalogue import zoo_file

    monkeypatch.chdir(tmp_path)
    for name in ("mmregnet/mmregnet.yaml", "configs/mmregnet/mmregnet.yaml"):
        assert Path(zoo_file(name)).read_text().startswith("# MMRegNet")
    dataset = tmp_path / "data.yaml"
    dataset.write_text(
        "dataset: {dir: {train: null, valid: null, test: null}, format: nifti, type: paired}"
    )
    names = ["mmregnet/mmregnet.yaml", str(dataset), "scale/laptop.yaml"]
    loaded = parser.load_configs(names)
    assert loaded["train"]["method"] == "bidirectional-ddf"
    assert loaded["train"]["loss"]["image"]["spacing"] == 2.0


def test_a_file_of_the_users_comes_before_the_zoos(tmp_path, monkeypatch):
    from mmzoo.deepreg.catalogue import zoo_file

    (tmp_path / "scale").mkdir()
    (tmp_path / "scale" / "laptop.yaml").write_text("mine: true")
    monkeypatch.chdir(tmp_path)
    assert Path(zoo_file("scale/laptop.yaml")).resolve() == tmp_path / "scale" / "laptop.yaml"
    assert zoo_file("absent.yaml") == "absent.yaml"


def test_the_scale_of_a_later_file_applies_what_the_method_says_of_it(config, tmp_path):
    config["scales"] = {"laptop": {"train": {"epochs": 3}}}
    method, scale = tmp_path / "method.yaml", tmp_path / "scale.yaml"
    method.write_text(yaml.safe_dump(config))
    scale.write_text("scale: laptop\ntrain: {save_period: 7}\n")
    loaded = parser.load_configs([str(method), str(scale)])
    assert loaded["train"]["epochs"] == 3
    assert loaded["train"]["save_period"] == 7
    assert not {"scale", "scales"} & loaded.keys()
    assert parser.load_configs(str(method))["train"]["epochs"] == config["train"]["epochs"]
