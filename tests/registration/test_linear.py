"""The linear stage: any position, intensities that few voxels have, and maps that no body has."""

import numpy as np
import pytest
import SimpleITK as sitk
from helpers_registration import draw, empty, error_mm, lopsided, motion, moved_by, pair

import mmzoo
from mmzoo.registration.frame import ImagePair
from mmzoo.registration.information import Linear
from mmzoo.registration.linear import register_linear
from mmzoo.registration.plausibility import unlikely


def egg(points):
    """A body whose ends differ, so that it has one position alone."""
    wider = 1 + points[..., 1:2] / 120
    return points * wider * np.array([1.25, 0.9, 1.0])


@pytest.mark.parametrize("angles", [(60, 0, 0), (0, 90, 0), (0, 0, 180), (90, 0, 90)])
def test_a_body_that_was_turned_far_is_found_and_said_to_be(angles):
    truth = motion(angles, (6, -8, 5))
    back = moved_by(truth)
    fixed = draw(empty((34, 36, 32), (3, 3, 3)), 0, egg)
    moving = draw(empty((40, 40, 40), (3, 3, 3)), 1, lambda points: egg(back(points)), seed=1)
    found, notes = register_linear(ImagePair(fixed, moving), "rigid")
    assert error_mm(found, truth) < 1.5
    assert any("was turned by" in note for note in notes)


def test_a_few_voxels_of_any_brightness_change_nothing():
    fixed, moving, truth = pair()
    bright = sitk.Image(moving)
    for at in ((30, 28, 29), (12, 40, 20), (44, 18, 35), (25, 25, 40)):
        bright[at] = 100.0 * float(sitk.GetArrayViewFromImage(moving).max())
    found, _ = register_linear(ImagePair(fixed, bright), "affine")
    assert error_mm(found, truth) < 1.5


def test_air_and_metal_of_a_ct_do_not_take_up_the_histogram():
    fixed, moving, truth = pair()
    ct = fixed * 120 - 40  # tissue, HU
    values = sitk.GetArrayFromImage(ct)
    values[sitk.GetArrayFromImage(fixed) < 0.15] = -1000
    values[:2] = -1000
    values[10, 22:25, 20:23] = 20000
    ct_image = sitk.GetImageFromArray(values)
    ct_image.CopyInformation(fixed)
    found, _ = register_linear(ImagePair(ct_image, moving), "rigid")
    assert error_mm(found, truth) < 1.5


def test_a_map_that_no_body_has_is_told_from_one_that_people_have():
    assert unlikely(Linear(np.diag([0.85, 1.1, 1.2]), np.zeros(3))) == ""
    no_body = Linear(np.diag([0.65, 1.0, 1.0]), np.zeros(3))
    assert "stretches the image by 1.00 along one direction and 0.65" in unlikely(no_body)


def test_an_image_with_itself_stays_as_it_is_and_is_not_doubted():
    fixed, _, _ = pair()
    found = mmzoo.register(fixed, sitk.Image(fixed), resolution_mm=4.0)
    assert error_mm(found.transform, sitk.Transform(3, sitk.sitkIdentity)) < 0.1
    assert not any(note.startswith("doubtful") for note in found.report["notes"])


def test_a_mirrored_image_is_noticed_and_one_as_it_is_not():
    fixed = draw(empty((40, 40, 36), (3, 3, 3)), 0, lopsided)
    back = moved_by(motion())
    moving = draw(empty((40, 40, 40), (3, 3, 3)), 1, lambda points: lopsided(back(points)), seed=1)
    mirrored = sitk.GetImageFromArray(sitk.GetArrayFromImage(moving)[:, :, ::-1].copy())
    mirrored.CopyInformation(moving)
    notes = [register_linear(ImagePair(fixed, each), "rigid")[1] for each in (mirrored, moving)]
    assert any("left and right may be exchanged" in note for note in notes[0])
    assert notes[1] == []


def test_another_place_that_is_nearly_as_likely_is_said():
    """Equal bodies in a row: which of them belong together, the images do not say."""

    def row(points):
        points = points.copy()
        points[..., 2] = (points[..., 2] + 30) % 60 - 30
        return points * [0.9, 1.3, 1.6]

    fixed = draw(empty((36, 28, 32), (3, 3, 3)), 0, row)
    moving = draw(empty((36, 28, 80), (3, 3, 3)), 1, row, seed=1)
    moving.SetOrigin((np.array(moving.GetOrigin()) + [3, 5, 8]).tolist())
    _, notes = register_linear(ImagePair(fixed, moving), "rigid")
    assert any("the moving image may lie elsewhere" in note for note in notes)
