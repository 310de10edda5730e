"""Hooks of MkDocs: pages of the whole repository in one site, with the links that GitHub follows.

A page lies in the site where it lies in the repository, those of `docs/` at its root and README.md
as its first page. What a page links to outside `docs/` comes along, and what that links to.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"(\]\()(?!https?:|mailto:|#)([^)\s#]+)")


def place(path: Path) -> str:
    """Return where a file of the repository lies in the site."""
    name = path.relative_to(ROOT).as_posix()
    return "index.md" if name == "README.md" else name.removeprefix("docs/")


def linked(page: Path, target: str) -> Path | None:
    """Return the file of the repository that a page links to, None where there is none."""
    path = (page.parent / target).resolve()
    return path if path.is_file() and path.is_relative_to(ROOT) else None


def on_files(files, config):
    """Add README.md and all that pages link to outside `docs/`."""
    inside = {Path(file.abs_src_path) for file in files if file.abs_src_path}
    found = {ROOT / "README.md"}
    waiting = [*found, *(path for path in inside if path.suffix == ".md")]
    while waiting:
        page = waiting.pop()
        targets = {linked(page, target) for _, target in LINK.findall(page.read_text())}
        new = targets - found - inside - {None}
        found |= new
        waiting += [path for path in new if path.suffix == ".md"]
    for path in sorted(found):
        files.append(File.generated(config, place(path), abs_src_path=str(path)))
    return files


def on_page_markdown(markdown, page, config, files):
    """Turn the links of a page to those of the site."""
    here = posixpath.dirname(page.file.src_uri)

    def moved(match: re.Match) -> str:
        path = linked(Path(page.file.abs_src_path), match[2])
        return match[0] if path is None else match[1] + posixpath.relpath(place(path), here or ".")

    return LINK.sub(moved, markdown)
