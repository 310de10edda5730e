import numpy as np
from PIL import Image

from benchmarks.engine.overlays import draw_overlays

YELLOW, HISTOGRAM = (255, 210, 77), (9, 105, 218)


def near(path, colour):
    pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
    return np.abs(pixels - colour).max(axis=-1) < 30


def test_overlays_have_a_column_a_row_with_contours_and_a_histogram(results, finished, tmp_path):
    path = tmp_path / "overlays.png"
    # the last structure is the livers'
    assert draw_overlays(path, results, finished)
    width = Image.open(path).width
    for colour in (YELLOW, HISTOGRAM):
        columns = np.flatnonzero(near(path, colour)[:-60].any(axis=0))
        # the tool's and the network's
        assert columns.min() < width / 2 < columns.max()


def test_without_a_prediction_or_cases_there_is_nothing_to_draw(results, tmp_path):
    assert not draw_overlays(tmp_path / "overlays.png", results, tmp_path)
    object.__setattr__(results, "cases", results.cases[results.cases["row"] != "net"])
    assert not draw_overlays(tmp_path / "overlays.png", results, tmp_path)
    assert not list(tmp_path.iterdir())
