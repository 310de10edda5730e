import json

import nibabel as nib
import numpy as np
import pytest
import yaml
from helpers_layout import names

from mmzoo.datasets import layout
from mmzoo.datasets.folds import SPLITS, make_folds


@pytest.fixture
def written(tmp_path):
    """A small layout of three people a modality, with labels."""
    out = tmp_path / "out"
    rng = np.random.default_rng(0)
    affine = np.diag([2.0, 3.0, 4.0, 1.0])
    for case in names("mr", 3) + names("ct", 3):
        labels = rng.integers(0, 2, (16, 16, 16, 2))
        layout.save_case(out, case, rng.random((16, 16, 16)), labels, affine)
    folds = make_folds(names("mr", 3), names("ct", 3), 3, 1)
    layout.write_folds(out, folds, (16, 16, 16), labelled=True)
    return out


def test_every_moving_case_of_a_split_meets_every_fixed_one_under_one_name(written):
    for kind in ("moving_images", "fixed_images", "moving_labels", "fixed_labels"):
        found = sorted(path.name for path in (written / "fold0/test" / kind).iterdir())
        assert found == ["mr_000__ct_000.nii.gz"]
    folder = written / "fold1/train/moving_labels"
    assert sorted(path.name for path in folder.iterdir()) == ["mr_000__ct_000.nii.gz"]


def test_links_are_relative_and_still_resolve_when_the_folder_is_moved(written, tmp_path):
    moved = written.rename(tmp_path / "elsewhere")
    link = moved / "fold0/test/fixed_labels/mr_000__ct_000.nii.gz"
    assert link.is_symlink()
    assert link.resolve() == (moved / "labels/ct_000.nii.gz").resolve()


def test_links_become_copies_where_links_are_impossible(written, monkeypatch, tmp_path):
    def refuse(self, target):
        raise OSError("no links here")

    monkeypatch.setattr("pathlib.Path.symlink_to", refuse)
    fold = {split: {"moving": ["mr_000"], "fixed": ["ct_001"]} for split in SPLITS}
    layout.write_folds(written, [fold], (16, 16, 16), labelled=False)
    copy = written / "fold0/test/fixed_images/mr_000__ct_001.nii.gz"
    assert not copy.is_symlink()
    assert copy.read_bytes() == (written / "images/ct_001.nii.gz").read_bytes()


def test_yaml_is_a_dataset_section_as_deepreg_reads_it(written):
    section = yaml.safe_load((written / "fold2.yaml").read_text())["dataset"]
    assert section["dir"] == {split: str(written.resolve() / "fold2" / split) for split in SPLITS}
    assert section["format"] == "nifti" and section["type"] == "paired"
    assert section["labeled"] is True
    assert section["moving_image_shape"] == section["fixed_image_shape"] == [16, 16, 16]


def test_a_split_without_pairs_is_null_in_the_yaml(written):
    fold = {split: {"moving": ["mr_000"], "fixed": ["ct_001"]} for split in ("train", "test")}
    fold["valid"] = {"moving": [], "fixed": []}
    (path,) = layout.write_folds(written, [fold], (16, 16, 16), labelled=True)
    assert yaml.safe_load(path.read_text())["dataset"]["dir"]["valid"] is None


def test_matched_cases_meet_only_their_own(written):
    fold = {split: {"moving": names("mr", 3), "fixed": names("ct", 3)} for split in SPLITS}
    layout.write_folds(written, [fold], (16, 16, 16), labelled=False, pairing="same")
    found = sorted(path.name for path in (written / "fold0/train/moving_images").iterdir())
    assert found == [f"mr_00{k}__ct_00{k}.nii.gz" for k in range(3)]
    assert not (written / "fold1").exists()


def test_files_carry_affine_type_and_channels(written):
    image, labels = (nib.load(written / kind / "mr_001.nii.gz") for kind in ("images", "labels"))
    assert image.get_data_dtype() == np.float32 and labels.get_data_dtype() == np.uint8
    assert labels.shape == (16, 16, 16, 2)
    for volume in (image, labels):
        assert np.array_equal(volume.affine, np.diag([2, 3, 4, 1]))
    assert layout.case_info(written, "mr_001") == {"spacing_mm": [2, 3, 4], "shape": [16, 16, 16]}


def test_an_interrupted_save_leaves_no_file(tmp_path, monkeypatch):
    def die(image, path):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(nib, "save", die)
    with pytest.raises(KeyboardInterrupt):
        layout.save_case(tmp_path, "mr_000", np.zeros((4, 4, 4)), None, np.eye(4))
    assert list((tmp_path / "images").iterdir()) == []


def test_a_broken_description_is_named(tmp_path):
    (tmp_path / layout.DESCRIPTION).write_text('{"name": ')
    with pytest.raises(ValueError, match="mmzoo.json` must be JSON"):
        layout.read_description(tmp_path)


def test_a_folder_of_something_else_is_never_emptied(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images/mine.txt").write_text("precious")
    with pytest.raises(ValueError, match="was not made by mmzoo"):
        layout.check_new_folder(tmp_path, overwrite=True)
    layout.clear_data_set(tmp_path)
    assert (tmp_path / "images/mine.txt").exists()


def test_overwriting_keeps_what_the_layout_did_not_write(written):
    (written / layout.DESCRIPTION).write_text(json.dumps({}))
    (written / "fold0-notes.txt").write_text("mine")
    layout.check_new_folder(written, overwrite=True)
    layout.clear_data_set(written)
    assert (written / "fold0-notes.txt").exists()
    assert not (written / "images").exists() and not (written / "fold0.yaml").exists()


def test_true_field_is_kept_with_its_holes_and_goes_with_the_data_set(written):
    ddf = np.random.default_rng(0).random((16, 16, 16, 3))
    ddf[:2] = np.nan
    layout.save_field(written, "mr_000", "ct_000", ddf, np.diag([2.0, 3.0, 4.0, 1.0]))
    image = nib.load(written / "fields" / "mr_000__ct_000.nii.gz")
    assert image.get_data_dtype() == np.float32 and image.affine[2, 2] == 4
    assert np.array_equal(np.asarray(image.dataobj), ddf.astype(np.float32), equal_nan=True)
    (written / layout.DESCRIPTION).write_text(json.dumps({}))
    layout.clear_data_set(written)
    assert not (written / "fields").exists()
