"""`index.html`: a table of many registrations, failed and doubtful ones first; no outside parts."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from pathlib import Path
from urllib.parse import quote

from mmzoo.registration.output import PICTURE, REPORT

FIGURES = (
    ("dice_before", "Dice before"),
    ("dice_after", "Dice after"),
    ("tre_before_mm", "TRE before, mm"),
    ("tre_after_mm", "TRE after, mm"),
    ("nmi_before", "NMI before"),
    ("nmi_after", "NMI after"),
    ("share_known", "share known"),
    ("smallest_determinant", "smallest determinant"),
    ("folding_percent", "folding, %"),
    ("seconds", "s"),
)
STYLE = """
body { font: 15px/1.4 system-ui, sans-serif; margin: 1.5rem; color: #222; background: #fff }
table { border-collapse: collapse } th, td { padding: .3rem .6rem; text-align: left }
th { cursor: pointer; border-bottom: 2px solid #888; user-select: none } td { vertical-align: top }
tr + tr td { border-top: 1px solid #ddd } td.number { text-align: right }
td.words { max-width: 28rem } img { width: 220px; max-height: 120px; object-fit: cover }
.failed td { background: #fbe3e0 } .doubtful td { background: #fff3d1 } .waiting td { color: #888 }
"""
SCRIPT = """
for (const head of document.querySelectorAll("th")) head.onclick = () => {
  const column = head.cellIndex, body = document.querySelector("tbody");
  const falling = head.dataset.falling = head.dataset.falling === "1" ? "0" : "1";
  const value = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent;
  const compare = (a, b) => {
    const [x, y] = [value(a), value(b)];
    if (x === "" || y === "") return (x === "") - (y === "");  // what is not known comes last
    const order = isNaN(x) || isNaN(y) ? x.localeCompare(y) : x - y;
    return falling === "1" ? -order : order;
  };
  body.append(...[...body.rows].sort(compare));
};
"""


def index_page(out: Path, rows: Iterable[dict]) -> str:
    """Return the page.

    Args:
        out: folder in which it lies beside the folders of the pairs.
        rows: of `mmzoo.registration.many.COLUMNS`.
    """
    rows = sorted(rows, key=lambda row: _order(row)[0])
    shown = [each for each in FIGURES if any(row[each[0]] != "" for row in rows)]
    counts = [
        f"{sum(_kind(row) == kind for row in rows)} {kind}"
        for kind in ("failed", "doubtful", "done", "waiting")
        if any(_kind(row) == kind for row in rows)
    ]
    heads = ["", "pair", "status", *(title for _, title in shown), "doubts and errors"]
    body = "\n".join(_line(out, row, [name for name, _ in shown]) for row in rows)
    return (
        '<!DOCTYPE html>\n<html lang="en"><meta charset="utf-8"><title>Registrations</title>\n'
        f"<style>{STYLE}</style>\n<h1>{len(rows)} registrations</h1>\n"
        f"<p>{', '.join(counts)}. Click on a heading to sort; all figures: "
        '<a href="summary.csv">summary.csv</a>.</p>\n'
        f"<table><thead><tr>{''.join(f'<th>{escape(head)}</th>' for head in heads)}</tr></thead>\n"
        f"<tbody>\n{body}\n</tbody></table>\n<script>{SCRIPT}</script>\n</html>\n"
    )


def _kind(row: dict) -> str:
    return "doubtful" if row["status"] == "done" and row["doubts"] else row["status"]


def _order(row: dict) -> tuple[int]:
    return (("failed", "doubtful", "done", "waiting").index(_kind(row)),)


def _line(out: Path, row: dict, figures: list[str]) -> str:
    name, kind = row["name"], _kind(row)
    folder = quote(name)
    picture = ""
    if (out / name / PICTURE).exists():
        source = f"{folder}/{PICTURE}"
        picture = f'<a href="{source}"><img src="{source}" loading="lazy" alt="slices"></a>'
    pages = sorted(path.name for path in (out / name).glob("*.html"))
    target = next((each for each in (*pages, REPORT) if (out / name / each).exists()), None)
    title = escape(name)
    if target:
        title = f'<a href="{folder}/{quote(target)}">{title}</a>'
    cells = "".join(f'<td class="number">{escape(str(row[each]))}</td>' for each in figures)
    words = escape(row["error"] or row["doubts"])
    return (
        f'<tr class="{kind}"><td data-value="{_order(row)[0]}">{picture}</td>'
        f'<td data-value="{escape(name, quote=True)}">{title}</td><td>{kind}</td>{cells}'
        f'<td class="words">{words}</td></tr>'
    )
