"""The site builds without a warning; every page is rendered whole, and every name is in it."""

import html
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

import mmzoo

pytest.importorskip("mkdocs")
ROOT = Path(__file__).parents[2]
ROOMS = ("losses", "layers", "models", "metrics", "networks.registration", "networks.translation")
TABLES = {"DISCRIMINATORS", "GENERATORS", "OBJECTIVES"}  # values, not documented one by one
# What Markdown leaves where something is not closed, or has no empty line before it.
INLINE = re.compile(r"`|\]\([^)]*\)|\*\*|^ *\|.*\| *$", re.MULTILINE)
BLOCK = re.compile(r"^(#+|[-*]|\d+\.) ", re.MULTILINE)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site) -> dict[str, str]:
    """The article of each page by its name."""
    found = {}
    for path in site.rglob("index.html"):
        article = re.search(r"<article.*?</article>", path.read_text(), re.DOTALL)
        found[path.parent.relative_to(site).as_posix()] = article[0]
    assert len(found) > 40
    return found


def test_nothing_of_markdown_is_left_in_a_page(pages):
    for name, article in pages.items():
        if name.startswith("notebooks"):
            continue
        prose = re.sub(r"<(pre|code|script|style)\b.*?</\1>", "", article, flags=re.DOTALL)
        paragraphs = re.findall(r"<p>(.*?)</p>", prose, re.DOTALL)
        for pattern, parts in ((INLINE, [prose]), (BLOCK, paragraphs)):
            for part in parts:
                text = html.unescape(re.sub(r"<[^>]+>", "", part))
                found = pattern.search(text)
                assert not found, f"{name}: {text[max(found.start() - 60, 0) : found.end() + 60]}"


def test_every_link_and_image_of_a_page_is_in_the_site(site, pages):
    for name, article in pages.items():
        for target in re.findall(r'(?:href|src)="([^"#]+)', article):
            if not re.match(r"https?:|mailto:|data:|javascript:", target):
                assert (site / name / unquote(html.unescape(target))).exists(), f"{name}: {target}"


@pytest.mark.parametrize("room", ROOMS)
def test_the_reference_has_every_public_name(room, pages):
    article = pages[f"reference/{room.split('.')[0]}"]
    names = set(importlib.import_module(f"mmzoo.{room}").__all__) - TABLES
    missing = {name for name in names if f'.{name}" class="doc' not in article}
    assert not missing, f"not in docs/reference: {sorted(missing)}"


def test_the_reference_has_every_name_of_the_package(pages):
    article = pages["reference/mmzoo"]
    for name in mmzoo.__all__:
        assert f'.{name}" class="doc' in article or f'href="../{name}/"' in article, name
