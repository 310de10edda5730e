"""Putting a page together: the frame and the style of all pages, its body, script and content."""

import html
import json
from importlib.resources import files
from string import Template

from mmzoo.io.json_files import plain

# What a page may load; `index.html` shows the pictures that lie beside it.
POLICIES = {
    "registration": "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'"
}


def assemble(name: str, title: str, content: dict) -> str:
    """Return a page as text, with nothing outside of it.

    Args:
        name: of a page: `NAME.html`, its body, and `NAME.js` in this folder, and `NAME.css` where
            it has a style of its own.
        title: of the window.
        content: what the script shows; plain data, NaN and infinity become null.
    """
    room = files(__package__)
    frame, body, start, script, style = (
        (room / part).read_text("utf-8")
        for part in ("frame.html", f"{name}.html", "frame.js", f"{name}.js", "style.css")
    )
    own = room / f"{name}.css"
    if own.is_file():
        style += f"\n{own.read_text('utf-8').rstrip()}"
    policy = ""
    if name in POLICIES:
        policy = '<meta http-equiv="Content-Security-Policy"\n  content="' + POLICIES[name] + '">\n'
    text = json.dumps(plain(content), allow_nan=False, separators=(",", ":"))
    return Template(frame).substitute(
        policy=policy,
        title=html.escape(title),
        style=style,
        body=body,
        content=text.replace("<", "\\u003c"),  # nothing in it may end the script
        script=start + script,
    )
