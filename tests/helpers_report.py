"""A small page of a registration, with a block at the patient's left, front and top; a browser."""

import base64
import io
import json
import re
import shutil
import tempfile
import time
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from mmzoo.metrics import jacobian_determinant
from mmzoo.report.scene import Scene, Stage, write_page

SIZE, SPACING = (44, 52, 36), (2.5, 2.0, 3.0)
BLOCK = (slice(6, 14), slice(38, 46), slice(24, 31))  # in RAS axes


def body(shift=0):
    """Greys of a head-like ellipsoid and the block, moved along the first axis."""
    grid = np.indices(SIZE) - np.array([SIZE]).T.reshape(3, 1, 1, 1) / 2
    grid[0] -= shift
    level = np.sqrt(sum((g / (0.42 * n)) ** 2 for g, n in zip(grid, SIZE, strict=True)))
    image = np.where(level < 1, 0.45 + 0.1 * np.sin(grid[1] / 2) * np.cos(grid[2] / 3), 0.0)
    image[BLOCK[0].start + shift : BLOCK[0].stop + shift, BLOCK[1], BLOCK[2]] = 1
    return gaussian_filter(image, 0.5).astype(np.float32)


def scene(**changes) -> Scene:
    """A pair of other contrast, 8 voxels apart by the headers, and a field."""
    fixed, before = body(), body(8)
    inside = (fixed > 0.3).astype(np.uint8)
    inside[BLOCK] = 2
    field = np.zeros((22, 26, 18, 3), np.float32)
    field[4:18, 5:20, 4:14, 1] = 1.5
    field = gaussian_filter(field, (2, 2, 2, 0))
    field[10, 10, 8, 0] = -9  # a fold
    affine = np.diag([*SPACING, 1.0])
    affine[:3, 3] = -np.array(SIZE) * SPACING / 2
    stages = (
        Stage("before", 0.8 * before, np.roll(inside, 8, 0)),
        Stage("linear", 0.8 * body(1), np.roll(inside, 1, 0)),
        Stage("field", 0.8 * fixed, inside),
    )
    doubled = tuple(2 * step for step in SPACING)
    given = {
        "fixed": fixed, "spacing_mm": SPACING, "affine": affine, "stages": stages,
        "displacement_mm": field * doubled, "determinant": jacobian_determinant(field),
        "map_spacing_mm": doubled, "labels": inside, "structures": {1: "body", 2: "block"},
    }  # fmt: skip
    return Scene(**{**given, **changes})


def write(path, **changes):
    """Write the page of `scene`."""
    table = {"title": "Figures", "head": ["", "before"], "rows": [["NMI", 0.25], ["odd", None]]}
    notes = ["doubtful: <script>this is no script</script>", "another note"]
    write_page(path, scene(**changes), title="A & B", notes=notes, tables=[table])
    return path


def content_of(path) -> dict:
    """Return what the script of a page shows."""
    found = re.search(r'id="content">(.*?)</script>', path.read_text(), re.DOTALL)
    return json.loads(found[1])


def unpacked(held: dict, size) -> np.ndarray:
    """Read a sheet as the page's script does: (dim1, dim2, dim3, channels)."""
    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(held["url"].partition(",")[2]))))
    sheet = sheet.reshape(*sheet.shape[:2], -1)
    width, height = held["tile"]
    volume = np.zeros((*size, sheet.shape[-1]), np.uint8)
    for x, y, z in np.ndindex(*size):
        row, column = divmod(z, held["columns"])
        volume[x, y, z] = sheet[row * height + y, column * width + x]
    return volume


@contextmanager
def opened(path, width=1500, height=1100):
    """Open a page in a headless Chromium; skips where there is none."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (program and driver):
        pytest.skip("no chromium and chromedriver on the PATH")
    webdriver = pytest.importorskip("selenium.webdriver")
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = program
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for option in (
            *("headless", "no-sandbox", "disable-gpu", "no-first-run"),
            *("disable-background-networking", "disable-component-update", "disable-sync"),
            *(f"user-data-dir={profile}", f"window-size={width},{height}"),
        ):
            options.add_argument(f"--{option}")
        browser = webdriver.Chrome(options=options, service=Service(driver))
        try:
            browser.get(path.absolute().as_uri())
            for _ in range(600):
                if browser.execute_script("return document.body.dataset.ready"):
                    break
                time.sleep(0.1)
            else:
                raise AssertionError(browser.get_log("browser"))
            yield browser
        finally:
            browser.quit()
