"""All labels of a pair at once in training, none in prediction, through DeepReg's own commands."""

import nibabel as nib
import numpy as np
import pytest
from deepreg import train
from deepreg.util import build_dataset

from mmzoo.errors import PreflightError

METHOD = {
    "method": "rigidity-ddf",
    "backbone": {"name": "additive-unet", "num_channel_initial": 2},
    "loss": {
        "image": {"name": "mi", "weight": 0.5},
        "label": {"name": "dice", "weight": 0.5},
        "regularization": {"name": "gradient", "weight": 2.0},
        "rigidity": {"name": "rigidity", "weight": 0.4},
    },
    "steps_per_epoch": 2,
    "epochs": 1,
}


@pytest.fixture
def rigid(config):
    config["train"].update(METHOD)
    return config


def samples(config, count=2, **kwargs):
    preprocess = {"batch_size": 1, "shuffle_buffer_num_batch": 0, **kwargs}
    _, dataset, _ = build_dataset(config["dataset"], preprocess, "valid", False, False)
    return list(dataset.take(count))


def test_each_channel_is_the_label_that_deepreg_gives_alone_resized_like_it(config):
    (together,) = samples(config, all_labels=True)
    apart = samples(config)
    for name in ("moving_label", "fixed_label"):
        assert together[name].shape == (1, 16, 16, 16, 2)
        for channel, sample in enumerate(apart):
            np.testing.assert_allclose(together[name][..., channel], sample[name], atol=1e-6)
    for name in ("moving_image", "fixed_image"):
        np.testing.assert_array_equal(together[name], apart[0][name])
    np.testing.assert_array_equal(together["indices"], [[0, 0]])


def test_one_label_is_one_channel(config, paired_data, tmp_path):
    for role in ("moving", "fixed"):
        for part in ("images", "labels"):
            image = nib.load(paired_data / "valid" / f"{role}_{part}" / "case0.nii.gz")
            array = image.get_fdata(dtype=np.float32)
            array = array[..., 0] if part == "labels" else array
            path = tmp_path / f"{role}_{part}" / "case0.nii.gz"
            path.parent.mkdir()
            nib.save(nib.Nifti1Image(array, image.affine), path)
    config["dataset"]["dir"]["valid"] = str(tmp_path)
    (sample,) = samples(config, all_labels=True)
    assert sample["moving_label"].shape == (1, 16, 16, 16, 1)


@pytest.mark.parametrize("name", ["affine", "random-affine"])
def test_augmentation_deforms_all_channels_alike(config, name):
    preprocess = {"batch_size": 2, "shuffle_buffer_num_batch": 0, "all_labels": True}
    preprocess["data_augmentation"] = {"name": name, "scale": 0.3}
    _, dataset, _ = build_dataset(config["dataset"], preprocess, "train", True, True)
    batch = next(iter(dataset))
    labels = batch["moving_label"].numpy()
    assert labels.shape == (2, 16, 16, 16, 2)
    # of an image's two channels, above 0.5 and below 0.45, no voxel is in both
    assert 0 < labels[..., 0].mean() and (labels.sum(-1) < 1.01).all()
    image = batch["moving_image"].numpy()
    assert np.corrcoef(image.ravel(), labels[..., 0].ravel())[0, 1] > 0.3


def test_unlabelled_data_are_as_ever(config):
    config["dataset"]["labeled"] = False
    (sample,) = samples(config, all_labels=True)
    assert set(sample) == {"moving_image", "fixed_image", "indices"}


@pytest.fixture
def images_only(paired_data, tmp_path):
    folder = tmp_path / "images_only"
    for role in ("moving", "fixed"):
        folder.mkdir(exist_ok=True)
        (folder / f"{role}_images").symlink_to(paired_data / "test" / f"{role}_images")
    return folder


def field(folder):
    return nib.load(folder / "pair_0" / "ddf.nii.gz").get_fdata()


def test_trained_with_labels_it_predicts_without(
    rigid, write_config, run_train, run_predict, images_only
):
    run = run_train(write_config(rigid))
    labelled = run_predict(run / "save/ckpt-1")
    names = {path.name.split(".")[0] for path in (labelled / "pair_0" / "label_1").iterdir()}
    assert names == {"moving_label", "fixed_label", "pred_fixed_label"}
    rigid["dataset"].update(
        labeled=False, dir={**rigid["dataset"]["dir"], "test": str(images_only)}
    )
    bare = run_predict(run / "save/ckpt-1", write_config(rigid), log_dir="bare")
    assert not list((bare / "pair_0").glob("*label*"))
    assert np.abs(field(bare)).max() > 0
    np.testing.assert_array_equal(field(bare), field(labelled))


def test_a_run_after_it_in_the_same_process_sees_labels_as_its_own_method_does(
    rigid, fixed_config, write_config, tmp_path
):
    shapes = []
    for config in (rigid, fixed_config):
        path = write_config(config)
        read, *_ = train.build_config(path, str(tmp_path), f"run{len(shapes)}", "", 0)
        given = (read["dataset"], {"batch_size": 1, "shuffle_buffer_num_batch": 0})
        _, dataset, _ = train.build_dataset(*given, "valid", False, False)
        shapes.append(next(iter(dataset))["moving_label"].shape)
    assert shapes == [(1, 16, 16, 16, 2), (1, 16, 16, 16)]


def test_training_without_labels_is_refused_where_the_loss_needs_them(
    rigid, write_config, run_train
):
    rigid["dataset"]["labeled"] = False
    with pytest.raises(PreflightError, match="train.loss.label and train.loss.rigidity of rigid"):
        run_train(write_config(rigid))
    rigid["train"]["loss"]["label"]["weight"] = 0
    with pytest.raises(PreflightError, match="train.loss.rigidity of .* or give this the weight 0"):
        run_train(write_config(rigid))
