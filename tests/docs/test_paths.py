"""What the documentation says of the repository's files is true."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PLACEHOLDERS = {"NAME", "PAPER", "COMMAND"}
ROOMS = "|".join(path.name for path in (ROOT / "mmzoo").iterdir() if path.is_dir())


def named_paths(text: str) -> set[str]:
    """Return the files of the repository, or of the package, that stand in backticks."""
    names = re.findall(
        rf"`((?:mmzoo|benchmarks|configs|tests|docs|engine|{ROOMS})/[\w./-]+)`", text
    )
    return {
        name
        for name in names
        if not set(re.split(r"[/._]", name)) & PLACEHOLDERS
        and not name.startswith("benchmarks/out/")  # that a benchmark makes
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_names_is_there(page):
    places = (ROOT, ROOT / "mmzoo", ROOT / "benchmarks")
    for name in named_paths(page.read_text()):
        assert any((place / name).exists() for place in places), f"{page.name} names {name}"


def names_by_file(cell: str) -> dict[str, set[str]]:
    """Return what a cell of the table of changes names in each file: what stands behind it."""
    found: dict[str, set[str]] = {}
    for name in re.findall(r"`([^`]+)`", cell):
        if name.endswith((".py", ".js", ".yaml")):
            own = found.setdefault(name, set())
        elif found and name.isidentifier() and name != "test":
            own.add(name)
    return found


def test_all_that_the_table_of_changes_names_is_in_its_file():
    text = (ROOT / "docs/architecture.md").read_text()
    rows = re.findall(
        r"^\| ([^|]+) \| (`[^|]+) \|$", text.partition("## The rooms")[0], re.MULTILINE
    )
    assert len(rows) >= 20
    checked = 0
    for what, cell in rows:
        for file, names in names_by_file(cell).items():
            if "PAPER" in file or "COMMAND" in file or "*" in file:
                continue
            content = (ROOT / file).read_text()
            for name in names:
                assert re.search(rf"^\s*(def |class )?{name}\b", content, re.MULTILINE), (
                    what,
                    name,
                )
                checked += 1
    assert checked >= 20


def test_names_belong_to_the_file_before_them():
    cell = "`a/b.py`, `one`, `TWO`; `a/c.py`: `three` by `d e`"
    assert names_by_file(cell) == {"a/b.py": {"one", "TWO"}, "a/c.py": {"three"}}


@pytest.mark.parametrize(
    "change",
    [
        "the border rule of the warp",
        "the number of starts of the linear stage",
        "the label table of CHAOS",
        "the test of a paper's claim",
        "the checkpoint that a stopped training goes on from",
    ],
)
def test_what_a_newcomer_looks_for_has_one_row(change):
    text = (ROOT / "docs/architecture.md").read_text()
    assert len(re.findall(rf"^\| {change}", text, re.MULTILINE)) == 1


def test_every_link_to_a_file_leads_somewhere():
    for page in PAGES:
        prose = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", prose):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_fence_is_closed(page):
    fences = re.findall(r"^ *```(.*)$", page.read_text(), re.MULTILINE)
    assert len(fences) % 2 == 0, f"{page.name}: a ``` is not closed"
    for opening, closing in zip(fences[::2], fences[1::2], strict=True):
        assert opening and not closing, f"{page.name}: ```{opening} ends at ```{closing}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_code_and_quotations_are_closed_in_every_paragraph(page):
    prose = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    for paragraph in re.split(r"\n\s*\n|\n(?=[|*-])", prose):
        assert paragraph.count("`") % 2 == 0, f"{page.name}: a ` is not closed in {paragraph!r}"
        without_code = re.sub(r"`[^`]*`", "", paragraph)
        assert without_code.count('"') % 2 == 0, f'{page.name}: a " is not closed in {paragraph!r}'
