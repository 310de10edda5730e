from dataclasses import replace

import matplotlib.image
import numpy as np
import pytest
from helpers_prediction import SHAPE, SHIFT, STRUCTURES, write_pair

from mmzoo.evaluation import open_prediction
from mmzoo.evaluation.picture import WIDTH_PX, draw_pair
from mmzoo.evaluation.scene import pair_scene
from mmzoo.evaluation.volumes import read_pair

NAMES = tuple(STRUCTURES)


def data_of(folder, **options):
    write_pair(folder / "pair_0", **options)
    return read_pair(open_prediction(folder).pairs[0])


def test_slices_go_through_the_largest_structure_or_the_chosen_one(tmp_path):
    data = data_of(tmp_path)
    # An affine of +1 axes is RAS already, so slices are numbered as in the file.
    assert [plane.index for plane in pair_scene(data).planes] == [10, 14, 15]
    assert pair_scene(data).fixed_labels[0].sum() < pair_scene(data).fixed_labels[1].sum()


def test_scene_shows_labels_before_and_after(tmp_path):
    scene = pair_scene(data_of(tmp_path))
    for moving, warped, fixed in zip(
        scene.moving_labels, scene.warped_labels, scene.fixed_labels, strict=True
    ):
        np.testing.assert_array_equal(warped, fixed)
        assert np.abs(moving - fixed).sum() > 100
    assert scene.length_mm[0, 0, 0] == pytest.approx(
        np.linalg.norm(np.multiply(SHIFT, (1, 1.5, 2)))
    )


def test_agreement_is_high_after_the_right_field_and_empty_where_images_are_flat(tmp_path):
    right = pair_scene(data_of(tmp_path / "right")).agreement
    wrong = pair_scene(data_of(tmp_path / "wrong", ddf=np.zeros((*SHAPE, 3)))).agreement
    assert right.shape == SHAPE and np.nanmedian(right) > 0.95
    assert np.nanmedian(wrong) < np.nanmedian(right) - 0.2
    flat = data_of(tmp_path / "flat")
    assert np.isnan(pair_scene(replace(flat, fixed=np.zeros(SHAPE))).agreement).all()


def test_unlabelled_scene_is_cut_through_the_middle(tmp_path):
    scene = pair_scene(data_of(tmp_path, labelled=False))
    middle = [round((n - 1) / 2) for n in SHAPE]
    assert [plane.index for plane in scene.planes] == middle[::-1]


def colours_of(path, colour):
    """Count the pixels of nearly one colour."""
    pixels = matplotlib.image.imread(path)[..., :3]
    return int((np.abs(pixels - np.array(colour)).max(axis=-1) < 0.06).sum())


@pytest.mark.parametrize("labelled", [True, False])
def test_picture_has_the_promised_width_and_content(tmp_path, labelled):
    path = tmp_path / "p.png"
    data = data_of(tmp_path, labelled=labelled)
    draw_pair(path, data, structures=NAMES if labelled else (), title="name\nfigures")
    pixels = matplotlib.image.imread(path)
    assert pixels.shape[1] == WIDTH_PX
    assert 600 < pixels.shape[0] < 2200
    red, orange = colours_of(path, (1.0, 0.302, 0.302)), colours_of(path, (1.0, 0.604, 0.239))
    assert (red > 500) == labelled  # the first structure's contours
    assert (orange > 500) == (not labelled)  # the edges of the fixed image


def test_folds_are_marked_green_and_only_folds(tmp_path):
    green = (0.224, 1.0, 0.078)
    draw_pair(tmp_path / "a.png", data_of(tmp_path / "a"), structures=NAMES, title="smooth")
    assert colours_of(tmp_path / "a.png", green) == 0
    ddf = np.zeros((*SHAPE, 3))
    ddf[16:, ..., 0] = -3.0
    data = data_of(tmp_path / "b", ddf=ddf)
    draw_pair(tmp_path / "b.png", data, structures=NAMES, title="folded")
    assert colours_of(tmp_path / "b.png", green) > 500
