"""Every configuration that comes with the zoo: it builds at every scale, or names its tool."""

from pathlib import Path

import pytest
from deepreg.config import parser
from deepreg.registry import REGISTRY

from mmzoo.host.preflight import check_names, check_sections
from mmzoo.layering import merge_files, read_file

CONFIGS = Path(__file__).parents[1] / "configs"
SCALES = (None, "laptop", "smoke")
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
BASELINES = [path for path in EVERY if "baseline" in read_file(path)]
LAYERS = [path for path in EVERY if path not in METHODS and path not in BASELINES]


def named(path: Path) -> str:
    return path.relative_to(CONFIGS).as_posix()


def files(scale: str | None, *paths: Path) -> list[Path]:
    return [*paths, *([CONFIGS / "scale" / f"{scale}.yaml"] if scale else [])]


def base_of(layer: Path) -> Path:
    """A layer goes after the method whose name it begins with."""
    return next(path for path in METHODS if layer.stem.startswith(path.stem))


CASES = [(path,) for path in METHODS] + [(base_of(path), path) for path in LAYERS]


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("paths", CASES, ids=lambda paths: named(paths[-1]))
def test_a_method_builds_and_says_its_losses(paths, scale):
    config = {**merge_files(files(scale, *paths)), **DATA}
    check_sections(config)
    config = parser.config_sanity_check(config)
    check_names(config)
    sizes = config["dataset"]
    model = REGISTRY.build_model(
        config={
            "name": config["train"]["method"],
            "moving_image_size": sizes["moving_image_shape"],
            "fixed_image_size": sizes["fixed_image_shape"],
            "index_size": 2,
            "labeled": True,
            "batch_size": config["train"]["preprocess"]["batch_size"],
            "config": config["train"],
        }
    )
    assert model.trainable_weights
    assert any(metric.name.startswith("loss/image") for metric in model.metrics)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("path", BASELINES, ids=named)
def test_a_conventional_method_names_a_tool(path, scale):
    from mmzoo.baselines.config import read_section

    read_section(merge_files(files(scale, path)))


@pytest.mark.parametrize("path", EVERY, ids=named)
def test_a_configuration_begins_with_what_it_is(path):
    first, second = path.read_text().splitlines()[:2]
    assert first.startswith("# ") and second == "#"
