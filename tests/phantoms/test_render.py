import numpy as np
import pytest

from mmzoo.phantoms.imaging.render import (
    Contrast,
    Layer,
    draw_intensities,
    draw_labels,
    is_tissue,
    paint,
)

SHAPE = (8, 6, 4)
EVERYWHERE = np.full(SHAPE, -9.0, np.float32)
HALF = np.broadcast_to((np.arange(8) - 4.0)[:, None, None], SHAPE).astype(np.float32)


def test_later_layers_cover_earlier_ones_with_partial_volume_at_the_edge():
    table = {"low": Contrast(10, 0, 0), "high": Contrast(30, 0, 0)}
    layers = [Layer("low", EVERYWHERE), Layer("high", HALF)]
    image = paint(layers, table, (1, 1, 1), np.random.default_rng(0))
    assert image[:, 2, 2].tolist() == [30, 30, 30, 30, 20, 10, 10, 10]


def test_texture_has_the_tissue_s_deviation():
    table = {"low": Contrast(10, 0, 3)}
    layers = [Layer("low", np.full((40, 40, 40), -9.0, np.float32))]
    image = paint(layers, table, (1, 1, 1), np.random.default_rng(0))
    assert image.std() == pytest.approx(3, rel=0.15)


def test_a_voxel_gets_the_label_of_its_topmost_layer_only():
    layers = [Layer("a", EVERYWHERE, "first"), Layer("b", HALF, "second"), Layer("c", HALF + 2)]
    labels = draw_labels(layers, ("first", "second"))
    assert labels[:, 0, 0, 0].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert labels[:, 0, 0, 1].tolist() == [0, 0, 1, 1, 0, 0, 0, 0]


def test_a_layer_that_keeps_labels_changes_the_picture_only():
    layers = [Layer("a", EVERYWHERE, "first"), Layer("b", HALF, keeps_label=True)]
    assert draw_labels(layers, ("first",)).all()


def test_intensities_vary_between_people_within_two_deviations():
    table = {"blood": Contrast(100, 10, 2)}
    means = [draw_intensities(np.random.default_rng(k), table)["blood"].mean for k in range(200)]
    assert np.std(means) == pytest.approx(10, rel=0.2)
    assert min(means) >= 80 and max(means) <= 120


def test_a_texture_that_is_given_is_painted_and_none_is_drawn():
    layers = [Layer("low", EVERYWHERE)]
    grain = np.random.default_rng(0).normal(size=SHAPE)
    image = paint(layers, {"low": Contrast(10, 0, 3)}, (1, 1, 1), None, grain)
    assert image == pytest.approx(10 + 3 * grain, abs=1e-5)


def test_a_tissue_is_where_no_later_layer_covers_it():
    layers = [Layer("air", EVERYWHERE), Layer("low", HALF), Layer("air", HALF + 2)]
    assert is_tissue(layers, "air")[:, 0, 0].tolist() == [True] * 2 + [False] * 2 + [True] * 4
    assert is_tissue(layers, "low")[:, 0, 0].sum() == 2
