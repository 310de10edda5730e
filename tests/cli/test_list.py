import subprocess
import sys

import pytest

from mmzoo.cli import main
from mmzoo.cli.list import list as list_command
from mmzoo.deepreg import catalogue
from mmzoo.deepreg.plugins import PLUGINS


def test_zoo_names_come_first_with_their_source_then_deepregs_own():
    rows = catalogue.plugin_rows("losses")
    assert rows[0] == ("segi", "mmzoo", "Ding 2021 Eq. 4-8")
    origins = [origin for _, origin, _ in rows]
    assert origins == sorted(origins, key=lambda origin: origin == "DeepReg")
    assert ("ssd", "DeepReg") in [row[:2] for row in rows]


@pytest.mark.parametrize("kind", catalogue.CATEGORIES)
def test_every_plugin_of_a_kind_is_listed_once(kind):
    names = [name for name, _, _ in catalogue.plugin_rows(kind)]
    wanted = [row.name for row in PLUGINS if row.category == catalogue.CATEGORIES[kind]]
    assert set(wanted) <= set(names)
    assert len(names) == len(set(names))


def test_configurations_are_listed_with_their_first_comment(tmp_path, monkeypatch):
    (tmp_path / "paper").mkdir()
    (tmp_path / "paper" / "a.yaml").write_text("# What it shows\n# more\ntrain: {}\n")
    (tmp_path / "paper" / "b.yaml").write_text("train: {}\n# too late\n")
    monkeypatch.setattr(catalogue, "config_folder", lambda: tmp_path)
    rows = [(name, text) for name, _, text in catalogue.config_rows()]
    assert rows == [("paper/a.yaml", "What it shows"), ("paper/b.yaml", "")]


def test_the_repository_s_configurations_are_found():
    assert "mmregnet/mmregnet.yaml" in [name for name, _, _ in catalogue.config_rows()]


def test_an_unknown_kind_gets_the_closest_one():
    with pytest.raises(ValueError, match="`kind` is 'losess': did you mean 'losses'"):
        list_command("losess")


def test_a_table_is_printed(capsys):
    list_command("methods")
    printed = capsys.readouterr().out
    assert "ddf" in printed
    assert "DeepReg" in printed


def run(*arguments) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "mmzoo.cli.main", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_help_names_the_commands_and_a_misspelt_one_gets_the_closest():
    assert "doctor" in run("--help").stdout
    assert "Did you mean 'list'?" in run("lst").stderr


def test_deepreg_s_names_are_those_of_its_registry():
    """The rows are read from DeepReg's files; its registry has what importing them enters."""
    from deepreg.registry import REGISTRY

    for kind, category in catalogue.CATEGORIES.items():
        entered = {name: cls for (known, name), cls in REGISTRY._dict.items() if known == category}
        rows = catalogue.plugin_rows(kind)
        assert {name for name, _, _ in rows} == set(entered)
        for name, origin, text in rows:
            if origin == "DeepReg":
                assert text == (entered[name].__doc__ or "").strip().partition("\n")[0]


def test_without_deepreg_the_zoo_is_listed_alone(monkeypatch):
    monkeypatch.setattr(catalogue.importlib.util, "find_spec", lambda name: None)
    assert {origin for _, origin, _ in catalogue.plugin_rows("losses")} == {"mmzoo"}


def test_version_is_printed():
    assert run("--version").stdout.strip() == "mmzoo 0.1.0"


def test_a_mistake_of_the_user_ends_with_a_message():
    ended = run("list", "losess")
    assert ended.returncode == 1
    assert "Error: `kind` is 'losess'" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_every_file_of_the_folder_is_a_command():
    assert {"doctor", "list"} <= set(main.command_names())
    assert "main" not in main.command_names()
