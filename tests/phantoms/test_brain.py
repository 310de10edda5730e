import zlib
from dataclasses import replace

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

from mmzoo.datasets import phantom
from mmzoo.datasets.phantom import PhantomSettings, choose_grid, make_case, true_field
from mmzoo.phantoms.anatomy import brain
from mmzoo.phantoms.anatomy.brain_cortex import Waves
from mmzoo.phantoms.imaging.scan import worsen
from mmzoo.phantoms.motion.brain_motion import random_motion
from mmzoo.spatial.grid import Grid

SMALL = PhantomSettings("brain", (48, 48, 48), seed=2)
PEOPLE = 4
BALL = Grid.centred((0, 0, 0), (14, 14, 14), (10, 12, 10)).points().reshape(-1, 3)


@pytest.fixture(scope="module")
def people():
    """Cases (image, labels, affine) by modality."""
    return {
        modality: [make_case(SMALL, modality, k) for k in range(PEOPLE)]
        for modality in brain.TABLES
    }


@pytest.fixture(scope="module")
def fields():
    return [true_field(SMALL, k)[0] for k in range(PEOPLE)]


@pytest.fixture(scope="module")
def unmoved():
    """One person, not moved and without noise: layers and image by modality."""
    person = brain.draw(np.random.default_rng(5), 0.0)
    return without_noise(person, PhantomSettings("brain", (64, 64, 64)), brain.TABLES)


def test_every_structure_is_there_and_no_voxel_has_two_labels(people):
    for cases in people.values():
        assert_every_structure_once(cases, (48, 48, 48, 4))


def test_structures_have_the_volumes_of_adults(people):
    assert_volumes(people["t2"], [(3, 110), (8, 90), (300, 750), (12, 45)])


def test_the_skull_is_gone_outside_is_zero_and_inside_there_is_noise(people):
    for cases in people.values():
        for image, labels, affine in cases:
            brain_ml = (image > 0).sum() * np.linalg.det(affine[:3, :3]) / 1000
            assert 1100 < brain_ml < 2000
            assert image.min() == 0 and (image == 0).mean() > 0.4
            assert max((image[side] > 0).mean() for side in (0, -1)) < 0.05
            assert (image[labels.any(-1)] > 0).mean() > 0.999
            assert np.unique(image[image > 0]).size > 0.9 * (image > 0).sum()


def test_both_images_show_one_person_on_one_grid_and_other_people_differ(people):
    for t1, t2 in zip(people["t1"], people["t2"], strict=True):
        assert np.array_equal(t1[2], t2[2])
        ratio = millilitres(t1[1], t1[2]) / millilitres(t2[1], t2[2])
        assert ratio == pytest.approx(1, abs=0.5)
    assert len({labels.tobytes() for _, labels, _ in people["t2"]}) == PEOPLE


def test_tissues_are_as_bright_as_t1_and_t2_show_them(unmoved):
    layers, images = unmoved
    names = {layer.tissue for layer in layers} - {"air"}
    fluid = next(layer.level for layer in layers if layer.label == "ventricles")
    t1, t2 = (
        {name: image[tissue_mask(layers, name)].mean() for name in names}
        | {"csf": image[fluid < -2.5].mean()}
        for image in images.values()
    )
    assert t1["white matter"] > t1["grey matter"] + 30
    assert t1["grey matter"] > t1["csf"] + 40 and t1["white matter"] > t1["oedema"] + 40
    assert t1["tumour rim"] > t1["tumour core"] + 20
    assert t2["csf"] > t2["oedema"] > t2["grey matter"] + 20
    assert t2["grey matter"] > t2["white matter"] + 15 and t2["tumour core"] > t2["tumour rim"]
    # Alike in one and far apart in the other: no function of the intensity.
    assert abs(t1["oedema"] - t1["grey matter"]) < 35 < 40 < t2["oedema"] - t2["grey matter"]


