import shutil

import numpy as np
import pytest
from PIL import Image

from benchmarks.engine.figures import (
    draw_boxes,
    draw_cases,
    draw_line,
    draw_losses,
    largest_slice,
    median_pair,
    read_losses,
)
from benchmarks.engine.results import collect

BLUE, RED = (61, 155, 255), (255, 59, 48)


def pixels(path):
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def near(image, *colours):
    """Return where a picture has about one of some colours."""
    return np.any([np.abs(image - colour).max(axis=-1) < 40 for colour in colours], axis=0)


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


# === The case ===


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


# === The figure of cases ===


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


# === Losses ===


def test_losses_are_read_by_training_step(finished):
    found = read_losses(finished / "runs/heart/net/fold0/train")
    assert list(found) == ["train"]
    np.testing.assert_allclose(found["train"], [[50, 0.9], [100, 0.4]])


def test_a_folder_without_training_has_no_losses(tmp_path, finished):
    assert read_losses(tmp_path) == {}
    (tmp_path / "config.yaml").write_text("train: {steps_per_epoch: 5}")
    assert read_losses(tmp_path) == {}


def test_losses_have_a_panel_a_network_and_data_set(results, finished, tmp_path):
    assert draw_losses(tmp_path / "losses.png", results, finished)
    height, width, _ = pixels(tmp_path / "losses.png").shape
    assert width > 2 * height  # two data sets, one network


def test_without_training_no_losses_are_drawn(paper, out, tmp_path):
    for path in out.glob("runs/*/*/*/train"):
        shutil.rmtree(path)
    assert not draw_losses(tmp_path / "losses.png", collect(paper, out), out)
    assert not (tmp_path / "losses.png").exists()


# === Boxes ===


def test_boxes_show_the_reference_in_blue_in_every_panel(results, tmp_path):
    assert draw_boxes(tmp_path / "boxes.png", results)
    image = pixels(tmp_path / "boxes.png")
    blue = np.flatnonzero(near(image, (9, 105, 218)).any(axis=0))
    assert len(np.split(blue, np.flatnonzero(np.diff(blue) > 20) + 1)) == 3  # structures
    rows = np.flatnonzero(near(image, (9, 105, 218)).any(axis=1))
    assert len(np.split(rows, np.flatnonzero(np.diff(rows) > 20) + 1)) == 2  # Dice and ASD


def test_a_missing_row_leaves_its_box_out(results, tmp_path):
    object.__setattr__(results, "cases", results.cases[results.cases["row"] != "net"])
    assert draw_boxes(tmp_path / "boxes.png", results)
    assert not near(pixels(tmp_path / "boxes.png"), (9, 105, 218)).any()


def columns_of_blue(image):
    """Return the groups of columns that show the reference's boxes, and of rows."""
    groups = []
    for axis in (0, 1):
        blue = np.flatnonzero(near(image, (9, 105, 218)).any(axis=axis))
        groups.append(len(np.split(blue, np.flatnonzero(np.diff(blue) > 20) + 1)))
    return tuple(groups)


def test_boxes_of_whole_images_stand_in_one_line(results, tmp_path):
    results.cases["nmi"] = results.cases["dice"]
    assert draw_boxes(tmp_path / "boxes.png", results, ["nmi", "folding"], ["heart"])
    image = pixels(tmp_path / "boxes.png")
    assert columns_of_blue(image)[0] == 2
    assert len(image) < 400  # one line of 2.3 inches and the names, at 120 dots an inch


def test_boxes_have_a_line_a_figure_with_one_panel_a_structure(results, tmp_path):
    assert draw_boxes(tmp_path / "boxes.png", results, ["folding", "dice"], ["heart"])
    assert columns_of_blue(pixels(tmp_path / "boxes.png")) == (2, 2)


def test_boxes_of_data_that_the_scale_leaves_out_are_not_drawn(results, tmp_path):
    assert not draw_boxes(tmp_path / "boxes.png", results, ["dice"], ["brain"])
    assert not (tmp_path / "boxes.png").exists()


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


# === Violins and a line ===


def test_violins_take_the_place_of_boxes(results, tmp_path):
    for kind in ("box", "violin"):
        assert draw_boxes(tmp_path / f"{kind}.png", results, ["dice"], ["heart"], kind)
    box, violin = (pixels(tmp_path / f"{kind}.png") for kind in ("box", "violin"))
    assert box.shape == violin.shape and (box != violin).any()
    with pytest.raises(ValueError, match="did you mean 'violin'"):
        draw_boxes(tmp_path / "x.png", results, ["dice"], ["heart"], "violins")


def test_a_grid_of_two_settings_has_no_line(results, finished, tmp_path):
    assert not draw_line(tmp_path / "line.png", results, finished)
    assert not (tmp_path / "line.png").exists()


def test_a_grid_of_one_setting_is_drawn_as_a_line(results, finished, repository, tmp_path):
    grid = results.paper.content["ablations"]["grid"]
    grid["axes"] = {"a": grid["axes"]["a"]}
    (repository / "configs/tiny/net.yaml").write_text("train: {a: 3}\n")
    assert draw_line(tmp_path / "line.png", results, finished) is False  # one point alone
    results.cases["row"] = results.cases["row"].replace({"grid_1_1": "grid_1"})
    assert draw_line(tmp_path / "line.png", results, finished)
    assert near(pixels(tmp_path / "line.png"), (9, 105, 218)).any()
