"""The messages of the checks."""

import numpy as np
import pytest

from mmzoo.checks import (
    are_percentiles,
    check_choice,
    check_halvings,
    check_image_values,
    check_positive,
    check_three_axes,
)


def test_the_closest_name_is_offered_and_all_are_listed():
    with pytest.raises(ValueError, match="`loss` is 'sgei': did you mean 'segi'.* cycle, segi"):
        check_choice("loss", "sgei", ["segi", "cycle"])
    with pytest.raises(ValueError, match="`loss` is 'xyz': Expected one of cycle, segi"):
        check_choice("loss", "xyz", ["segi", "cycle"])
    check_choice("loss", "segi", ["segi"])


@pytest.mark.parametrize("value", [0, -1, "1", True, None, float("nan")])
def test_what_is_not_a_positive_number_is_named(value):
    with pytest.raises(ValueError, match="`weight` must be a number above 0, got"):
        check_positive("weight", value)


def test_zero_passes_where_it_may():
    check_positive("scale", 0, allow_zero=True)
    with pytest.raises(ValueError, match="at least 0, got -0.5"):
        check_positive("scale", -0.5, allow_zero=True)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.0, np.nan, np.inf], "a.nii must hold finite numbers, got 2 voxels .* of 3"),
        ([4.0, 4.0], "a.nii is constant, 4 in every voxel"),
    ],
)
def test_images_that_show_nothing_are_named(values, message):
    with pytest.raises(ValueError, match=message):
        check_image_values("a.nii", np.array(values))


def test_sizes_that_cannot_be_halved_are_refused_with_the_nearest():
    with pytest.raises(ValueError, match=r"multiple of 8, got \(8, 20, 16\); use \(8, 16, 16\)"):
        check_halvings("this", (8, 20, 16), 3)
    check_halvings("this", (8, 24, 16), 3)


def test_the_remedy_of_a_network_ends_the_message():
    with pytest.raises(ValueError, match="resizes the images to, or a smaller `depth`.$"):
        check_halvings("this", (8, 20, 16), 3, ", or a smaller `depth`")


@pytest.mark.parametrize("value", [[1, 99], (0, 100.0), [0.5, 1]])
def test_two_rising_numbers_are_percentiles(value):
    assert are_percentiles(value)


@pytest.mark.parametrize(
    "value", [None, 5, "ab", [1], [1, 2, 3], [5, 5], [99, 1], [-1, 5], [1, 101]]
)
def test_anything_else_is_not(value):
    assert not are_percentiles(value)


def test_a_size_of_other_than_three_axes_is_refused():
    with pytest.raises(ValueError, match=r"`image_size` must be three numbers .* got \(8, 8\)"):
        check_three_axes("image_size", (8, 8))
    check_three_axes("image_size", (8, 8, 1))
