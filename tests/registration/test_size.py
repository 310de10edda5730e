"""A mouse registers as well as the person it was made of: the same result, at its own size."""

import numpy as np
import pytest
import SimpleITK as sitk
from helpers_registration import draw, empty, pair

import mmzoo
from mmzoo.registration.frame import ImagePair
from mmzoo.registration.settings import Settings
from mmzoo.registration.size import enlarged, enlarged_settings, enlargement

POINTS = np.array([[0, 0, 0], [25, 0, 0], [0, -25, 5], [10, 12, -14.0]])


def bend(points):
    return points + 4 * np.sin(points[..., [1, 2, 0]] / 14)


def small(image, times=0.1):
    found = sitk.Image(image)
    found.SetSpacing([times * x for x in image.GetSpacing()])
    found.SetOrigin([times * x for x in image.GetOrigin()])
    return found


@pytest.mark.parametrize("stage", ["linear", "field"])
def test_a_tenth_of_the_size_gives_a_tenth_of_the_result(stage):
    if stage == "linear":
        fixed, moving, _ = pair()
        options = {"field": "none"}
    else:
        fixed = draw(empty((40, 44, 30), (2.2, 2.0, 3.0), (10, -6, 14)), 0, bend)
        moving = draw(empty((46, 44, 48), (1.9, 2.0, 1.8)), 1, seed=1)
        # By nmi rounding grows to half a millimetre where the images show nothing.
        options = {"initial": "none", "loss": "ncc", "steps": (10, 6), "resolution_mm": 4.0}
    person = mmzoo.register(fixed, moving, **options)
    mouse = mmzoo.register(small(fixed), small(moving), **(options | {"resolution_mm": 0.4}))
    for mine, theirs in (
        (mouse.transform, person.transform),
        (mouse.linear, person.linear),
        (mouse.inverse, person.inverse),
    ):
        wanted = [theirs.TransformPoint(point) for point in POINTS.tolist()]
        found = [mine.TransformPoint(point) for point in (POINTS / 10).tolist()]
        np.testing.assert_allclose(np.multiply(found, 10), wanted, atol=0.3)
    moved = [person.transform.TransformPoint(point) for point in POINTS.tolist()]
    assert np.linalg.norm(moved - POINTS, axis=1).max() > 3  # that there was something to find
    images = [sitk.GetArrayFromImage(each.warped) for each in (mouse, person)]
    assert np.abs(images[0] - images[1]).mean() < 5e-3
    assert (person.displacement is None) == (stage == "linear")
    if stage == "field":
        fields = [sitk.GetArrayFromImage(each.ddf_mm) for each in (mouse, person)]
        np.testing.assert_allclose(10 * fields[0], fields[1], atol=0.3)
        for key in ("resolution_mm", "control_mm"):
            wanted = np.divide(person.report[key], 10)
            np.testing.assert_allclose(mouse.report[key], wanted, rtol=1e-3)
    size = [note for note in mouse.report["notes"] if "10 times as large" in note]
    assert len(size) == 1
    assert [note for note in mouse.report["notes"] if note not in size] == person.report["notes"]


@pytest.mark.parametrize(
    ("size", "spacing", "times"),
    [
        ((91, 109, 91), (2, 2, 2), 1),  # a head
        ((60, 50, 40), (1.5, 1.5, 2), 1),  # a crop of a spine
        ((144, 144, 12), (1.0, 1.0, 8.0), 1),  # slices of a heart
        ((512, 512, 700), (1.0, 1.0, 1.5), 1),  # a whole body
        ((91, 109, 91), (0.2, 0.2, 0.2), 10),  # the head of a mouse
        ((200, 80, 60), (0.5, 0.5, 0.5), 10),  # all of it
        ((91, 109, 91), (0.02, 0.02, 0.02), 100),
    ],
)
def test_people_and_parts_of_them_count_as_they_are(size, spacing, times):
    image = sitk.Image(size, sitk.sitkUInt8)
    image.SetSpacing([float(step) for step in spacing])
    assert enlargement(ImagePair(image, image)) == times


def test_a_part_is_not_a_mouse_where_the_other_image_shows_more():
    whole, part = empty((60, 60, 60), (3, 3, 3)), empty((16, 16, 16), (1, 1, 1))
    assert enlargement(ImagePair(whole, part)) == enlargement(ImagePair(part, whole)) == 1
    assert enlargement(ImagePair(part, part)) == 10


def test_lengths_that_the_user_gave_are_kept_and_defaults_are_of_people():
    assert enlarged_settings(Settings(), 10) == Settings()
    given = enlarged_settings(Settings(control_mm=0.6, resolution_mm=0.2, weight=2.0), 10)
    assert (given.control_mm, given.resolution_mm, given.weight) == (6.0, 2.0, 200.0)


def test_vectors_are_stretched_with_their_image():
    grid = draw(empty((5, 6, 7), (1, 2, 3), (10, 0, 5)), 0)
    field = sitk.Compose(grid, 2 * grid, 3 * grid)
    found = enlarged(field, 10.0)
    assert found.GetSpacing() == (10, 20, 30) and found.GetDirection() == grid.GetDirection()
    vectors = sitk.GetArrayFromImage(found)
    np.testing.assert_allclose(vectors, 10 * sitk.GetArrayFromImage(field), rtol=1e-6)
