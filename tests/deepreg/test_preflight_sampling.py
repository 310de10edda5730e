"""Patches, percentiles and interpolation that cannot be meant are named before work starts."""

import numpy as np
import pytest

from mmzoo.deepreg.preflight.data import check_contrast
from mmzoo.deepreg.preflight.sampling import check_patches_fit, check_sampling, interpolation_of
from mmzoo.errors import PreflightError


def config(predict=None, dataset=None, **preprocess):
    dataset = dataset or {"moving_image_shape": [16, 16, 8], "fixed_image_shape": [16, 16, 8]}
    wanted = {"train": {"preprocess": preprocess}, "dataset": dataset}
    return {**wanted, "predict": predict} if predict else wanted


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"patch_size": [8, 8]}, r"three whole numbers .* got \[8, 8\]; leave it out"),
        ({"patch_size": [8, 8, 0]}, r"three whole numbers .* got \[8, 8, 0\]"),
        ({"patch_size": 8}, "three whole numbers .* got 8"),
        ({"percentiles": [99, 1]}, r"two rising numbers from 0 to 100, .* got \[99, 1\]; leave"),
        ({"percentiles": [1, 101]}, r"two rising numbers .* got \[1, 101\]"),
        ({"percentiles": 1}, "two rising numbers .* got 1"),
        ({"patchsize": [8, 8, 8]}, "`train.preprocess` is 'patchsize': did you mean 'patch_size'"),
        ({"predict": {"interpolation": "cubic"}}, "is 'cubic': did you mean 'cubic-bspline'"),
        ({"predict": {"interpolate": "linear"}}, "`predict` is 'interpolate': did you mean 'inter"),
    ],
)
def test_what_cannot_be_meant_is_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        check_sampling(config(**wrong))


def test_what_can_be_meant_passes():
    check_sampling(config())
    check_sampling(config(patch_size=None, percentiles=None))
    good = config({"interpolation": "cubic-bspline"}, patch_size=[8, 8, 8], percentiles=[0.5, 100])
    check_sampling(good)
    check_patches_fit(good)
    assert [interpolation_of(c) for c in (good, config())] == ["cubic-bspline", "linear"]


@pytest.mark.parametrize(
    "dataset",
    [None, {"image_shape": [16, 16, 8], "type": "unpaired"}],
)
def test_patches_larger_than_the_volumes_are_refused_with_what_fits(dataset):
    message = r"\[8, 32, 9\] is larger than `dataset\..*image_shape` \[16, 16, 8\], .* \[8, 16, 8\]"
    with pytest.raises(PreflightError, match=message):
        check_patches_fit(config(dataset=dataset, patch_size=[8, 32, 9]))
    check_patches_fit(config(dataset=dataset))


def test_patches_need_moving_and_fixed_volumes_of_one_size():
    shapes = {"moving_image_shape": [16, 16, 8], "fixed_image_shape": [16, 16, 9]}
    with pytest.raises(PreflightError, match="one size, got `dataset.moving_image_shape"):
        check_patches_fit(config(dataset=shapes, patch_size=[8, 8, 8]))


def test_an_image_that_is_constant_between_the_percentiles_is_refused():
    image = np.zeros(1000)
    image[:5] = 3
    with pytest.raises(PreflightError, match="None is 0 at percentile 1 and at percentile 99"):
        check_contrast(image, None, (1, 99))
    check_contrast(image, None, (1, 100))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (
            "train__preprocess__patch_size",
            [16, 16, 17],
            r"of \[16, 16, 16\] or smaller",
        ),
        ("train__preprocess__percentiles", [5, 5], "two rising numbers"),
        ("predict", {"interpolation": "spline"}, "`predict.interpolation` is 'spline'"),
    ],
)
def test_training_stops_before_anything_is_written(
    fixed_config, write_config, run_train, tmp_path, key, value, message
):
    with pytest.raises(ValueError, match=message):
        run_train(write_config(fixed_config, **{key: value}))
    assert not (tmp_path / "logs").exists()
