import shutil

import numpy as np
import pytest
from helpers_pages import near, pixels

from benchmarks.engine.case_figure import draw_cases
from benchmarks.engine.median_case import largest_slice, median_pair
from benchmarks.engine.results import collect

BLUE, RED = (61, 155, 255), (255, 59, 48)


def panels(path, rows=3, columns=4):
    """Return the panels of the figure of cases, rows by columns, without margins."""
    image = pixels(path)
    dark = (image < 250).any(axis=-1)
    filled = np.flatnonzero(dark.mean(axis=0) > 0.5)
    lines = np.split(filled, np.flatnonzero(np.diff(filled) > 1) + 1)
    assert len(lines) == columns
    tall = np.flatnonzero(dark.mean(axis=1) > 0.5)
    strips = np.split(tall, np.flatnonzero(np.diff(tall) > 1) + 1)
    assert len(strips) == rows
    return [[image[s[0] : s[-1], c[0] : c[-1]] for c in lines] for s in strips]


def test_the_median_is_the_references_among_pairs_that_all_rows_have(results):
    # the tool has the six matched pairs, Dice rises with the person: the lower of the middle two
    assert median_pair(results, "heart/LVC") == (0, "mr_002", "ct_002")


def test_a_row_without_cases_does_not_limit_the_pairs(results):
    cases = results.cases
    kept = ~((cases["row"] == "tool") & (cases["data"] == "heart"))
    object.__setattr__(results, "cases", cases[kept])
    # of 18 pairs the ninth, three for each person
    assert median_pair(results, "heart/LVC")[2] == "ct_002"


def test_without_the_reference_there_is_no_case(results):
    object.__setattr__(results, "cases", results.cases[results.cases["row"] != "net"])
    assert median_pair(results, "heart/LVC") is None


def test_the_slice_is_the_one_that_cuts_most():
    mask = np.zeros((5, 6, 7))
    mask[1, 1, 2] = 1
    mask[1:3, 1:5, 4] = 1
    mask[:, 0, 5] = 1
    assert largest_slice(mask) == 4


# === The figure ===


def test_cases_have_a_row_a_structure_and_a_column_a_method(results, finished, tmp_path):
    assert draw_cases(tmp_path / "cases.png", results, finished)
    grid = panels(tmp_path / "cases.png")  # before, tool, net, warped image
    for row in grid:
        # the network's contour covers the fixed one
        assert [bool(near(panel, BLUE).any()) for panel in row] == [True, True, False, True]
        assert [bool(near(panel, RED).any()) for panel in row] == [True, True, True, False]


def test_contours_show_what_each_method_did(results, finished, tmp_path):
    draw_cases(tmp_path / "cases.png", results, finished)
    before, tool, net, _ = panels(tmp_path / "cases.png")[0]

    def shift(panel):
        """Return how far the right edges of both contours lie apart, in voxels of 12."""
        edges = [np.flatnonzero(near(panel, colour).any(axis=0)) for colour in (BLUE, RED)]
        return abs(edges[0].min() - edges[1].min()) / panel.shape[1] * 12

    assert shift(before) == pytest.approx(2, abs=0.3)
    assert shift(tool) == pytest.approx(1, abs=0.3)
    assert near(net, RED).any() and not near(net, BLUE).any()


def test_the_patients_right_is_on_the_left(results, finished, tmp_path):
    draw_cases(tmp_path / "cases.png", results, finished)
    before = panels(tmp_path / "cases.png")[0][0]
    columns = np.flatnonzero(near(before, BLUE).any(axis=0)) / before.shape[1]
    # the fixed box fills voxels 3 to 7 of 12 from the patient's left to the right (RAS)
    assert columns.max() == pytest.approx(1 - 3 / 12, abs=0.04)


def test_a_method_whose_case_was_not_kept_is_shown_as_missing(paper, out, tmp_path):
    shutil.rmtree(out / "runs/heart/tool/fold0/predict")
    assert draw_cases(tmp_path / "cases.png", collect(paper, out), out)
    grid = panels(tmp_path / "cases.png")
    assert [bool(near(panel, BLUE, RED).any()) for panel in grid[0]] == [True, False, True, True]
    assert near(grid[2][1], BLUE).any()  # the liver has it


def test_a_structure_without_the_references_prediction_is_left_out(paper, out, tmp_path):
    shutil.rmtree(out / "runs/heart/net/fold0/predict")
    assert draw_cases(tmp_path / "cases.png", collect(paper, out), out)
    panels(tmp_path / "cases.png", rows=1)


def test_without_any_prediction_nothing_is_drawn(paper, out, tmp_path):
    for path in out.glob("runs/*/*/*/predict"):
        shutil.rmtree(path)
    assert not draw_cases(tmp_path / "cases.png", collect(paper, out), out)
    assert not (tmp_path / "cases.png").exists()


def test_a_method_that_does_not_run_on_the_data_has_an_empty_place(results, finished, tmp_path):
    results.paper.content["rows"]["tool"]["data"] = ["liver"]
    assert draw_cases(tmp_path / "cases.png", results, finished)
    image = pixels(tmp_path / "cases.png")
    dark = (image < 250).any(axis=-1)
    lines = np.split(filled := np.flatnonzero(dark.mean(axis=0) > 0.25),
                     np.flatnonzero(np.diff(filled) > 1) + 1)  # fmt: skip
    tool = dark[:, lines[1][0] : lines[1][-1]]
    assert len(lines) == 4
    assert tool[: len(tool) // 2].mean() < 0.1 < tool[len(tool) // 2 :].mean()