def test_the_cortex_is_folded_over_all_of_the_cerebrum(unmoved):
    layers, _ = unmoved
    points = Grid.centred((0, 0, 0), (2.6, 2.6, 2.6), (64, 72, 48)).points()
    cortex = brain.draw(np.random.default_rng(5), 0.0).cortex
    hull = cortex.hull(points)
    pial = cortex.pial(points, hull)
    for octant in np.ndindex(2, 2, 2):
        part = np.all((points > 0) == octant, axis=-1)
        shallow, deep = part & (np.abs(hull + 5) < 2), part & (hull < -30)
        assert 0.05 < (pial[shallow] > 0).mean() < 0.3
        assert (pial[deep] > 0).sum() < 0.04 * deep.sum() + 1
        assert 0.2 < (pial[shallow] < -cortex.thickness_mm).mean() < 0.8


def test_waves_know_how_far_it_is_to_their_next_zero():
    wave = Waves(np.array([[0.3, 0, 0]], np.float32), np.array([0.4], np.float32))
    x = np.linspace(-30, 30, 41)
    points = np.stack([x, 2 * x, -x], axis=-1).astype(np.float32)
    normals = np.tile(np.array([0, 0, 1], np.float32), (41, 1))
    zeros = (np.arange(-20, 20) * np.pi - 0.4) / 0.3
    nearest = [min(abs(value - zero) for zero in zeros) for value in x]
    assert wave.distance(points, normals) == pytest.approx(nearest, abs=1e-3)


def test_tumours_overlap_badly_before_registration_and_well_after_the_true_one(people, fields):
    before = []
    for t1, t2, ddf in zip(people["t1"], people["t2"], fields, strict=True):
        index = np.indices(ddf.shape[:3]) + np.moveaxis(np.nan_to_num(ddf), -1, 0)
        moving, fixed = t1[1][..., 0].astype(np.float32), t2[1][..., 0] > 0
        warped = map_coordinates(moving, index, order=1) >= 0.5
        before.append(dice(moving >= 0.5, fixed))
        assert dice(warped, fixed) > max(0.75, before[-1] + 0.1)
    assert 0.3 < np.mean(before) < 0.65


def test_the_true_field_is_known_in_the_brain_alone_and_as_long_as_asked_for(people, fields):
    for (image, labels, affine), ddf in zip(people["t2"], fields, strict=True):
        known = np.isfinite(ddf).all(-1)
        assert known[labels.any(-1)].mean() > 0.97
        assert image[~known].mean() < 0.2 * image[known].mean()
        length = np.linalg.norm(ddf[known] * np.diag(affine)[:3], axis=-1)
        assert 0.75 * brain.MOTION_MM < length.max() < 1.05 * brain.MOTION_MM
        assert length.mean() > 0.3 * brain.MOTION_MM


def test_the_true_field_solves_the_motion(fields):
    for k in range(PEOPLE):
        seeds = np.random.SeedSequence([2, zlib.crc32(b"brain"), k]).spawn(2)
        person = brain.draw(np.random.default_rng(seeds[0]), brain.MOTION_MM)
        grid = choose_grid(person, SMALL)
        known = np.isfinite(fields[k]).all(-1)
        points = np.argwhere(known) * np.array(grid.spacing_mm) + grid.origin_mm
        there = points + fields[k][known].astype(float) * grid.spacing_mm
        assert (np.abs(person.motion(there) - points) / grid.spacing_mm).max() < 1e-3


@pytest.mark.parametrize(("size_mm", "least"), [(15.0, 0.1), (40.0, 0.0)])
def test_motions_have_the_size_asked_for_and_do_not_fold(size_mm, least):
    points = Grid.centred((0, 0, 0), (6, 6, 6), (28, 32, 28)).points()
    for seed in range(4):
        motion = random_motion(seed, size_mm, BALL)
        assert jacobian_determinant(motion, points).min() > least
        moved = np.linalg.norm(motion(BALL.astype(float)) - BALL, axis=-1)
        assert moved.max() == pytest.approx(size_mm, rel=0.2)


def test_the_motion_may_be_left_out_and_changes_nothing_but_the_moving_image():
    tiny = PhantomSettings("brain", (32, 32, 32), seed=4)
    still = replace(tiny, motion=0.0)
    t1, t2, fixed = make_case(still, "t1", 0), make_case(still, "t2", 0), make_case(tiny, "t2", 0)
    assert np.array_equal(t1[1], t2[1])
    assert set(np.unique(true_field(still, 0)[0][t2[1].any(-1)])) == {0}
    assert np.array_equal(t2[0], fixed[0]) and np.array_equal(t2[1], fixed[1])
    assert not np.array_equal(t1[0], make_case(tiny, "t1", 0)[0])


