"""The page in a real browser: what its canvases show when buttons and sliders are moved."""

import numpy as np
import pytest
from helpers_report import BLOCK, SIZE, SPACING, opened, scene, write

from mmzoo.report.scene import Stage

PIXEL = """
const canvas = document.getElementById(arguments[0]), context = canvas.getContext("2d");
const x = Math.floor(arguments[1] * canvas.width), y = Math.floor(arguments[2] * canvas.height);
return Array.from(context.getImageData(x, y, 1, 1).data.slice(0, 3));
"""
PLANES = {"axial": (2, 0, 1), "coronal": (1, 0, 2), "sagittal": (0, 1, 2)}
MIDDLE = [(part.start + part.stop) // 2 for part in BLOCK]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with opened(write(tmp_path_factory.mktemp("page") / "page.html")) as browser:
        yield Page(browser)


class Page:
    def __init__(self, browser):
        self.browser = browser
        self.press(show="cross")
        self.press(show="labels")

    def press(self, **buttons):
        for room, name in buttons.items():
            find = f"#{room} button[data-name={name}]"
            self.browser.execute_script(f"document.querySelector('{find}')?.click()")

    def slide(self, plane, index):
        self.browser.execute_script(
            "const s = document.getElementById(arguments[0] + '-slice'); s.value = arguments[1];"
            "s.dispatchEvent(new Event('input'));", plane, index
        )  # fmt: skip

    def pixel(self, plane, voxel):
        """Colour at a voxel (RAS order), if the patient's right and front are on the left."""
        _, right, up = PLANES[plane]
        across = 1 - (voxel[right] + 0.5) / SIZE[right]
        down = 1 - (voxel[up] + 0.5) / SIZE[up]
        return np.array(self.browser.execute_script(PIXEL, plane, across, down))

    def go(self, voxel):
        for plane, (cut, _, _) in PLANES.items():
            self.slide(plane, voxel[cut])


def test_the_block_is_at_the_patient_s_left_front_and_top_in_all_planes(page):
    page.press(mode="fixed", map="none")
    page.go(MIDDLE)
    for plane in PLANES:
        assert page.pixel(plane, MIDDLE).min() > 200, plane
        for axis in PLANES[plane][1:]:
            mirrored = list(MIDDLE)
            mirrored[axis] = SIZE[axis] - 1 - MIDDLE[axis]
            assert page.pixel(plane, mirrored).max() < 180, plane


def test_the_slider_moves_its_own_plane(page):
    page.press(mode="fixed", map="none")
    page.go(MIDDLE)
    page.slide("axial", 2)
    assert page.pixel("axial", MIDDLE).max() < 60
    assert page.pixel("coronal", MIDDLE).min() > 200


def test_stages_show_the_moving_image_where_it_lies(page):
    page.press(mode="moving", stage="before")
    page.go(MIDDLE)
    shifted = [MIDDLE[0] + 8, *MIDDLE[1:]]
    assert page.pixel("axial", shifted).min() > 150 > page.pixel("axial", MIDDLE).max()
    page.press(stage="field")
    assert page.pixel("axial", MIDDLE).min() > 150 > page.pixel("axial", shifted).max()


def test_overlay_is_green_and_magenta_where_only_one_image_is(page):
    page.press(mode="overlay", stage="before", map="none")
    page.go(MIDDLE)
    red, green, blue = page.pixel("axial", MIDDLE)
    assert green > 200 and max(red, blue) < 160
    page.go([MIDDLE[0] + 8, *MIDDLE[1:]])
    red, green, blue = page.pixel("axial", [MIDDLE[0] + 8, *MIDDLE[1:]])
    assert min(red, blue) > 150 and green < 160


def test_checkerboard_has_tiles_of_both(page):
    page.press(mode="checkerboard", stage="before", map="none")
    page.go(MIDDLE)
    along = [[x, MIDDLE[1], MIDDLE[2]] for x in range(*BLOCK[0].indices(99))]
    board = [page.pixel("axial", voxel).mean() for voxel in along]
    page.press(mode="fixed")
    fixed = [page.pixel("axial", voxel).mean() for voxel in along]
    page.press(mode="moving")
    moving = [page.pixel("axial", voxel).mean() for voxel in along]
    from_fixed, from_moving = (np.isclose(board, each, atol=2) for each in (fixed, moving))
    assert from_fixed.sum() >= 2 and from_moving.sum() >= 2  # beside the border of two tiles


def test_difference_is_dark_where_images_fit_and_red_where_the_fixed_one_is_brighter(page):
    page.press(mode="difference", stage="field", map="none")
    page.go(MIDDLE)
    assert page.pixel("axial", MIDDLE).max() < 60
    page.press(stage="before")
    red, _, blue = page.pixel("axial", MIDDLE)
    assert red > 150 and blue < 80


def test_blink_shows_one_after_the_other(page):
    import time

    page.press(mode="blink", stage="before", map="none")
    page.go(MIDDLE)
    seen = set()
    for _ in range(100):
        seen.add(bool(page.pixel("axial", MIDDLE).min() > 200))
        if len(seen) == 2:
            break
        time.sleep(0.05)
    assert seen == {True, False}


def test_maps_colour_folds_green_and_leave_the_image_where_nothing_is_said(page):
    fold = [22, 20, 16]  # where the determinant is negative, in voxels of the image
    page.press(mode="fixed", map="jacobian")
    greens = []
    for x in range(fold[0] - 4, fold[0] + 6):
        page.go([x, 20, 16])
        red, green, blue = page.pixel("sagittal", [x, 20, 16])
        greens.append(green > 150 and max(red, blue) < 120)
    assert any(greens)
    page.press(map="displacement")
    page.go([22, 24, 18])
    plain = page.pixel("axial", [22, 24, 18])
    assert np.ptp(plain) > 30
    page.press(map="none")
    assert np.ptp(page.pixel("axial", [22, 24, 18])) <= 2


@pytest.mark.parametrize("name", ["grid", "arrows"])
def test_lines_of_the_field_are_drawn_over_the_image(page, name):
    count = """
    const c = document.getElementById("sagittal"), d = c.getContext("2d")
      .getImageData(0, 0, c.width, c.height).data;
    let n = 0;
    for (let k = 0; k < d.length; k += 4) n += d[k] - d[k + 2] > 60;
    return n;
    """
    page.press(mode="fixed", map="none")
    page.go([22, 24, 18])
    before = page.browser.execute_script(count)
    page.press(map=name)
    assert page.browser.execute_script(count) > before + 500


def test_labels_are_outlined_and_the_notes_are_text(page):
    page.press(mode="fixed", map="none")
    page.go(MIDDLE)
    picture = "return document.getElementById('axial').toDataURL()"
    without = page.browser.execute_script(picture)
    page.press(show="labels")
    assert page.browser.execute_script(picture) != without
    page.press(show="labels")
    notes = page.browser.execute_script("return document.getElementById('notes').innerText")
    assert "<script>this is no script</script>" in notes
    said = page.browser.execute_script("return document.getElementById('said').innerText")
    place = [
        voxel * step - n * step / 2 for voxel, step, n in zip(MIDDLE, SPACING, SIZE, strict=True)
    ]
    assert f"RAS {', '.join(f'{value:.1f}' for value in place)} mm" in said


def test_a_slice_has_one_plane_without_a_slider_and_both_images(tmp_path):
    cut = (slice(None), slice(None), slice(BLOCK[2].start + 2, BLOCK[2].start + 3))
    whole = scene()
    flat = {
        "fixed": whole.fixed[cut],
        "stages": tuple(Stage(s.name, s.image[cut]) for s in (whole.stages[0], whole.stages[2])),
        "labels": None,
        "displacement_mm": np.zeros((22, 26, 1, 3), np.float32),
        "determinant": np.ones((22, 26, 1)),
    }
    with opened(write(tmp_path / "flat.html", **flat)) as browser:
        names = "return Array.from(document.querySelectorAll('#panels canvas')).map((c) => c.id)"
        assert browser.execute_script(names) == ["axial"]
        assert not browser.find_element("id", "axial-slice").is_displayed()
        room = browser.find_element("id", "axial").size
        assert room["height"] < 0.8 * browser.execute_script("return window.innerHeight")
        assert room["width"] / room["height"] == pytest.approx(44 * 2.5 / (52 * 2.0), rel=0.02)
        page = Page(browser)
        voxel = [*MIDDLE[:2], 0]
        page.press(mode="moving", stage="before")
        assert page.pixel("axial", voxel).max() < 180
        page.press(stage="field")
        assert page.pixel("axial", voxel).min() > 150
        assert [line for line in browser.get_log("browser") if line["level"] == "SEVERE"] == []


def test_nothing_is_asked_for_from_outside_and_no_error_is_said(page):
    asked = page.browser.execute_script(
        "return performance.getEntriesByType('resource').map((entry) => entry.name)"
    )
    assert [name for name in asked if not name.startswith("data:")] == []
    assert [line for line in page.browser.get_log("browser") if line["level"] == "SEVERE"] == []
