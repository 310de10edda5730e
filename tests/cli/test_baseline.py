import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from helpers_cli import call
from helpers_layout import write_layout

from mmzoo.baselines.config import read_section
from mmzoo.config_merge import merge_files
from mmzoo.deepreg.catalogue import zoo_file

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "configs"
METHODS = ("affine", "sy_mi", "sy_ncc")


@pytest.fixture
def has_ants():
    return pytest.importorskip("ants", reason="antspyx is not installed")


@pytest.fixture
def files(tmp_path):
    """The configuration of a quick method, and the data's."""
    method = tmp_path / "quick.yaml"
    settings = {"type_of_transform": "Affine", "aff_iterations": [2, 1, 1, 0]}
    section = {"tool": "ants", "settings": settings, "pairs": "matched"}
    method.write_text(yaml.safe_dump({"baseline": section}))
    return method, write_layout(tmp_path / "data")


def test_pairs_are_registered_and_can_be_evaluated(has_ants, files, tmp_path):
    out = tmp_path / "out"
    result = call("baseline", "-c", *files, "--out", out, "--jobs", 2)
    assert result.exit_code == 0, result.output
    assert f"2 pairs in {out}/test" in result.output and f"mmzoo evaluate {out}" in result.output
    written = json.loads((out / "test/pairs.json").read_text())
    assert written["method"] == "quick"
    assert all(entry["seconds"] > 0 for entry in written["pairs"].values())
    assert sorted(path.name for path in (out / "test").glob("pair_*")) == ["pair_0", "pair_3"]
    kept = (out / "test/pair_0/ddf.nii.gz").stat().st_mtime_ns
    assert call("baseline", f"-c{files[0]}", f"-c{files[1]}", "--out", out).exit_code == 0
    assert (out / "test/pair_0/ddf.nii.gz").stat().st_mtime_ns == kept


def test_a_failed_pair_is_named_and_the_command_ends_with_one(has_ants, files, tmp_path):
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("baseline: {settings: {type_of_transform: SyNN}}")
    result = call("baseline", "-c", *files, wrong, "--out", tmp_path / "out", "--jobs", 1)
    assert result.exit_code == 1
    assert "Error: pair_3 (mr_001 to ct_001): SyNN does not exist" in result.output
    assert "2 of 2 pairs failed" in result.output


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train: {}", "must have a section `baseline`"),
        ("baseline: {tool: elastic}", "`baseline.tool` is 'elastic'"),
        ("- 1", "must hold sections"),
    ],
)
def test_a_mistake_is_told_without_a_traceback(files, tmp_path, text, message):
    method = tmp_path / "method.yaml"
    method.write_text(text)
    result = call("baseline", "--config", method, files[1], "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "Error:" in result.output and message in result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("scale", [None, "night", "laptop", "smoke"])
@pytest.mark.parametrize("method", METHODS)
def test_the_zoo_s_methods_are_understood_at_every_scale(has_ants, method, scale):
    files = [CONFIGS / "mmregnet" / f"{method}.yaml"]
    files += [CONFIGS / "scale" / f"{scale}.yaml"] if scale else []
    section = read_section(merge_files(files))
    assert section.clip_percentiles == (5.0, 95.0)
    assert section.pairs == ("matched" if scale in ("laptop", "smoke") else "all")


def test_a_file_here_comes_before_the_zoo_s(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Path(zoo_file("mmregnet/sy_mi.yaml")) == CONFIGS / "mmregnet/sy_mi.yaml"
    (tmp_path / "mmregnet").mkdir()
    (tmp_path / "mmregnet/sy_mi.yaml").write_text("baseline: {}")
    assert zoo_file("mmregnet/sy_mi.yaml") == "mmregnet/sy_mi.yaml"


def test_the_program_knows_the_command_and_its_list_of_files():
    program = [sys.executable, "-m", "mmzoo.cli.main", "baseline"]
    arguments = ["-c", "no_such.yaml", "nor_this.yaml", "--out", "nowhere"]
    result = subprocess.run([*program, *arguments], capture_output=True, text=True)
    assert result.returncode == 1
    assert "no configuration file no_such.yaml" in result.stderr.replace("\n", " ")
