"""The messages of the checks."""

import numpy as np
import pytest

from mmzoo.checks import check_choice, check_image_values, check_positive


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
