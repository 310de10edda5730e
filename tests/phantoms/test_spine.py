import json

import numpy as np
import pytest
from helpers_phantom import (
    assert_every_structure_once,
    centroids,
    dice,
    jacobian_determinant,
    millilitres,
    tissue_mask,
)
from scipy.ndimage import map_coordinates

from mmzoo.datasets.phantom import (
    PhantomSettings,
    choose_grid,
    make_case,
    make_data_set,
    rigid_motions,
    true_field,
)
from mmzoo.phantoms.anatomy import spine
from mmzoo.phantoms.imaging.render import draw_intensities, paint
from mmzoo.spatial.grid import Grid

# Not cubic, so that millimetres and voxels cannot be mixed up.
SMALL = PhantomSettings("spine", (32, 48, 64), seed=1)
PEOPLE = 3


@pytest.fixture(scope="module")
def people():
    """Cases (image, labels, affine) by modality."""
    return {name: [make_case(SMALL, name, k) for k in range(PEOPLE)] for name in ("ct", "mr")}


@pytest.fixture(scope="module")
def fields():
    return [true_field(SMALL, k)[0] for k in range(PEOPLE)]


def test_the_default_is_a_box_of_cubic_voxels_round_l3_to_l5():
    person = spine.draw(np.random.default_rng(0))
    grid = choose_grid(person, PhantomSettings("spine", spine.SIZE))
    assert grid.spacing_mm == (1.75, 1.75, 1.75)
    trunk = choose_grid(person, PhantomSettings("spine", (96, 320, 320), "trunk"))
    assert trunk.spacing_mm == (1, 1, 1)


def test_both_images_lie_on_one_grid_with_every_vertebra_once(people):
    for ct, mr in zip(people["ct"], people["mr"], strict=True):
        assert np.array_equal(ct[2], mr[2])
        assert_every_structure_once((ct, mr), (32, 48, 64, 3))
    assert len({labels.tobytes() for _, labels, _ in people["mr"]}) == PEOPLE


def test_vertebrae_are_whole_of_adult_size_and_stand_on_each_other(people):
    for _, labels, affine in people["mr"]:
        assert np.all((millilitres(labels, affine) > 25) & (millilitres(labels, affine) < 80))
        at = centroids(labels, affine, spine.LABELS)
        for upper, lower in (("L3", "L4"), ("L4", "L5")):
            assert 28 < at[upper][2] - at[lower][2] < 45
        spacing = np.diag(affine)[:3]
        for k in range(3):
            reach = np.ptp(np.argwhere(labels[..., k]), axis=0) * spacing
            # Across from wing to wing, and from the body's front to the spinous process's tip.
            assert 60 < reach[0] < 112 and 65 < reach[1] < 105


@pytest.mark.parametrize("seed", range(3))
def test_bones_are_so_far_apart_that_no_voxel_shows_two(seed):
    person = spine.draw(np.random.default_rng(seed))
    points = Grid.centred((0, -25, 0), (1.5, 1.5, 1.5), (56, 64, 90)).points()
    levels = [np.maximum(level, 0) for level in person.bones(points).values()]
    nearest, second = np.sort(levels, axis=0)[:2]
    assert (nearest + second).min() > 4


def test_each_vertebra_moves_exactly_rigidly_as_the_stored_motion_says(people, fields):
    for k, ((_, labels, affine), ddf) in enumerate(zip(people["mr"], fields, strict=True)):
        motions, spacing = rigid_motions(SMALL, k), np.diag(affine)[:3]
        assert list(motions) == list(spine.LABELS)
        for name, channel in zip(spine.LABELS, np.moveaxis(labels, -1, 0), strict=True):
            where = (channel > 0) & np.isfinite(ddf).all(-1)
            assert where.sum() > 0.95 * channel.sum()
            here = np.argwhere(where) * spacing + affine[:3, 3]
            there = here + ddf[where].astype(float) * spacing
            # The best rotation and shift, by singular values.
            left, _, right = np.linalg.svd((here - here.mean(0)).T @ (there - there.mean(0)))
            turn = (left @ right).T
            assert np.linalg.det(turn) == pytest.approx(1)
            fitted = (here - here.mean(0)) @ turn.T + there.mean(0)
            assert np.abs((fitted - there) / spacing).max() < 1e-3
            stored = here @ motions[name][:3, :3].T + motions[name][:3, 3]
            assert np.abs((stored - there) / spacing).max() < 1e-3


@pytest.mark.parametrize("seed", range(6))
def test_the_motion_does_not_fold_and_keeps_volume_in_bones_and_a_millimetre_round(seed):
    person = spine.draw(np.random.default_rng(seed))
    points = Grid.centred((0, -25, 0), (3.1, 3.1, 3.1), (32, 46, 50)).points()
    assert jacobian_determinant(person.motion, points[::2, ::2, ::2]).min() > 0.05
    levels = person.bones(points)
    nearest, second = np.sort([np.maximum(level, 0) for level in levels.values()], axis=0)[:2]
    assert jacobian_determinant(person.motion, points[nearest + second < 12]).min() > 0.05
    for name in spine.LABELS:
        back = np.linalg.inv(person.ways[name])
        there = points[levels[name] < 0.7] @ person.ways[name][:3, :3].T + person.ways[name][:3, 3]
        determinant = jacobian_determinant(person.motion, there)
        assert determinant == pytest.approx(np.ones(len(there)), abs=1e-6)
        moved = there @ back[:3, :3].T + back[:3, 3]
        assert person.motion(there) == pytest.approx(moved, abs=1e-6)


