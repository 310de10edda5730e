import shutil

import numpy as np
import pytest
from helpers_pages import near, pixels

from benchmarks.engine.figures import draw_boxes, draw_line, draw_losses, read_losses
from benchmarks.engine.results import collect

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
