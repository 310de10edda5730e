import dataclasses
import json
import math

import numpy as np
import pytest
from helpers_prediction import SHAPE, SHIFT, SPACING, STRUCTURES, ellipsoid, save, write_pair

from mmzoo.evaluation import open_prediction
from mmzoo.evaluation.cases import measure_pair
from mmzoo.evaluation.errors import PredictionError
from mmzoo.evaluation.scipy_warp import warp
from mmzoo.evaluation.volumes import read_pair
from mmzoo.metrics import (
    average_surface_distance,
    dice,
    jacobian_determinant,
    mean_change_at_edge,
    normalised_mutual_information,
    surface_distances,
)


def measure(folder, *, before=True, affine=False, seconds=math.nan):
    found = open_prediction(folder)
    pair = dataclasses.replace(found.pairs[0], seconds=seconds)
    rows, notes = measure_pair(pair, found.structures, before=before, affine=affine)
    return {(row.structure, row.stage): row for row in rows}, notes


def test_a_field_that_undoes_the_shift_is_perfect_and_before_is_what_the_shift_costs(tmp_path):
    write_pair(tmp_path / "pair_0")
    rows, notes = measure(tmp_path)
    for index, (centre, radii) in enumerate(STRUCTURES.values()):
        fixed, moving = ellipsoid(centre, radii), ellipsoid(np.add(centre, SHIFT), radii)
        before, network = rows[f"label {index}", "before"], rows[f"label {index}", "network"]
        assert before.dice == pytest.approx(dice(fixed, moving))
        assert 0.3 < before.dice < 0.9
        apart = surface_distances(fixed, moving, spacing_mm=SPACING)
        assert before.asd_mm == pytest.approx(average_surface_distance(apart))
        assert before.hd95_mm <= before.hd99_mm <= np.linalg.norm(np.multiply(SHIFT, SPACING)) + 1
        assert (network.dice, network.asd_mm, network.hd99_mm) == (1.0, 0.0, 0.0)
    assert set(rows) == {(f"label {i}", s) for i in (0, 1) for s in ("before", "network")}
    assert notes == []


def test_the_field_of_the_network_alone_folds(tmp_path):
    ddf = np.zeros((*SHAPE, 3))
    ddf[16:, ..., 0] = -3.0
    write_pair(tmp_path / "pair_0", ddf=ddf)
    rows, _ = measure(tmp_path)
    before, network = rows["label 0", "before"], rows["label 0", "network"]
    assert (before.jacobian_mean, before.jacobian_std, before.folding_percent) == (1, 0, 0)
    assert network.folding_percent == pytest.approx(100 * 2 / SHAPE[0])
    assert network.jacobian_std > 0.1


def test_affine_stands_between_with_a_constant_determinant(tmp_path):
    write_pair(tmp_path / "pair_0")
    rows, notes = measure(tmp_path, affine=True)
    affine, before = rows["label 1", "affine"], rows["label 1", "before"]
    assert affine.dice > before.dice + 0.2
    assert affine.nmi > before.nmi
    assert affine.jacobian_std == pytest.approx(0.0, abs=1e-5)
    assert notes == []


def test_a_pair_that_cannot_be_registered_affinely_says_so_and_goes_on(tmp_path):
    write_pair(tmp_path / "pair_0")
    save(tmp_path / "pair_0" / "moving_image.nii.gz", np.ones(SHAPE), np.diag([*SPACING, 1]))
    rows, notes = measure(tmp_path, affine=True)
    assert ("label 0", "affine") not in rows
    assert rows["label 0", "network"].dice == 1.0
    assert "pair_0: no affine figures, `moving` must have contrast" in notes[0]


@pytest.mark.parametrize("name", ["label_0/moving_label.nii.gz", "label_1/fixed_label.nii.gz"])
def test_labels_off_their_image_are_refused(name, tmp_path):
    write_pair(tmp_path / "pair_0")
    values = ellipsoid(*STRUCTURES["cavity"])
    for place in (np.eye(4), np.diag([*SPACING, 1]) + np.eye(4, k=3) * SPACING[0]):
        save(tmp_path / "pair_0" / name, values, place)
        with pytest.raises(PredictionError, match=f"{name}` does not lie on its image"):
            measure(tmp_path)


def test_unlabelled_pairs_have_similarity_before_and_after_and_no_dice(tmp_path):
    write_pair(tmp_path / "pair_0", labelled=False)
    rows, _ = measure(tmp_path)
    before, network = rows["", "before"], rows["", "network"]
    assert math.isnan(network.dice) and math.isnan(network.hd95_mm)
    assert network.nmi > 1.5 * before.nmi
    assert network.gradient_similarity > 1.5 * before.gradient_similarity


def test_inverse_consistency_is_measured_where_there_is_a_backward_field(tmp_path):
    write_pair(tmp_path / "pair_0")
    backward = np.broadcast_to(-np.array(SHIFT, float), (*SHAPE, 3)) + [0, 0.75, 0]
    save(tmp_path / "pair_0" / "backward_ddf.nii.gz", backward, np.eye(4))
    rows, _ = measure(tmp_path)
    assert rows["label 0", "network"].inverse_consistency_voxels == pytest.approx(0.75)
    assert math.isnan(rows["label 0", "before"].inverse_consistency_voxels)


