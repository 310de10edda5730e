import hashlib
import json

import pytest

from benchmarks.engine.freshness import changed_files, hash_sources, main


@pytest.fixture
def committed(repository):
    """Return the committed page of the made-up repository."""
    folder = repository / "benchmarks/results/tiny"
    folder.mkdir(parents=True)
    run = {
        "paper": "tiny",
        "command": "make benchmark PAPER=tiny SCALE=laptop",
        "date": "2021-10-01",
        "hashes": hash_sources("tiny", repository),
    }
    (folder / "run.json").write_text(json.dumps(run))
    return folder


def test_what_makes_a_page_is_hashed(repository):
    hashes = hash_sources("tiny", repository)
    assert set(hashes) == {
        "mmzoo/piece.py",
        "benchmarks/Snakefile",
        "benchmarks/engine/paper_page.py",
        "benchmarks/papers/tiny.yaml",
        "configs/scale/laptop.yaml",
        "configs/tiny/net.yaml",
        "configs/tiny/tool.yaml",
    }
    assert hashes["mmzoo/piece.py"] == hashlib.sha256(b"ONE = 1\n").hexdigest()


def test_files_of_other_papers_do_not_count(repository):
    before = hash_sources("tiny", repository)
    (repository / "configs/other").mkdir()
    (repository / "configs/other/net.yaml").write_text("train: {}")
    (repository / "benchmarks/papers/other.yaml").write_text("configs: other")
    assert hash_sources("tiny", repository) == before


def test_an_unchanged_page_is_of_today(repository, committed, capsys):
    assert main(["--strict"], repository) == 0
    assert capsys.readouterr().out == "tiny: made by today's code\n"


def test_a_changed_file_is_named_and_is_a_notice_only(repository, committed, capsys):
    (repository / "mmzoo/piece.py").write_text("ONE = 2\n")
    assert main([], repository) == 0
    assert capsys.readouterr().out == (
        "tiny: made by other code than today's: mmzoo/piece.py, made with "
        "`make benchmark PAPER=tiny SCALE=laptop` on 2021-10-01\n"
    )


def test_strict_fails_on_a_changed_file(repository, committed):
    (repository / "configs/tiny/net.yaml").write_text("train: {}")
    assert main(["--strict"], repository) == 1


def test_files_that_came_or_went_count(repository, committed):
    (repository / "mmzoo/piece.py").unlink()
    (repository / "mmzoo/other.py").write_text("")
    run = json.loads((committed / "run.json").read_text())
    assert changed_files(run, repository) == ["mmzoo/other.py", "mmzoo/piece.py"]


def test_a_page_whose_paper_went_is_not_of_today(repository, committed):
    (repository / "benchmarks/papers/tiny.yaml").unlink()
    run = json.loads((committed / "run.json").read_text())
    assert "benchmarks/papers/tiny.yaml" in changed_files(run, repository)


def test_without_pages_there_is_nothing_to_say(repository, capsys):
    assert main(["--strict"], repository) == 0
    assert capsys.readouterr().out == ""


def test_of_many_changed_files_the_first_are_named(repository, committed, capsys):
    for number in range(6):
        (repository / f"mmzoo/new{number}.py").write_text("")
    assert main([], repository) == 0
    said = capsys.readouterr().out
    assert "mmzoo/new0.py" in said and "mmzoo/new3.py, 2 more, made with" in said
