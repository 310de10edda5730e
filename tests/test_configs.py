"""Every configuration that comes with the zoo: it builds at every scale, or names its tool."""

import functools
import json
from pathlib import Path

import pytest
from deepreg.config import parser
from deepreg.registry import REGISTRY

from mmzoo.baselines import elastix
from mmzoo.config_merge import merge_files, read_file
from mmzoo.deepreg.preflight.configuration import check_names, check_sections

CONFIGS = Path(__file__).parents[1] / "configs"
pytestmark = pytest.mark.slow
SCALES = (None, "night", "laptop", "smoke")
OFTEN = (None, "laptop")
EACH_SCALE = pytest.mark.parametrize(
    "scale", [pytest.param(s, marks=[] if s in OFTEN else pytest.mark.long) for s in SCALES]
)
HOW_LONG = ("steps_per_epoch", "epochs", "save_period", "preprocess")
DATA = {
    "dataset": {
        "dir": {"train": None, "valid": None, "test": None},
        "format": "nifti",
        "type": "paired",
        "labeled": True,
        "moving_image_shape": [32, 16, 48],
        "fixed_image_shape": [32, 16, 48],
    }
}
EVERY = [path for path in sorted(CONFIGS.rglob("*.yaml")) if path.parent.name != "scale"]
METHODS = [path for path in EVERY if "method" in read_file(path).get("train", {})]
BASELINES = [path for path in EVERY if "tool" in read_file(path).get("baseline", {})]
LAYERS = [path for path in EVERY if path not in METHODS and path not in BASELINES]


def named(path: Path) -> str:
    return path.relative_to(CONFIGS).as_posix()


def files(scale: str | None, *paths: Path) -> list[Path]:
    return [*paths, *([CONFIGS / "scale" / f"{scale}.yaml"] if scale else [])]


def cases(bases: list[Path]) -> list[tuple[Path, ...]]:
    """Each base alone, and with each layer, which goes after the base whose name it begins with."""
    layers = [(base, path) for base in bases for path in LAYERS if path.stem.startswith(base.stem)]
    return [(base,) for base in bases] + layers


@functools.cache
def metrics_of(settings: str) -> list[str]:
    """Build what a method trains, a line of JSON; return the names of what it says of itself."""
    model = REGISTRY.build_model(config=json.loads(settings))
    assert model.trainable_weights
    return [metric.name for metric in model.metrics]


@EACH_SCALE
@pytest.mark.parametrize("paths", cases(METHODS), ids=lambda paths: named(paths[-1]))
def test_a_method_builds_and_says_its_losses(paths, scale):
    """A scale that changes nothing of the model but how it is trained has been built already."""
    config = {**merge_files(files(scale, *paths)), **DATA}
    check_sections(config)
    config = parser.config_sanity_check(config)
    check_names(config)
    sizes, train = config["dataset"], config["train"]
    settings = {
        "name": train["method"],
        "moving_image_size": sizes["moving_image_shape"],
        "fixed_image_size": sizes["fixed_image_shape"],
        "index_size": 2,
        "labeled": True,
        "batch_size": train["preprocess"]["batch_size"],
        "config": {name: value for name, value in train.items() if name not in HOW_LONG},
    }
    metrics = metrics_of(json.dumps(settings, sort_keys=True))
    sections = [name for name in ("image", "label") if name in train["loss"]]
    assert any(name.startswith(f"loss/{sections[0]}") for name in metrics)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("paths", cases(BASELINES), ids=lambda paths: named(paths[-1]))
def test_a_conventional_method_names_a_tool(paths, scale, monkeypatch):
    from mmzoo.baselines.config import read_section

    monkeypatch.setattr(elastix, "load_itk", lambda: None)  # takes 8 s; its own tests load it

    read_section(merge_files(files(scale, *paths)))


def test_no_layer_is_left_out():
    tested = {paths[-1] for paths in cases(METHODS) + cases(BASELINES)}
    assert tested == set(EVERY)


@pytest.mark.parametrize("path", EVERY, ids=named)
def test_a_configuration_begins_with_what_it_is(path):
    first, second = path.read_text().splitlines()[:2]
    assert first.startswith("# ") and second == "#"