def test_an_empty_fixed_label_gives_zero_dice_and_infinite_distance(tmp_path):
    write_pair(tmp_path / "pair_0")
    place = np.diag([*SPACING, 1.0])
    save(tmp_path / "pair_0" / "label_0" / "fixed_label.nii.gz", np.zeros(SHAPE), place)
    rows, _ = measure(tmp_path)
    assert rows["label 0", "network"].dice == 0.0
    assert rows["label 0", "network"].asd_mm == math.inf


def test_moving_image_on_another_grid_is_compared_by_voxel_index_with_a_note(tmp_path):
    pair = write_pair(tmp_path / "pair_0")
    wider = (SHAPE[0] + 6, *SHAPE[1:])
    for name, radii in (("label_0/moving_label", (6, 5, 4)), ("label_1/moving_label", (9, 8, 6))):
        mask = ellipsoid(np.add((15, 14, 10), SHIFT), radii, wider)
        save(pair / f"{name}.nii.gz", mask, np.eye(4))
    save(pair / "moving_image.nii.gz", mask, np.eye(4))
    rows, notes = measure(tmp_path)
    assert rows["label 0", "network"].dice == 1.0
    assert 0.3 < rows["label 0", "before"].dice < 0.9
    assert "moving (38, 28, 20) and fixed (32, 28, 20) differ in shape" in notes[0]


def test_seconds_are_the_network_s_alone(tmp_path):
    write_pair(tmp_path / "pair_0")
    rows, _ = measure(tmp_path, seconds=2.5)
    assert rows["label 1", "network"].seconds == 2.5
    assert math.isnan(rows["label 1", "before"].seconds)


@pytest.mark.parametrize("affine", [False, True])
def test_without_before_the_other_stages_are_the_same(tmp_path, affine):
    write_pair(tmp_path / "pair_0")
    rows, _ = measure(tmp_path, before=False, affine=affine)
    everything, _ = measure(tmp_path, affine=affine)
    others = {key: row for key, row in everything.items() if key[1] != "before"}
    assert rows.keys() == others.keys()
    for key, row in rows.items():
        assert (row.dice, row.nmi, row.asd_mm) == (
            others[key].dice,
            others[key].nmi,
            others[key].asd_mm,
        )


def test_without_before_other_grids_need_no_note(tmp_path):
    pair = write_pair(tmp_path / "pair_0", labelled=False)
    save(pair / "moving_image.nii.gz", np.indices((38, 28, 20)).sum(0), np.eye(4))
    assert measure(tmp_path)[1] and not measure(tmp_path, before=False)[1]


def test_the_image_is_warped_as_the_prediction_did_and_labels_as_ever(tmp_path):
    ddf = np.random.default_rng(0).uniform(-2, 2, (*SHAPE, 3))
    write_pair(tmp_path / "pair_0", ddf=ddf)
    linear, _ = measure(tmp_path)
    (tmp_path / "pairs.json").write_text(json.dumps({"interpolation": "cubic-bspline"}))
    cubic, _ = measure(tmp_path)
    data = read_pair(open_prediction(tmp_path).pairs[0])
    expected = normalised_mutual_information(
        data.fixed, warp(data.moving, data.ddf, "cubic-bspline")
    )
    row, other = cubic["label 0", "network"], linear["label 0", "network"]
    assert row.nmi == pytest.approx(expected)
    assert abs(row.nmi - other.nmi) > 1e-4
    assert row.dice == other.dice


# === Inside a label ===


def test_figures_inside_a_label_are_of_the_fixed_label(tmp_path):
    ddf = np.zeros((*SHAPE, 3))
    ddf[..., 0] = 0.1 * np.arange(SHAPE[0])[:, None, None] ** 2 / SHAPE[0]
    write_pair(tmp_path / "pair_0", ddf=ddf)
    rows, _ = measure(tmp_path)
    determinant = jacobian_determinant(ddf.astype(np.float32))
    for index, (centre, radii) in enumerate(STRUCTURES.values()):
        inside = determinant[ellipsoid(centre, radii)]
        row = rows[f"label {index}", "network"]
        assert row.inside_jacobian_mean == pytest.approx(inside.mean())
        assert row.inside_jacobian_std == pytest.approx(inside.std())
        assert row.edge_jacobian_change == pytest.approx(
            mean_change_at_edge(determinant, ellipsoid(centre, radii))
        )
        still = rows[f"label {index}", "before"]
        assert (still.inside_jacobian_mean, still.inside_jacobian_std) == (1.0, 0.0)
        assert still.edge_jacobian_change == 0.0


def test_all_structures_together_are_measured_where_they_have_a_name(tmp_path):
    write_pair(tmp_path / "pair_0", ddf=np.zeros((*SHAPE, 3)))
    found = open_prediction(tmp_path)
    rows, _ = measure_pair(found.pairs[0], found.structures, affine=False, union="both")
    last = [row for row in rows if row.structure == "both"][-1]
    masks = [ellipsoid(centre, radii) for centre, radii in STRUCTURES.values()]
    moved = [ellipsoid(np.add(centre, SHIFT), radii) for centre, radii in STRUCTURES.values()]
    assert last.dice == pytest.approx(dice(np.logical_or(*masks), np.logical_or(*moved)))
    assert len(rows) == 3 * 2


def test_a_union_without_labels_is_none(tmp_path):
    write_pair(tmp_path / "pair_0", labelled=False)
    found = open_prediction(tmp_path)
    rows, _ = measure_pair(found.pairs[0], (), affine=False)
    assert [row.structure for row in rows] == ["", ""]