def test_motions_are_refused_where_there_is_no_choice_or_that_are_none():
    with pytest.raises(ValueError, match="phantom heart cannot be chosen, got 5.0"):
        PhantomSettings("heart", (16, 16, 16), motion=5.0).check()
    with pytest.raises(ValueError, match="`motion` must be a number at least 0, got -1.0"):
        replace(SMALL, motion=-1.0).check()
    with pytest.raises(ValueError, match="motion"):
        random_motion(0, 2000.0, BALL)


def test_same_seed_gives_identical_files_and_the_motion_is_part_of_the_settings(tmp_path):
    tiny = PhantomSettings("brain", (16, 32, 16), seed=3, spacing=(10.0, 6.0, 9.0))
    options = {"cases": 2, "folds": 2, "valid": 0}
    for name in ("first", "again"):
        phantom.make_data_set(tiny, tmp_path / name, **options)
    first, again = (sorted((tmp_path / name).rglob("*.nii.gz")) for name in ("first", "again"))
    assert {path.parent.name for path in first} >= {"images", "labels", "fields"}
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
    with pytest.raises(ValueError, match=r"motion 15.0 there, 40.0 asked for"):
        phantom.make_data_set(replace(tiny, motion=40.0), tmp_path / "first", **options)


# === Noise and blur ===


def mean_step(image, inside):
    """Return how much neighbours within the brain differ."""
    return np.abs(np.diff(image, axis=0))[inside[1:] & inside[:-1]].mean()


def test_noise_and_blur_change_the_grain_and_nothing_else(people):
    for modality in brain.TABLES:
        plain, labels, affine = people[modality][0]
        inside = plain > 0
        noisy, blurred, both = (
            make_case(replace(SMALL, **changes), modality, 0)
            for changes in ({"noise": 10.0}, {"blur": 8.0}, {"noise": 10.0, "blur": 8.0})
        )
        for image, own_labels, own_affine in (noisy, blurred, both):
            assert image.dtype == np.float32
            np.testing.assert_array_equal(own_labels, labels)
            np.testing.assert_array_equal(own_affine, affine)
            assert not image[~inside].any()
        steps = [mean_step(case[0], inside) for case in (people[modality][0], noisy, blurred, both)]
        assert steps[1] > 1.2 * steps[0] and steps[2] < 0.7 * steps[0]
        assert steps[3] > 1.3 * steps[2]
        extra = (noisy[0] - plain)[plain > 0.5 * plain.max()]
        assert extra.std() == pytest.approx(0.1 * plain.max(), rel=0.05)


def test_blur_is_a_gaussian_of_the_given_width():
    impulse = np.zeros((41, 5, 5), np.float32)
    impulse[20, 2, 2], impulse[impulse == 0] = 1000.0, 1e-6  # no air
    worse = PhantomSettings("brain", (16, 16, 16), blur=12.0)
    profile = worsen(impulse, (2.0, 1e6, 1e6), worse, None)[:, 2, 2]
    assert profile[17] == pytest.approx(profile[20] / 2, rel=0.01)  # 6 mm from the peak


def test_a_worse_phantom_is_another_data_set_and_the_plain_one_keeps_its_hash():
    plain = PhantomSettings("brain", (16, 16, 16))
    assert "noise" not in plain.as_dict() and "blur" not in plain.as_dict()
    assert len({replace(plain, noise=n).digest for n in (None, 1.0, 2.0)}) == 3


def test_noise_and_blur_must_be_above_zero_and_are_the_brain_s_alone():
    with pytest.raises(ValueError, match="`blur` must be a number above 0, got 0"):
        PhantomSettings("brain", (16, 16, 16), blur=0.0).check()
    with pytest.raises(ValueError, match="the noise of phantom heart cannot be chosen"):
        PhantomSettings("heart", (16, 16, 16), noise=5.0).check()


def test_an_axis_may_be_a_multiple_of_eight():
    PhantomSettings("brain", (48, 56, 40)).check()
    with pytest.raises(ValueError, match=r"multiples of \(8, 8, 8\)"):
        PhantomSettings("brain", (48, 60, 40)).check()