def test_l5_is_nearly_at_rest_and_l4_and_l3_are_off_by_growing_amounts():
    turns, shifts = [], []
    for seed in range(20):
        person = spine.draw(np.random.default_rng(seed))
        ways = [person.rigid_motions[name] for name in ("L5", "L4", "L3")]
        turns.append([np.rad2deg(np.arccos((np.trace(way[:3, :3]) - 1) / 2)) for way in ways])
        middles = [person.vertebrae[name].place.centre for name in ("L5", "L4", "L3")]
        moved = [way[:3, :3] @ at + way[:3, 3] - at for way, at in zip(ways, middles, strict=True)]
        shifts.append(np.linalg.norm(moved, axis=1))
    for medians in (np.median(turns, axis=0), np.median(shifts, axis=0)):
        assert medians[0] < 0.7 and np.all(np.diff(medians) > 0) and 1.2 < medians[2] < 4
    assert np.max(turns) < 8


def test_overlap_falls_from_l5_to_l3_before_registration_and_is_good_after_the_true_one(
    people, fields
):
    before, after = [], []
    for ct, mr, ddf in zip(people["ct"], people["mr"], fields, strict=True):
        index = np.indices(ddf.shape[:3]) + np.moveaxis(np.nan_to_num(ddf), -1, 0)
        for k in range(3):
            moving, fixed = ct[1][..., k].astype(np.float32), mr[1][..., k] > 0
            before.append(dice(moving > 0, fixed))
            after.append(dice(map_coordinates(moving, index, order=1) >= 0.5, fixed))
    l3, l4, l5 = np.mean(np.reshape(before, (-1, 3)), axis=0)
    assert 0.7 < l3 < 0.9 and l3 < l4 < l5 and 0.92 < l5 < 0.99
    assert np.min(after) > 0.9


def test_the_true_field_is_known_in_the_body_and_smooth_tissue_follows(people, fields):
    for (_, labels, affine), ddf in zip(people["mr"], fields, strict=True):
        known = np.isfinite(ddf).all(-1)
        length = np.linalg.norm(ddf[known] * np.diag(affine)[:3], axis=-1)
        assert known[labels.any(-1)].mean() > 0.97 and 1 < length.mean() < 5 and length.max() < 16


def test_compact_bone_is_bright_in_ct_and_dark_in_mr_and_fluid_and_fat_part():
    person = spine.draw(np.random.default_rng(2))
    grid = choose_grid(person, PhantomSettings("spine", (48, 64, 64)))
    layers, means = person.layers(grid.points()), {}
    for modality, table in spine.TABLES.items():
        table = draw_intensities(np.random.default_rng(0), table)
        grain = person.texture(grid.points(), modality)
        image = paint(layers, table, grid.spacing_mm, None, grain)
        means[modality] = {
            tissue: np.median(image[tissue_mask(layers, tissue)])
            for tissue in ("marrow", "muscle", "annulus", "fluid", "fat")
        }
        bone = np.minimum.reduce([layer.level for layer in layers if layer.tissue == "marrow"])
        means[modality]["shell"] = np.median(image[(bone > 0.4) & (bone < 1.2)])
    ct, mr = means["ct"], means["mr"]
    assert ct["shell"] > ct["marrow"] > ct["annulus"] > ct["muscle"] > ct["fluid"] > ct["fat"]
    assert ct["annulus"] - ct["fluid"] < 130
    assert mr["fat"] > mr["marrow"] > mr["muscle"] > mr["annulus"] > mr["fluid"]
    assert mr["shell"] < mr["marrow"] - 40


def test_every_tissue_is_in_the_picture_and_has_an_intensity_in_both():
    person = spine.draw(np.random.default_rng(4))
    layers = person.layers(choose_grid(person, PhantomSettings("spine", (64, 64, 64))).points())
    names = {layer.tissue for layer in layers}
    assert names <= set(spine.TABLES["ct"]) and set(spine.TABLES["ct"]) == set(spine.TABLES["mr"])
    wanted = {"annulus", "nucleus", "fluid", "blood", "muscle", "fat", "skin", "marrow", "bowel"}
    for tissue in wanted:
        assert tissue_mask(layers, tissue).any()


def test_a_data_set_has_the_true_motions_beside_the_field(tmp_path):
    settings = PhantomSettings("spine", (16, 16, 16))
    make_data_set(settings, tmp_path, cases=2, folds=2, valid=0)
    for k in range(2):
        path = tmp_path / f"fields/ct_00{k}__mr_00{k}"
        assert path.with_suffix(".nii.gz").exists()
        stored = json.loads(path.with_suffix(".json").read_text())
        motions = rigid_motions(settings, k)
        assert list(stored) == list(spine.LABELS)
        assert all(np.array_equal(stored[name], motions[name]) for name in stored)


def test_phantoms_without_rigid_parts_have_no_true_motions():
    assert rigid_motions(PhantomSettings("cine", (16, 16, 6)), 0) == {}
