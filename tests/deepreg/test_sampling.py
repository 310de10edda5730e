"""Patches, percentiles and B-spline images, through DeepReg's own training and prediction."""

import json

import nibabel as nib
import numpy as np
import pytest
from deepreg.dataset.loader.interface import normalize_array
from deepreg.predict import build_dataset
from scipy.ndimage import map_coordinates

from mmzoo.deepreg.adaptations.sampling import BELOW_ONE, Sampler

WHOLE = (13, 18, 7)  # no axis a multiple of anything
PATCH = [8, 8, 4]
PERCENTILES = [10, 90]
SIDES = ("moving", "fixed")


def plain_scaling(image, low, high):
    """Section 3 of de Vos 2020: clamped between two percentiles of its voxels, to [0, 1)."""
    ranked = np.sort(image.astype(np.float64), axis=None)

    def at(percent):
        position = percent / 100 * (ranked.size - 1)
        below = int(position)
        above = min(below + 1, ranked.size - 1)
        return ranked[below] + (position - below) * (ranked[above] - ranked[below])

    scaled = (np.clip(image, at(low), at(high)) - at(low)) / (at(high) - at(low))
    return np.minimum(scaled, BELOW_ONE)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Three pairs of WHOLE voxels whose labels are the places of their own voxels."""
    root, draws = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    places = np.moveaxis(np.indices(WHOLE), 0, -1) / 20.0
    for split, count in (("train", 3), ("valid", 1), ("test", 2)):
        for number in range(count):
            for side in SIDES:
                image = draws.gamma(1.0, 100.0, WHOLE).astype("float32")
                for kind, array in (("images", image), ("labels", places.astype("float32"))):
                    path = root / split / f"{side}_{kind}" / f"case{number}.nii.gz"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    nib.save(nib.Nifti1Image(array, np.eye(4)), path)
    return root


@pytest.fixture
def settings(data):
    """A configuration of the paper's kind, tiny."""
    return {
        "dataset": {
            "dir": {split: str(data / split) for split in ("train", "valid", "test")},
            "format": "nifti",
            "type": "paired",
            "labeled": True,
            "moving_image_shape": list(WHOLE),
            "fixed_image_shape": list(WHOLE),
        },
        "train": {
            "method": "direct-ddf",
            "backbone": {"name": "voxelmorph", "strides": [2, 2, 1]},
            "loss": {
                "image": {"name": "nmi", "num_bins": 8, "sigma": 0.1},
                "regularization": {"name": "bending-energy", "weight": 0.05},
            },
            "preprocess": {
                "batch_size": 4,
                "shuffle_buffer_num_batch": 1,
                "data_augmentation": None,
                "patch_size": PATCH,
                "percentiles": PERCENTILES,
            },
            "optimizer": {"name": "Adam", "learning_rate": 1.0e-2},
            "steps_per_epoch": 3,
            "epochs": 1,
            "save_period": 1,
            "seed": 3,
        },
        "predict": {"interpolation": "cubic-bspline"},
    }


def batches(settings, mode="train", count=2, training=True, repeat=True, **preprocess):
    preprocess = {**settings["train"]["preprocess"], **preprocess}
    loader, dataset, _ = build_dataset(settings["dataset"], preprocess, mode, training, repeat)
    return loader, [{k: v.numpy() for k, v in b.items()} for b in dataset.take(count)]


def corner(label_of_axis_0):
    return np.round(20 * label_of_axis_0[..., 0, 0, 0]).astype(int)


def test_patches_lie_at_one_place_in_images_and_labels_and_hold_their_values(settings, data):
    loader, (batch, _) = batches(settings)
    assert loader.moving_image_shape == loader.fixed_image_shape == tuple(PATCH)
    np.testing.assert_array_equal(batch["moving_label"], batch["fixed_label"])
    axis = batch["indices"][:, 1].astype(int)
    for number in np.flatnonzero(axis == 0):
        start = corner(batch["moving_label"][number])
        case = int(batch["indices"][number, 0])
        for side in SIDES:
            whole = nib.load(data / f"train/{side}_images/case{case}.nii.gz").get_fdata()
            scaled = plain_scaling(whole, *PERCENTILES)
            planes = scaled[start : start + PATCH[0]]
            patch = batch[f"{side}_image"][number]
            places = [
                (j, k)
                for j in range(WHOLE[1] - PATCH[1] + 1)
                for k in range(WHOLE[2] - PATCH[2] + 1)
                if np.allclose(planes[:, j : j + PATCH[1], k : k + PATCH[2]], patch, atol=1e-5)
            ]
            assert len(places) == 1
    assert (axis == 0).any()


class OneImage:
    """A loader of one unlabelled pair that counts voxels."""

    seed, labeled = None, False
    fixed_image_shape = (5, 4, 6)

    def __init__(self, image):
        self.loader_moving_image = self.loader_fixed_image = self
        self.image = image

    def get_data(self, index):
        return self.image

    def sample_index_generator(self):
        return iter([(0, 0, [0])] * 3000)

    def sample_image_label(self, **sample):
        yield sample


def test_every_place_has_an_equal_chance():
    image = np.arange(120, dtype=np.float32).reshape(5, 4, 6)
    sampler = Sampler(OneImage(image), lambda part, low, high: part, (4, 2, 6))
    starts = [int(sample["moving_image"][0, 0, 0]) for sample in sampler.samples()]
    places, counts = np.unique(starts, return_counts=True)
    assert places.tolist() == [24 * i + 6 * j for i in range(2) for j in range(3)]
    assert np.abs(counts / 3000 - 1 / 6).max() < 0.04  # six standard deviations


