"""The predictor: scaling as in training, DeepReg's own fields, refinement that leaves no trace."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from helpers_runs import SIZE, random_pair

import mmzoo
from mmzoo.inference.loading import load_model


def pair_of(seed=0):
    images = {name: image[0] for name, image in random_pair().items()}
    return {name: np.roll(image, seed, axis=0) for name, image in images.items()}


def test_gives_the_field_that_deepreg_predict_writes(config, write_config, run_train, run_predict):
    backbone = {"name": "additive-unet", "num_channel_initial": 2}
    changes = {
        "train__method": "direct-ddf",
        "train__backbone": {**backbone, "out_kernel_initializer": "glorot_uniform"},
        "train__preprocess__percentiles": [2, 95],
        "train__epochs": 1,
    }
    folder = run_train(write_config(config, **changes))
    written = run_predict(folder / "save" / "ckpt-1")
    predictor = mmzoo.Predictor(folder)
    from deepreg.model.layer_util import resize3d

    test = Path(config["dataset"]["dir"]["test"])
    images = {}
    for side in ("moving", "fixed"):
        image = nib.load(test / f"{side}_images" / "case0.nii.gz").get_fdata(dtype=np.float32)
        images[side] = resize3d(predictor.scale(image)[None], predictor.image_size).numpy()[0]
    ddf = predictor(**images, scaled=True).ddf
    expected = nib.load(written / "pair_0" / "ddf.nii.gz").get_fdata()
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(ddf, expected, atol=1e-5)


def test_scales_by_the_percentiles_of_the_training_or_by_minimum_and_maximum(runs):
    image = np.random.default_rng(0).normal(100, 20, (6, 7, 8))
    low, high = np.percentile(image, (1, 99))
    expected = np.clip((image - low) / (high - low), 0, 1)
    scaled = mmzoo.Predictor(runs["bspline-ddf"]).scale(image)
    np.testing.assert_allclose(scaled, expected, atol=1e-6)
    assert scaled.max() < 1  # the last bin of a histogram is open
    expected = (image - image.min()) / (image.max() - image.min())
    np.testing.assert_allclose(mmzoo.Predictor(runs["direct-ddf"]).scale(image), expected, 1e-6)


@pytest.mark.parametrize("method", ["bidirectional-ddf", "deform-gan"])
def test_refining_lowers_the_loss_and_leaves_no_trace(runs, method):
    predictor = mmzoo.Predictor(runs[method])
    plain = predictor(**pair_of())
    steps = []
    first = predictor(**pair_of(), refine=4, on_step=lambda *done: steps.append(done))
    assert steps == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)] and len(first.losses) == 5
    assert min(first.losses) < first.losses[0]
    assert np.abs(first.ddf - plain.ddf).max() > 1e-4
    assert (plain.backward_ddf is not None) == (method == "bidirectional-ddf")
    predictor(**pair_of(3), refine=2)
    again = predictor(**pair_of(), refine=4)
    np.testing.assert_array_equal(again.ddf, first.ddf)
    np.testing.assert_array_equal(predictor(**pair_of()).ddf, plain.ddf)


def test_the_best_field_on_the_way_is_kept(runs, tmp_path):
    predictor = mmzoo.Predictor(runs["direct-ddf"])
    predictor._refiner.optimizer.learning_rate = 30.0  # that makes all worse
    refined = predictor(**pair_of(), refine=2)
    assert min(refined.losses) == refined.losses[0]
    np.testing.assert_allclose(refined.ddf, predictor(**pair_of()).ddf, atol=1e-5)


def test_what_cannot_be_registered_is_named(runs):
    predictor = mmzoo.Predictor(runs["bspline-ddf"])
    pair = pair_of()
    with pytest.raises(ValueError, match=r"`moving` must have the grid .*16.* got \(8, 8, 8\)"):
        predictor(np.zeros((8, 8, 8)), pair["fixed"])
    with pytest.raises(ValueError, match="`refine` must be a number of steps.*got -1"):
        predictor(**pair, refine=-1)
    with pytest.raises(ValueError, match="NaN or infinity"):
        predictor(np.full(SIZE, np.nan), pair["fixed"])
    almost_constant = np.zeros(SIZE)
    almost_constant[0, 0, 0] = 1
    with pytest.raises(ValueError, match="at both of the percentiles"):
        predictor(almost_constant, pair["fixed"])
    with pytest.raises(ValueError, match="no training"):
        mmzoo.Predictor("nothing")


def test_the_model_of_the_predictor_is_that_of_the_run(runs):
    pair = random_pair()
    predictor = mmzoo.Predictor(runs["direct-ddf"])
    expected = load_model(runs["direct-ddf"])(pair)["ddf"][0]
    scaled = {name: image[0] for name, image in pair.items()}
    np.testing.assert_allclose(predictor(**scaled, scaled=True).ddf, expected, atol=1e-6)
