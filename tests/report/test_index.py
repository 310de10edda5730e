"""The table of many pairs, in a real browser."""

import pytest
from helpers_report import opened
from PIL import Image

from mmzoo.registration.index_page import index_page
from mmzoo.registration.summary import COLUMNS

TOLD = (
    "return [...document.querySelectorAll('#pairs tbody tr')].map((row) => row.cells[1].innerText)"
)
CLICK = "document.querySelectorAll('#pairs th')[arguments[0]].click()"


def row(name, **known):
    return dict.fromkeys(COLUMNS, "") | {"name": name, "status": "done"} | known


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    rows = [
        row("p10", nmi_after=0.31, seconds=2.5),
        row("p9", nmi_after=0.4, seconds=10.0),
        row("p2", nmi_after=0.2, seconds=3.0, doubts="doubtful: <b>look</b>"),
        row("p7", status="failed", error="</script><script>document.title = 'broken'</script>"),
        row("p1", status="waiting"),
    ]
    for name in ("p9", "p2"):
        (out / name).mkdir()
        Image.new("RGB", (240, 90), "teal").save(out / name / "picture.png")
        (out / name / "report.html").write_text("")
    (out / "index.html").write_text(index_page(out, rows), encoding="utf-8")
    with opened(out / "index.html") as browser:
        yield browser


def test_what_failed_and_what_is_doubtful_come_first(page):
    assert page.execute_script(TOLD)[:2] == ["p7", "p2"]
    assert page.title == "5 registrations"
    text = page.execute_script("return document.body.innerText")
    assert "doubtful: <b>look</b>" in text and "</script><script>" in text
    assert "1 failed, 1 doubtful, 2 done, 1 waiting" in text


def test_a_click_sorts_by_numbers_and_names_and_what_is_not_known_comes_last(page):
    heads = page.execute_script(
        "return [...document.querySelectorAll('#pairs th')].map((head) => head.textContent)"
    )
    page.execute_script(CLICK, heads.index("seconds"))
    assert page.execute_script(TOLD)[:3] == ["p10", "p2", "p9"]
    page.execute_script(CLICK, heads.index("seconds"))
    assert page.execute_script(TOLD)[:3] == ["p9", "p2", "p10"]
    page.execute_script(CLICK, heads.index("pair"))
    assert page.execute_script(TOLD) == ["p1", "p2", "p7", "p9", "p10"]
    page.execute_script(CLICK, 0)
    assert page.execute_script(TOLD)[:2] == ["p7", "p2"]


def test_pictures_and_links_lead_to_the_pairs(page):
    ends = "return [...document.querySelectorAll('#pairs td a')].map((a) => a.getAttribute('href'))"
    assert sorted(set(page.execute_script(ends))) == ["p2/report.html", "p9/report.html"]
    wide = "return [...document.querySelectorAll('img')].map((image) => image.getAttribute('src'))"
    assert sorted(page.execute_script(wide)) == ["p2/picture.png", "p9/picture.png"]
    assert [line for line in page.get_log("browser") if line["level"] == "SEVERE"] == []
