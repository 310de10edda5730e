import re
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

import mmzoo
from mmzoo.cli.cite import citations, cited, keys_of
from mmzoo.cli.main import app
from mmzoo.deepreg.plugins import PLUGINS

ROOT = Path(__file__).parents[2]
FIELDS = {"title", "author", "year"}


def fields(entry: str) -> dict[str, str]:
    return dict(re.findall(r"^  (\w+) = {(.*)},?$", entry, re.MULTILINE))


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: f"{plugin.category}-{plugin.name}")
def test_every_paper_that_a_source_names_is_in_the_table(plugin):
    assert cited(plugin.source)
    assert set(cited(plugin.source)) <= set(citations())
    assert set(cited(plugin.source)) <= set(keys_of(plugin.name))


@pytest.mark.parametrize("folder", [p.name for p in (ROOT / "configs").iterdir()])
def test_every_folder_of_a_paper_s_configurations_is_a_name(folder):
    if folder != "scale":
        assert keys_of(folder)


@pytest.mark.parametrize("key", citations())
def test_an_entry_is_whole(key):
    entry = citations()[key]
    assert FIELDS - set(fields(entry)) <= ({"year"} if key == "mmzoo" else set())
    assert entry.count("{") == entry.count("}") and entry.endswith("\n}")
    assert key == "mmzoo" or key.endswith(fields(entry)["year"])


def test_mmzoo_s_own_entry_agrees_with_the_package_and_with_citation_cff():
    own = fields(citations()["mmzoo"])
    cff = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert own["version"] == mmzoo.__version__ == cff["version"]
    assert own["title"].replace("{", "").replace("}", "") == cff["title"]


def test_the_command_prints_each_entry_once():
    shown = CliRunner().invoke(app, ["cite", "segi", "mmregnet", "voxelmorph"]).output
    assert re.findall(r"@\w+{(\w+),", shown) == [
        "ding2021", "balakrishnan2019", "devos2020",
    ]  # fmt: skip
    assert re.findall(r"{(\w+),\n", CliRunner().invoke(app, ["cite"]).output) == ["mmzoo", "fu2020"]


def test_a_name_that_is_none_has_the_closest_one():
    with pytest.raises(ValueError, match="did you mean 'segi'"):
        keys_of("seggi")
