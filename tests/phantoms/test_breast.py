import zlib

import numpy as np
import pytest
from helpers_phantom import (
    assert_every_structure_once,
    assert_volumes,
    dice,
    jacobian_determinant,
    millilitres,
    tissue_mask,
    without_noise,
)
from scipy.ndimage import map_coordinates

from mmzoo.datasets.phantom import PhantomSettings, choose_grid, make_case, true_field
from mmzoo.phantoms.anatomy import breast
from mmzoo.spatial.grid import Grid

SMALL = PhantomSettings("breast", (48, 48, 48), seed=2)
PEOPLE = 3


@pytest.fixture(scope="module")
def people():
    """Cases (image, labels, affine) by series."""
    return {
        series: [make_case(SMALL, series, k) for k in range(PEOPLE)] for series in breast.TABLES
    }


@pytest.fixture(scope="module")
def fields():
    return [true_field(SMALL, k)[0] for k in range(PEOPLE)]


@pytest.fixture(scope="module")
def unmoved():
    """One person, not moved and without noise: layers and image by series."""
    person = breast.draw(np.random.default_rng(5))
    return without_noise(person, PhantomSettings("breast", (48, 48, 48)), breast.TABLES)


def test_every_structure_is_there_and_no_voxel_has_two_labels(people):
    for cases in people.values():
        assert_every_structure_once(cases, (48, 48, 48, 4))
        assert min(image.min() for image, _, _ in cases) >= 0


def test_structures_have_the_volumes_of_adults(people):
    assert_volumes(people["pre"], [(20, 500), (0.5, 15), (80, 1200), (20, 250)])


def test_both_series_show_one_person_on_one_grid_and_other_people_differ(people):
    for post, pre in zip(people["post"], people["pre"], strict=True):
        assert np.array_equal(post[2], pre[2])
        ratio = millilitres(post[1], post[2]) / millilitres(pre[1], pre[2])
        assert ratio[[0, 2]] == pytest.approx(1, abs=0.15)
    glands = {labels[..., 0].tobytes() for _, labels, _ in people["pre"]}
    assert len(glands) == PEOPLE


def test_contrast_agent_is_no_function_of_the_intensity_before(unmoved):
    layers, images = unmoved
    means = {
        tissue: [images[series][tissue_mask(layers, tissue)].mean() for series in ("pre", "post")]
        for tissue in ("fat", "gland", "lesion rim", "muscle", "left blood")
    }
    gain = {tissue: after - before for tissue, (before, after) in means.items()}
    assert abs(gain["fat"]) < 8
    assert 8 < gain["gland"] < gain["lesion rim"] - 40
    assert gain["left blood"] > 100 > 30 > gain["muscle"] > 0
    # About equally bright before, and far apart after.
    assert abs(means["gland"][0] - means["lesion rim"][0]) < 30
    water = np.logical_or.reduce([tissue_mask(layers, name) for name in ("gland", "lesion rim")])
    before, after = images["pre"][water], images["post"][water]
    assert abs(np.corrcoef(before, after)[0, 1]) < 0.8


def test_structures_overlap_badly_before_registration_and_well_after_the_true_one(people, fields):
    for post, pre, ddf in zip(people["post"], people["pre"], fields, strict=True):
        index = np.indices(ddf.shape[:3]) + np.moveaxis(np.nan_to_num(ddf), -1, 0)
        for k in (0, 3):
            moving, fixed = post[1][..., k].astype(np.float32), pre[1][..., k] > 0
            warped = map_coordinates(moving, index, order=1) >= 0.5
            assert dice(moving >= 0.5, fixed) < 0.85
            assert dice(warped, fixed) > 0.88


def test_the_true_field_is_known_in_the_body_alone_and_a_centimetre_at_most(people, fields):
    for (image, labels, affine), ddf in zip(people["pre"], fields, strict=True):
        known = np.isfinite(ddf).all(-1)
        assert known[labels.any(-1)].mean() > 0.97
        assert image[~known].mean() < 0.5 * image[known].mean()
        length = np.linalg.norm(ddf[known] * np.diag(affine)[:3], axis=-1)
        assert 2 < length.mean() < 8 and length.max() < 16


def test_the_true_field_solves_the_motion(fields):
    for k in range(PEOPLE):
        seeds = np.random.SeedSequence([2, zlib.crc32(b"breast"), k]).spawn(2)
        person = breast.draw(np.random.default_rng(seeds[0]))
        grid = choose_grid(person, SMALL)
        known = np.isfinite(fields[k]).all(-1)
        points = np.argwhere(known) * np.array(grid.spacing_mm) + grid.origin_mm
        there = points + fields[k][known].astype(float) * grid.spacing_mm
        miss = np.abs(person.motion(there) - points) / grid.spacing_mm
        assert miss.max() < 1e-3


@pytest.mark.parametrize("seed", range(4))
def test_the_motion_does_not_fold(seed):
    person = breast.draw(np.random.default_rng(seed))
    points = Grid.centred((0, 90, 0), (8, 8, 8), (44, 24, 22)).points()
    assert jacobian_determinant(person.motion, points).min() > 0.1


def test_fields_of_view_hold_one_breast_or_both():
    person = breast.draw(np.random.default_rng(1))
    one, both = (
        choose_grid(person, PhantomSettings("breast", (32, 32, 32), fov)) for fov in breast.FIELDS
    )
    assert one.spacing_mm == (5, 5, 5) and both.spacing_mm == (11, 6, 5.5)
    for grid, count in ((one, 1), (both, 2)):
        gland = tissue_mask(person.layers(grid.points()), "gland")
        across = grid.points()[gland][:, 0]
        assert int((across > 30).any()) + int((across < -30).any()) == count


def test_lesions_are_smooth_or_have_spicules_and_lie_in_either_breast():
    people = [breast.draw(np.random.default_rng(seed)) for seed in range(10)]
    assert {person.lesion.spicules is None for person in people} == {True, False}
    assert {person.side for person in people} == {0, 1}
    for person in people:
        inside = person.breasts[person.side].own(person.lesion.centre)
        assert np.linalg.norm(inside / person.breasts[person.side].radii) < 0.95
