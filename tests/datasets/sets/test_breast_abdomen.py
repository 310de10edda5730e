"""MAMA-MIA, ISPY1 and AbdomenMRCT."""

import json

import nibabel as nib
import numpy as np
import pytest
from helpers_sets import affine, boxes, load, picture, run, same, save


@pytest.fixture
def mama_mia(tmp_path):
    """1506 people, names of labels in lower case, two or three phases, two orientations."""
    labels = (boxes((1, 2)) == 2).astype(np.int16)
    sagittal = affine((2.0, 1.0, 1.0), (1, 1, -1), (1, 2, 0))
    files = {}
    for name, matrix in (("axial", None), ("sagittal", sagittal)):
        for kind, array in (("image", picture(labels)), ("mask", labels)):
            files[name, kind] = save(tmp_path / f"one/{name}_{kind}.nii.gz", array, matrix)
    root = tmp_path / "MAMA-MIA"
    for number in range(1506):
        sort = ("DUKE", "axial") if number % 2 else ("ISPY1", "sagittal")
        name = f"{sort[0]}_{number:04d}"
        for phase in range(2 + number % 2):
            target = files[sort[1], "image"]
            same(root / f"images/{name}/{name}_{phase:04d}.nii.gz", target)
        for made in ("expert", "automatic"):
            target = files[sort[1], "mask"]
            same(root / f"segmentations/{made}/{name.lower()}.nii.gz", target)
    return root


def test_mama_mia_goes_through(mama_mia, tmp_path):
    out = tmp_path / "out"
    description = run("mama-mia", mama_mia, out, people=4)
    report = json.loads((out / "report.json").read_text())
    assert report["found"] == {"post": 1506, "pre": 1506}
    assert description["labels"] == ["lesion"] and description["pairing"] == "same"
    images = [nib.load(path) for path in sorted((out / "images").iterdir())]
    assert {nib.aff2axcodes(image.affine) for image in images} == {("R", "A", "S")}
    assert all(load(out, "labels", case).any() for case in description["cases"])


def test_ispy1_takes_the_image_that_its_label_lies_on(tmp_path):
    small, root = boxes((1,), (16, 14, 12)), tmp_path / "ispy"
    large = boxes((1,))
    for number in (1002, 1005, 1010):
        name = f"ISPY1_{number}"
        for phase in range(3):
            file = f"{name}/{name}_DCE_{phase:04d}_N3"
            save(root / f"images_bias-corrected_nifti/{file}.nii", picture(small, phase))
            resampled = f"images_bias-corrected_resampled_zscored_nifti/{file}_zscored.nii"
            save(root / resampled, picture(large, phase))
        save(root / f"masks_stv_manual/{name}.nii.gz", large)
    out = tmp_path / "out"
    description = run("ispy1", root, out)
    assert len(description["cases"]) == 6
    report = json.loads((out / "report.json").read_text())
    assert "resampled_zscored" in report["mended"]["pre_ISPY1_1002"][0]


def write_mrct(root, labels_key=None):
    """Eight labelled pairs, eight without labels, and people who have but one modality."""
    labels = boxes((1, 2, 3, 4))
    first = {
        "images": save(root / "one/image.nii.gz", picture(labels)),
        "labels": save(root / "one/labels.nii.gz", labels),
    }
    folder = root / "AbdomenMRCT"

    def pair(number, part):
        names = [f"./images{part}/AbdomenMRCT_{number:04d}_{k:04d}.nii.gz" for k in (0, 1)]
        return {"fixed": names[0], "moving": names[1]}

    pairs = {
        "training_paired_images": [pair(n, "Tr") for n in range(1, 9)],
        "registration_val": [pair(n, "Tr") for n in (6, 7, 8)],
        "registration_test": [pair(n, "Ts") for n in range(9, 17)],
    }
    extra = {"labels": labels_key} if labels_key else {}
    folder.mkdir()
    (folder / "AbdomenMRCT_dataset.json").write_text(json.dumps(pairs | extra))
    for entry in (e for entries in pairs.values() for e in entries):
        for name in entry.values():
            if not (folder / name).exists():
                same(folder / name, first["images"])
                if "Tr" in name:
                    same(folder / name.replace("images", "labels"), first["labels"])
    same(folder / "imagesTr/AbdomenMRCT_0017_0001.nii.gz", first["images"])
    return folder


def test_abdomen_mrct_takes_the_pairs_of_its_json_and_tests_on_the_validation_ones(tmp_path):
    root = write_mrct(tmp_path)
    description = run("abdomen-mrct", root, tmp_path / "out")
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert report["found"] == {"ct": 8, "mr": 8} and report["unlabelled"] == {"ct": 8, "mr": 8}
    (fold,) = description["folds"]
    assert fold["test"] == {
        "moving": ["ct_0006", "ct_0007", "ct_0008"],
        "fixed": ["mr_0006", "mr_0007", "mr_0008"],
    }
    assert len(fold["train"]["moving"]) == 5


def test_the_order_of_organs_is_that_of_the_json(tmp_path):
    names = {"0": {"0": "bg", "1": "spleen", "2": "liver", "3": "kidney_left", "4": "kidney_right"}}
    root, out = write_mrct(tmp_path, names), tmp_path / "out"
    run("abdomen-mrct", root, out, structures=("liver", "left kidney"))
    labels = load(out, "labels", "mr_0001")
    assert np.argwhere(labels[..., 1])[:, 0].mean() > np.argwhere(labels[..., 0])[:, 0].mean()
    report = json.loads((out / "report.json").read_text())
    found = boxes((1, 2, 3, 4))
    assert report["label_ml"]["mr_0001"]["liver"] == pytest.approx(
        (found == 2).sum() / 1000, abs=1e-3
    )


def test_a_json_file_that_cannot_be_read_is_named(tmp_path):
    root = write_mrct(tmp_path)
    (root / "AbdomenMRCT_dataset.json").write_text("{")
    with pytest.raises(ValueError, match="AbdomenMRCT_dataset.json is not readable as JSON"):
        run("abdomen-mrct", root, tmp_path / "out")
