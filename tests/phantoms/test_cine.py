import numpy as np
import pytest
from helpers_phantom import (
    assert_every_structure_once,
    centroids,
    dice,
    jacobian_determinant,
    millilitres,
)
from scipy.ndimage import map_coordinates

from mmzoo.datasets.phantom import PhantomSettings, choose_grid, make_case, true_field
from mmzoo.phantoms.anatomy import cine
from mmzoo.spatial.grid import Grid

SMALL = PhantomSettings("cine", (64, 64, 12), seed=1)
PEOPLE = 4


@pytest.fixture(scope="module")
def people():
    """Cases (image, labels, affine) by state."""
    return {state: [make_case(SMALL, state, k) for k in range(PEOPLE)] for state in ("ed", "es")}


@pytest.fixture(scope="module")
def volumes(people):
    return {
        state: np.array([millilitres(labels, affine) for _, labels, affine in cases])
        for state, cases in people.items()
    }


def test_the_default_is_a_short_axis_stack_of_thick_slices():
    person = cine.draw(np.random.default_rng(0))
    grid = choose_grid(person, PhantomSettings("cine", cine.SIZE))
    assert grid.spacing_mm == (1.5, 1.5, 10.0)


def test_both_states_lie_on_one_grid_with_every_structure(people):
    for ed, es in zip(people["ed"], people["es"], strict=True):
        assert np.array_equal(ed[2], es[2])
        assert_every_structure_once((ed, es), (64, 64, 12, 3))


def test_left_ventricle_ejects_half_to_two_thirds_and_the_right_one_a_part(volumes):
    fraction = 1 - volumes["es"] / volumes["ed"]
    assert np.all((fraction[:, 0] > 0.42) & (fraction[:, 0] < 0.72))
    assert np.all((fraction[:, 2] > 0.12) & (fraction[:, 2] < 0.65))
    assert np.all((volumes["ed"][:, 0] > 60) & (volumes["ed"][:, 0] < 300))


def test_muscle_keeps_its_volume_within_a_quarter(volumes):
    ratio = volumes["es"][:, 1] / volumes["ed"][:, 1]
    assert np.all((ratio > 0.75) & (ratio < 1.25))


def test_wall_thickens_in_the_middle_of_the_ventricle(people):
    for ed, es in zip(people["ed"], people["es"], strict=True):
        thickness = []
        for _, labels, affine in (ed, es):
            cavity, wall = labels[:, :, 6, 0].sum(), labels[:, :, 6, 1].sum()
            area = affine[0, 0] * affine[1, 1] / np.pi
            thickness.append(np.sqrt(area * (cavity + wall)) - np.sqrt(area * cavity))
        assert thickness[1] > 1.2 * thickness[0]


def test_base_comes_down_to_the_apex_which_stays(people):
    ends = {
        state: np.array(
            [np.argwhere(labels[..., 0].any((0, 1)))[[0, -1], 0] for _, labels, _ in cases]
        )
        for state, cases in people.items()
    }
    moved = ends["es"] - ends["ed"]
    assert moved[:, 0].min() >= 0 and moved[:, 0].mean() >= 0.5
    assert np.abs(moved[:, 1]).max() <= 1


def test_the_right_ventricle_lies_on_the_left_of_the_picture(people):
    for _, labels, affine in people["ed"] + people["es"]:
        at = centroids(labels, affine, cine.LABELS)
        assert at["right ventricle"][0] < at["left ventricle cavity"][0] - 20


def test_structures_overlap_badly_before_registration_and_well_after_the_true_one(people):
    scores = np.array(
        [
            [dice(ed[1][..., k], es[1][..., k]) for k in range(3)]
            for ed, es in zip(people["ed"], people["es"], strict=True)
        ]
    ).mean(0)
    assert 0.5 < scores[0] < 0.75 and 0.3 < scores[1] < 0.6 and 0.4 < scores[2] < 0.75
    for k, (ed, es) in enumerate(zip(people["ed"], people["es"], strict=True)):
        ddf = np.nan_to_num(true_field(SMALL, k)[0])
        index = np.moveaxis(np.indices(ddf.shape[:3]), 0, -1) + ddf
        for channel in range(3):
            moving = ed[1][..., channel].astype(np.float32)
            warped = map_coordinates(moving, np.moveaxis(index, -1, 0), order=1) >= 0.5
            assert dice(warped, es[1][..., channel] > 0) > 0.85


@pytest.mark.parametrize("seed", range(4))
def test_the_beat_does_not_fold(seed):
    person = cine.draw(np.random.default_rng(seed))
    points = Grid.centred((-14, 0, -4), (7, 7, 7), (28, 28, 18)).points()
    determinant = jacobian_determinant(person.motion, points)
    assert determinant.min() > 0.1 and determinant.max() < 3


def test_surroundings_move_little():
    person = cine.draw(np.random.default_rng(3))
    points = Grid.centred((0, 0, 0), (6, 6, 10), (32, 32, 12)).points()
    shift = np.linalg.norm(person.motion(points) - points, axis=-1)
    layers = person.layers(points)
    wall = np.hypot(points[..., 0], points[..., 1]) > 85
    assert shift[wall].mean() < 4 < shift[~wall].mean() + 2
    assert shift.max() > 10 and any(layer.label == "myocardium" for layer in layers)


def test_blood_is_brighter_than_muscle_in_both_and_the_right_one_changes_most(people):
    change = []
    for ed, es in zip(people["ed"], people["es"], strict=True):
        means = [
            [np.median(image[labels[..., k] > 0]) for k in range(3)]
            for image, labels, _ in (ed, es)
        ]
        for cavity, wall, _ in means:
            assert cavity > wall + 60
        change.append(np.abs(np.subtract(*means)) / means[0])
    change = np.mean(change, 0)
    assert 0.03 < change[2] < 0.4 and change[2] > change[0]
