import numpy as np
import pytest
from helpers_phantom import (
    assert_every_structure_once,
    assert_volumes,
    centroids,
    dice,
    jacobian_determinant,
    millilitres,
    tissue_mask,
)
from scipy.ndimage import label

from mmzoo.datasets.phantom import PhantomSettings, make_case
from mmzoo.phantoms.anatomy import abdomen
from mmzoo.phantoms.imaging.render import draw_intensities, paint
from mmzoo.spatial.grid import Grid

ORGANS = PhantomSettings("abdomen", (48, 32, 32), "abdomen")
MODALITIES = ("t1", "t2", "ct")


@pytest.fixture(scope="module")
def people():
    """Cases (image, labels, affine) by modality, boxed round all labelled organs."""
    return {name: [make_case(ORGANS, name, index) for index in (0, 1)] for name in MODALITIES}


@pytest.fixture(scope="module")
def everyone(people):
    return [case for cases in people.values() for case in cases]


@pytest.fixture(scope="module")
def scans():
    """One person in each modality: (layers, image by modality, points)."""
    person = abdomen.draw(np.random.default_rng(5))
    grid = Grid.centred(person.body_centre_mm, (5, 5, 5), (64, 48, 56))
    layers = person.layers(grid.points())
    images = {}
    for modality, table in abdomen.TABLES.items():
        rng = np.random.default_rng(1)
        image = paint(layers, draw_intensities(rng, table), grid.spacing_mm, rng)
        images[modality] = abdomen.acquire(modality, image, grid, person, rng, rng)
    return layers, images, grid.points()


def brightness(scans, modality, tissue):
    layers, images, _ = scans
    return images[modality][tissue_mask(layers, tissue)].mean()


def test_every_organ_is_there_and_no_voxel_has_two_labels(everyone):
    assert_every_structure_once(everyone, (*everyone[0][0].shape, 4))


def test_same_index_in_two_modalities_is_two_people(people):
    volumes = {case[1].tobytes() for cases in people.values() for case in cases}
    assert len(volumes) == 6


def test_organs_have_the_volumes_of_adults(everyone):
    bounds = [(800, 2400), (80, 400), (75, 280), (75, 300)]
    assert_volumes(everyone, bounds)
    livers = [millilitres(labels, affine)[0] for _, labels, affine in everyone]
    assert 1000 < np.mean(livers) < 1700 and np.std(livers) > 80


def test_organs_lie_in_the_body_as_anatomy_has_it(everyone):
    right, front, up = 0, 1, 2
    for _, labels, affine in everyone:
        at = centroids(labels, affine, abdomen.LABELS)
        assert at["liver"][right] > 25
        assert at["spleen"][right] < -60
        assert at["right kidney"][right] > 35 and at["left kidney"][right] < -35
        for kidney in ("right kidney", "left kidney"):
            assert at[kidney][front] < at["liver"][front] - 25
            assert at[kidney][up] < at["liver"][up] - 15
        assert at["spleen"][up] > at["left kidney"][up]


def test_liver_is_in_one_piece_and_larger_right_of_the_midline(everyone):
    for _, labels, affine in everyone:
        liver = labels[..., 0]
        sizes = np.bincount(label(liver, np.ones((3, 3, 3)))[0].ravel())[1:]
        assert sizes.max() > 0.97 * sizes.sum()
        across = affine[0, 3] + affine[0, 0] * np.argwhere(liver)[:, 0]
        assert np.mean(across > 0) > 0.65


def test_left_lobes_differ_in_how_far_they_reach_across(everyone):
    ends = [
        affine[0, 3] + affine[0, 0] * np.argwhere(labels[..., 0])[:, 0].min()
        for _, labels, affine in everyone
    ]
    assert min(ends) < -45
    assert np.ptp(ends) > 25


def test_deformations_of_the_organs_do_not_fold():
    person = abdomen.draw(np.random.default_rng(3))

    def together(points):
        for deformation in (person.frame_deformation, *person.deformations):
            points = deformation(points)
        return points

    points = Grid.centred(person.centre_mm, (8, 8, 8), (38, 28, 32)).points()
    assert np.linalg.norm(together(points) - points, axis=-1).max() > 10
    assert jacobian_determinant(together, points).min() > 0


@pytest.mark.parametrize(
    ("modality", "from_dark_to_bright"),
    [
        ("ct", ["lung", "fat", "bile", "liver", "kidney cortex", "cortical bone"]),
        ("t1", ["lung", "fluid", "spleen", "liver", "fat"]),
        ("t2", ["lung", "fat", "liver", "spleen", "fluid"]),
    ],
)
def test_tissues_are_as_bright_as_the_modality_has_them(scans, modality, from_dark_to_bright):
    values = [brightness(scans, modality, tissue) for tissue in from_dark_to_bright]
    assert np.all(np.diff(values) > 10), dict(zip(from_dark_to_bright, values, strict=True))


@pytest.mark.parametrize("modality", ["t1", "t2"])
def test_borders_of_the_liver_reverse_between_mr_and_ct(scans, modality):
    def step(name, tissue):
        return brightness(scans, name, "liver") - brightness(scans, name, tissue)

    neighbours = ("fat", "kidney cortex", "bile", "hepatic vein", "muscle")
    signs = {tissue: step(modality, tissue) * step("ct", tissue) > 0 for tissue in neighbours}
    assert set(signs.values()) == {True, False}


def test_gut_holds_gas_fluid_and_stool_and_the_spine_a_canal(scans):
    layers, images, points = scans
    for tissue in ("stomach", "bowel fluid", "stool", "pancreas", "portal vein", "artery"):
        assert tissue_mask(layers, tissue).sum() > 10, tissue
    gas = tissue_mask(layers, "air") & (np.abs(points[..., 0]) < 110) & (layers[1].level < -40)
    assert gas.sum() > 50 and images["ct"][gas].mean() < -150
    cord, canal = points[tissue_mask(layers, "cord")], points[tissue_mask(layers, "fluid")]
    assert abs(cord[:, 0].mean()) < 15 and abs(canal[:, 0].mean()) < 15


def test_images_stay_in_their_window(people):
    for image, _, _ in people["ct"]:
        assert image.dtype == np.float32 and image.min() >= -200 and image.max() <= 400
    for image, _, _ in people["t1"] + people["t2"]:
        assert image.dtype == np.float32 and image.min() >= 0 and image.max() < 500


def test_livers_overlap_badly_before_registration():
    boxed = PhantomSettings("abdomen", (32, 32, 32), "liver")
    livers = {
        name: [make_case(boxed, name, index)[1][..., 0] > 0 for index in range(3)]
        for name in ("t2", "ct")
    }
    scores = [dice(t2, ct) for t2 in livers["t2"] for ct in livers["ct"]]
    assert 0.5 < np.mean(scores) < 0.75


def test_same_person_whatever_the_grid():
    volumes = []
    for size in ((32, 32, 32), (48, 48, 48)):
        _, labels, affine = make_case(PhantomSettings("abdomen", size, (240.0,) * 3), "ct", 1)
        volumes.append(millilitres(labels, affine)[0])
    assert volumes[0] == pytest.approx(volumes[1], rel=0.03)
