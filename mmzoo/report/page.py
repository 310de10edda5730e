"""Putting a page together: a template, its script, the style that all pages share, its content."""

from __future__ import annotations

import html
import json
from importlib.resources import files
from string import Template

from mmzoo.io.json_files import plain


def assemble(name: str, title: str, content: dict) -> str:
    """Return a page as text, with nothing outside of it.

    Args:
        name: of a template: `NAME.html` and `NAME.js` in this folder.
        title: of the window.
        content: what the script shows; plain data, NaN and infinity become null.
    """
    room = files(__package__)
    parts = {part: (room / part).read_text("utf-8") for part in ("style.css", f"{name}.js")}
    text = json.dumps(plain(content), allow_nan=False, separators=(",", ":"))
    return Template((room / f"{name}.html").read_text("utf-8")).substitute(
        title=html.escape(title),
        style=parts["style.css"],
        script=parts[f"{name}.js"],
        content=text.replace("<", "\\u003c"),  # nothing in it may end the script
    )
