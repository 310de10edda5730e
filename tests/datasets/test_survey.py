import os
from pathlib import Path

import numpy as np
import pytest
from helpers_cli import call
from helpers_sets import affine, boxes, picture, save

from mmzoo.datasets import survey


@pytest.fixture
def pair(tmp_path):
    """An image and its label map, stored as PIR with 2 x 1 x 1.5 mm, and one elsewhere."""
    labels = boxes((3, 7))
    turned = affine((2.0, 1.0, 1.5), (-1, -1, 1), (1, 2, 0))
    return (
        save(tmp_path / "image.nii.gz", picture(labels), turned),
        save(tmp_path / "labels.nii.gz", labels, turned),
    )


def test_an_image_is_told_by_size_spacing_orientation_and_range(pair):
    seen, volume = survey.look(pair[0])
    # Axes are told in RAS order: the array's second and third run along z and x.
    assert seen.size == (16, 24, 20) == volume.GetSize()
    assert seen.spacing_mm == (1.5, 2.0, 1.0)
    assert seen.stored == "PIR"
    assert seen.range[0] <= seen.range[1] < seen.range[2] < seen.range[3] <= seen.range[4]
    assert not seen.label_ml and not seen.remarks


def test_corners_of_the_field_of_view_are_edges_of_voxels_in_ras(pair):
    seen, _ = survey.look(pair[0])
    assert seen.field_mm == ((-0.8, -47.0, -19.5), (23.2, 1.0, 0.5))


def test_a_label_map_is_told_by_the_volume_of_each_value(pair):
    seen, _ = survey.look(pair[1])
    labels = boxes((3, 7))
    assert seen.label_ml == {
        value: round(float((labels == value).sum()) * 3.0 / 1000, 2) for value in (3, 7)
    }


def test_an_eight_bit_image_is_no_label_map():
    rng = np.random.default_rng(0)
    values = np.clip(rng.normal(120, 40, (30, 30, 30)), 0, 255).astype(np.uint8)
    assert survey.label_volumes(values, (1, 1, 1)) == {}


def test_a_pair_is_told_how_its_fields_of_view_lie(pair, tmp_path):
    image, labels = (survey.look(path)[1] for path in pair)
    assert survey.overlap(image, labels) == (
        "100% of the second's field of view lies in the first's; on the same grid."
    )
    shifted = affine()
    shifted[0, 3] = 12
    first = save(tmp_path / "a.nii.gz", picture(boxes((1,))))
    second = save(tmp_path / "b.nii.gz", picture(boxes((1,))), shifted)
    volumes = [survey.look(path)[1] for path in (first, second)]
    assert survey.overlap(*volumes).startswith("50% of the second's")
    shifted[0, 3] = 500
    far = survey.look(save(tmp_path / "c.nii.gz", picture(boxes((1,))), shifted))[1]
    assert "do not overlap in space" in survey.overlap(volumes[0], far)


def test_odd_headers_and_unreadable_files_are_told(tmp_path):
    seen, _ = survey.look(save(tmp_path / "identity.nii.gz", picture(boxes((1,))), np.eye(4)))
    assert seen.remarks == ["affine is the identity: spacing and orientation may be lost"]
    (tmp_path / "broken.nii.gz").write_bytes(b"nothing")
    seen, volume = survey.look(tmp_path / "broken.nii.gz")
    assert volume is None and "cannot be read as a medical image" in seen.error


def test_the_command_tells_of_two_files_and_draws_them(pair, tmp_path):
    drawn = tmp_path / "look.png"
    result = call("inspect", *pair, "--picture", drawn, "--json", tmp_path / "look.json")
    assert result.exit_code == 0, result.output
    assert "16 x 24 x 20 voxels of 1.5 x 2 x 1 mm" in result.output
    assert "Together: 100%" in result.output and "mmzoo prepare pairs --moving" in result.output
    assert drawn.stat().st_size > 5000 and "field_mm" in (tmp_path / "look.json").read_text()


def test_a_data_set_is_recognised_and_told_what_preparing_it_would_do(tmp_path):
    for modality in ("ct", "mr"):
        for kind, array in (("image", picture(boxes((500, 205)))), ("label", boxes((500, 205)))):
            name = f"{modality}_train/{modality}_train_1001_{kind}.nii.gz"
            save(tmp_path / "download" / name, array)
    result = call("inspect", tmp_path / "download", "--picture", tmp_path / "look.png")
    assert "MM-WHS 2017: 1 mr, 1 ct; the official download has 20 mr, 20 ct." in result.output
    assert "every moving with every fixed, 4 folds by person" in result.output
    assert f"mmzoo prepare mm-whs --source {tmp_path / 'download'}" in result.output
    assert [name for name, _ in survey.recognise(tmp_path / "download")] == ["mm-whs"]


def test_a_folder_of_anything_else_is_told_to_be_unknown(pair, tmp_path):
    result = call("inspect", tmp_path, "--picture", tmp_path / "look.png", "--files", 1)
    assert "is none of the data sets" in result.output and "and 1 more volumes" in result.output


def test_what_is_not_there_is_an_error(tmp_path):
    result = call("inspect", tmp_path / "no.nii.gz")
    assert result.exit_code == 1 and "no.nii.gz is not there" in result.output


REAL = os.environ.get("MMZOO_REAL_DATA")


@pytest.mark.skipif(not REAL, reason="MMZOO_REAL_DATA names no folder of real volumes")
def test_real_samples_are_told_apart():
    real = Path(REAL)
    kinds = {
        "acdc-sample/sax_ed.nii.gz": False,
        "same-subject-t1-pd/chris_t1.nii.gz": False,
        "spine-samples/sub-mri_label-6_T2w.nii.gz": False,
        "spine-samples/sub-ct_seg-vert_label-22_msk.nii.gz": True,
        "brain-labels/training_seg_01.nii.gz": True,
    }
    for name, is_labels in kinds.items():
        assert bool(survey.look(real / name)[0].label_ml) == is_labels, name
    seen, _ = survey.look(real / "chaos-ct-case/DICOM_anon")
    assert seen.spacing_mm == pytest.approx((0.727, 0.727, 2.0))
    assert [name for name, _ in survey.recognise(real / "brain-labels")] == ["brain-labels"]