def test_an_image_of_another_size_is_resized_as_a_whole_before_it_is_cut():
    from deepreg.model.layer_util import resize3d

    image = np.random.default_rng(0).random((7, 4, 9)).astype(np.float32)
    sampler = Sampler(OneImage(image), normalize_array, (4, 2, 6), (5, 95))
    whole = resize3d(plain_scaling(image, 5, 95).astype(np.float32), (5, 4, 6)).numpy()
    patch = next(sampler.samples())["moving_image"]
    assert any(
        np.allclose(patch, whole[i : i + 4, j : j + 2], atol=1e-5)
        for i in range(2)
        for j in range(3)
    )


def test_a_file_that_changes_gets_new_limits():
    loader = OneImage(np.linspace(0, 1, 120, dtype=np.float32).reshape(5, 4, 6))
    sampler = Sampler(loader, normalize_array, None, (0, 100))
    first = next(sampler.samples())["moving_image"]
    loader.image = 7 * loader.image
    np.testing.assert_allclose(next(sampler.samples())["moving_image"], first, atol=1e-6)


def test_places_are_new_at_each_step_and_follow_the_seed(settings):
    from mmzoo.deepreg.adaptations.seeding import seed_run

    def places(seed):
        seed_run(seed)
        _, both = batches(settings, count=4, shuffle_buffer_num_batch=0)
        return [batch["moving_image"] for batch in both]

    first, again, other = places(1), places(1), places(2)
    seed_run(None)
    np.testing.assert_array_equal(first, again)
    assert len({batch.tobytes() for batch in first}) == 4
    assert not np.array_equal(first, other)


def test_validation_sees_the_same_patches_each_time(settings):
    def run():
        return batches(settings, "valid", count=1, training=False, batch_size=3)[1][0]

    first, again = run(), run()
    assert first["moving_image"].shape == (3, *PATCH)
    np.testing.assert_array_equal(first["moving_image"], again["moving_image"])


def test_more_patches_than_pairs_come_from_all_pairs(settings):
    _, (batch, _) = batches(settings, batch_size=6, shuffle_buffer_num_batch=0)
    assert sorted(batch["indices"][:, 0].astype(int)) == [0, 0, 1, 1, 2, 2]


def test_augmentation_deforms_the_patch(settings):
    augmentation = {"name": "random-affine", "scale": 0.2}
    _, (batch, _) = batches(settings, data_augmentation=augmentation)
    assert batch["moving_image"].shape == (4, *PATCH)
    assert np.abs(batch["moving_label"] - batch["fixed_label"]).max() > 0.01


def test_percentiles_without_patches_scale_whole_volumes_to_below_one(settings, data):
    loader, found = batches(settings, "test", 99, training=False, repeat=False, batch_size=1)
    assert loader.moving_image_shape == WHOLE
    for batch in found:
        case = int(batch["indices"][0, 0])
        whole = nib.load(data / f"test/fixed_images/case{case}.nii.gz").get_fdata()
        np.testing.assert_allclose(
            batch["fixed_image"][0], plain_scaling(whole, *PERCENTILES), atol=1e-5
        )
        assert batch["fixed_image"].min() == 0 and 0.99 < batch["fixed_image"].max() < 1


def test_without_the_keys_the_values_are_deepregs(settings, data):
    _, found = batches(
        settings, "test", 1, False, False, batch_size=1, patch_size=None, percentiles=None
    )
    case = int(found[0]["indices"][0, 0])
    whole = nib.load(data / f"test/moving_images/case{case}.nii.gz").get_fdata()
    expected = (whole - whole.min()) / np.ptp(whole)
    np.testing.assert_allclose(found[0]["moving_image"][0], expected, atol=1e-6)


METHODS = {
    "ddf": {"name": "voxelmorph", "strides": [2, 2, 1]},
    "bspline-ddf": {"name": "dirnet", "grid_spacing": [8, 8, 1], "num_channels": 4},
}


@pytest.mark.parametrize("method", METHODS)
def test_trained_on_patches_it_predicts_whole_volumes(
    settings, data, write_config, run_train, run_predict, method
):
    settings["train"] |= {"method": method, "backbone": METHODS[method]}
    logs = run_train(write_config(settings))
    found = run_predict(logs / "save/ckpt-1")
    assert json.loads((found / "pairs.json").read_text())["interpolation"] == "cubic-bspline"
    for number in range(2):
        written = {
            name: nib.load(found / f"pair_{number}/{name}.nii.gz").get_fdata()
            for name in ("moving_image", "fixed_image", "ddf", "pred_fixed_image")
        }
        for side in SIDES:
            whole = nib.load(data / f"test/{side}_images/case{number}.nii.gz").get_fdata()
            expected = plain_scaling(whole, *PERCENTILES)
            np.testing.assert_allclose(written[f"{side}_image"], expected, atol=1e-5)
        assert written["ddf"].shape == (*WHOLE, 3) and np.abs(written["ddf"]).max() > 1e-3
        points = np.indices(WHOLE) + np.moveaxis(written["ddf"], -1, 0)
        spline, line = (
            map_coordinates(written["moving_image"], points, order=order, mode="nearest")
            for order in (3, 1)
        )
        np.testing.assert_allclose(written["pred_fixed_image"], spline, atol=1e-4)
        assert np.abs(spline - line).max() > 2e-4
