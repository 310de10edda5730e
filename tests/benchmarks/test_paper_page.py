import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.engine.origin import describe_run
from benchmarks.engine.paper import ROOT
from benchmarks.engine.paper_page import write_page

FILES = {
    "README.md",
    "cases.png",
    "losses.png",
    "boxes.png",
    "results.csv",
    "claims.json",
    "run.json",
}


def test_a_page_is_whole_and_leaves_nothing_else(page):
    assert {path.name for path in page.iterdir()} == FILES


def test_the_text_says_what_paper_by_which_command_and_where_the_figures_are(page):
    text = (page / "README.md").read_text()
    assert text.startswith("# A Made-Up Network\n\nNobody, 2021. Reproduced at the laptop scale")
    assert "```bash\nmake benchmark PAPER=tiny SCALE=laptop\n```" in text
    for name in ("cases.png", "losses.png", "boxes.png"):
        assert f"]({name})" in text
    for heading in ("### Table 1: Hearts", "### Table 2: Livers", "### Ablations", "### Grid"):
        assert heading in text


def test_each_claim_is_quoted_with_its_test_verdict_and_parts(page):
    text = (page / "README.md").read_text()
    assert "Of the paper's 2 claims [below](#claims): 1 held, 0 not held, 1 not testable" in text
    held, untestable = text.split("### 1. Held")[1].split("### 2. Not testable here")
    assert "> Net is better.\n\nSection 3. Test: One-sided Wilcoxon" in held
    assert (
        "| LVC (Hearts) | Dice % | Net | 70.75 | Tool | 60.25 | 10.50 | 0.016 | 6 | yes |" in held
    )
    assert "> Net is pretty.\n\nSection 3. A judgement by eye." in untestable


def test_the_claims_are_data_too(page):
    better, pretty = json.loads((page / "claims.json").read_text())
    assert (better["verdict"], pretty["verdict"]) == ("held", "not testable here")
    assert [part["p"] for part in better["parts"]] == pytest.approx([1 / 64] * 4)
    assert pretty["parts"] == []


def test_every_case_is_in_the_csv(page, results):
    written = pd.read_csv(page / "results.csv")
    assert len(written) == len(results.cases)
    assert written["dice"].tolist() == pytest.approx(results.cases["dice"].tolist(), rel=1e-4)


def test_what_made_the_page_is_noted(page):
    run = json.loads((page / "run.json").read_text())
    assert run["command"] == "make benchmark PAPER=tiny SCALE=laptop"
    assert run["seeds"] == {"phantoms": 0, "training": 7}
    assert {"Python", "mmzoo", "TensorFlow", "NumPy"} <= set(run["versions"])
    assert "configs/tiny/net.yaml" in run["hashes"]
    assert run["commit"] == "unknown"  # the made-up repository is none of git's
    assert run["machine"]["cores"] >= 1


def test_the_commit_is_noted_and_whether_all_is_committed(paper, repository):
    def git(*arguments):
        command = ["git", "-C", str(repository), "-c", "user.name=a", "-c", "user.email=b@c"]
        return subprocess.run([*command, *arguments], check=True, capture_output=True, text=True)

    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "all")
    head = git("rev-parse", "--short=12", "HEAD").stdout.strip()
    (repository / "notes.txt").write_text("makes no page")
    assert describe_run(paper)["commit"] == head
    (repository / "mmzoo/piece.py").write_text("ONE = 2\n")
    assert describe_run(paper)["commit"] == f"{head} with uncommitted changes"


def test_a_page_has_the_papers_own_boxes_and_ranks(paper, out, repository, tmp_path):
    paper.content["boxes"] = {"own.png": {"caption": "Mine", "data": ["heart"], "figures": ["asd"]}}
    paper.content["ranking"] = {
        "heading": "Table 9",
        "rows": ["tool", "net"],
        "at": "heart/LVC",
        "figure": "asd",
        "printed": {"tool": [1, 2], "net": [2, 1], "tests": "P = 0.5"},
        "note": "No expert.",
    }
    write_page(paper, out, tmp_path / "page")
    assert {path.name for path in (tmp_path / "page").iterdir()} == (
        FILES - {"boxes.png"} | {"own.png"}
    )
    text = (tmp_path / "page" / "README.md").read_text()
    assert "![own.png](own.png)\n\nMine; Net in blue." in text
    assert "### Table 9\n\nNo expert.\n\n| rank | Tool | Net |" in text


def test_parts_are_shown_with_the_digits_of_their_figure(paper, out, repository, tmp_path):
    claim = {**paper.content["claims"][0], "at": ["heart"], "figures": ["folding"]}
    paper.content["claims"] = [claim]
    write_page(paper, out, tmp_path / "page")
    text = (tmp_path / "page" / "README.md").read_text()
    assert "| Hearts | folding % | Net | 0.500 | Tool | 0.500 | 0.000 | 1 | 6 | no |" in text


def test_prepared_data_are_no_phantoms(paper, out, repository, tmp_path):
    data = tmp_path / "MMWHS"
    data.mkdir()
    description = {"labels": ["cavity", "wall"], "moving": "mr"}
    (data / "mmzoo.json").write_text(json.dumps(description))
    for path in out.glob("runs/liver/*/*/evaluation/cases.csv"):
        path.unlink()
    write_page(paper, out, tmp_path / "page", source=str(data))
    text = (tmp_path / "page" / "README.md").read_text()
    assert "make benchmark PAPER=tiny SCALE=laptop DATA=MMWHS" in text
    assert "Phantoms" not in text and "Incomplete" not in text
    assert "Data sets left out: Livers." in text
    assert str(tmp_path) not in text


# === Missing runs ===


@pytest.fixture
def incomplete(out):
    (out / "runs/heart/tool/fold1/evaluation/cases.csv").unlink()
    return out


def test_a_missing_run_is_an_error_that_names_it(paper, incomplete, repository, tmp_path):
    with pytest.raises(ValueError, match="1 of 13 runs .*: runs/heart/tool/fold1; run the"):
        write_page(paper, incomplete, tmp_path / "page")
    assert not (tmp_path / "page").exists()


def test_a_partial_page_names_it_and_is_otherwise_complete(paper, incomplete, repository, tmp_path):
    write_page(paper, incomplete, tmp_path / "page", partial=True)
    assert {path.name for path in (tmp_path / "page").iterdir()} == FILES
    text = (tmp_path / "page" / "README.md").read_text()
    assert "**Incomplete: 1 of 13 runs failed or were not made:** heart, tool, fold 1." in text
    assert "### 1. Not testable here" in text
    assert "The run heart, tool, fold 1 is missing." in text


def test_a_partial_page_does_without_the_reference(paper, out, repository, tmp_path):
    for path in out.glob("runs/*/net/*/evaluation/cases.csv"):
        path.unlink()
    write_page(paper, out, tmp_path / "page", partial=True)
    names = {path.name for path in (tmp_path / "page").iterdir()}
    assert names == FILES - {"cases.png"}
    assert "](cases.png)" not in (tmp_path / "page" / "README.md").read_text()


# === The command ===


def test_the_command_says_in_a_line_what_is_wrong(tmp_path):
    script = ROOT / "benchmarks" / "engine" / "paper_page.py"
    options = ["--scale", "smoke", "--out", tmp_path, "--page", tmp_path / "page"]
    command = [sys.executable, script, "--paper", "mmregnett", *options]
    ended = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert ended.returncode == 1
    assert "page: `PAPER` is 'mmregnett': did you mean 'mmregnet'?" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert list(Path(tmp_path).iterdir()) == []
