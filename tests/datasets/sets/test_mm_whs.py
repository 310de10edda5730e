import json

import nibabel as nib
import numpy as np
import pytest
from helpers_sets import SHAPE, affine, boxes, load, picture, run, same, save

from mmzoo.datasets.sets.mm_whs import PEOPLE

VALUES = (500, 205, 600, 420, 550, 820, 850)
# How the thin axis of the MR of some people lies: along x, as sagittal slices, or along y.
ORDERS = {"1002": (2, 0, 1), "1003": (1, 2, 0)}


@pytest.fixture
def tree(tmp_path):
    """Nested twice; CT packed and MR not; 421 in mr_train_1010; MR of several orientations."""
    root = tmp_path / "MM-WHS 2017 Dataset/MM-WHS 2017 Dataset"
    labels = boxes(VALUES)
    first = {}
    for modality, suffix in (("ct", ".nii.gz"), ("mr", ".nii")):
        for kind, array in (("image", picture(labels)), ("label", labels)):
            for number in PEOPLE:
                path = root / f"{modality}_train/{modality}_train_{number}_{kind}{suffix}"
                order = ORDERS.get(number) if modality == "mr" else None
                if order:
                    turned = np.transpose(array, order)
                    save(path, turned, affine(signs=(-1, 1, -1), order=order))
                elif number == "1010" and (modality, kind) == ("mr", "label"):
                    save(path, np.where(array == 420, 421, array))
                elif (modality, kind) in first:
                    same(path, first[modality, kind])
                else:
                    first[modality, kind] = save(path, array)
        same(root / f"{modality}_test/{modality}_test_2001_image{suffix}", first[modality, "image"])
    same(root / "ct_train/._ct_train_1001_image.nii.gz", first["ct", "image"])
    return tmp_path


def test_the_official_tree_goes_through_as_printed(tree, tmp_path):
    description = run("mm-whs", tree, tmp_path / "out", people=4)
    assert description["labels"] == ["left ventricle cavity", "myocardium"]
    assert description["pairing"] == "all"
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert report["found"] == {"mr": 20, "ct": 20} and not report["missing"]


def test_four_folds_of_five_people_in_the_order_of_their_names(tree):
    from mmzoo.datasets import sets
    from mmzoo.datasets.choices import Choices
    from mmzoo.datasets.preparation import find_scans, group_scans, split_people

    data, choices = sets.data_set("mm-whs"), Choices()
    choices = choices.settle(data)
    folds = split_people(data, group_scans(data, find_scans(data, tree, choices), choices), choices)
    assert len(folds) == 4
    assert folds[1]["test"]["fixed"] == [f"ct_{number}" for number in range(1006, 1011)]
    assert len(folds[1]["train"]["moving"]) == 15


def test_label_421_becomes_the_left_atrium_and_is_reported(tree, tmp_path):
    out = tmp_path / "out"
    without = tuple(f"mr_{number}" for number in PEOPLE if number != "1010")
    run("mm-whs", tree, out, structures=("left atrium",), without=without, people=1)
    assert load(out, "labels", "mr_1010").any()
    notes = json.loads((out / "report.json").read_text())["mended"]
    assert "label 421" in notes["mr_1010"][0] and "ct_1001" not in notes


def test_mr_of_any_orientation_comes_out_alike(tree, tmp_path):
    out = tmp_path / "out"
    run("mm-whs", tree, out, people=3, structures=("myocardium",))
    for number in ORDERS:
        image = nib.load(out / f"images/mr_{number}.nii.gz")
        assert nib.aff2axcodes(image.affine) == ("R", "A", "S")
        edges = np.array(image.header.get_zooms()) * 16
        # The box of the myocardium and 2 mm on each side, whichever way it was stored.
        labels = boxes(VALUES)
        extent = np.ptp(np.argwhere(labels == 205), axis=0) + 1 + 4
        assert edges == pytest.approx(extent, abs=1e-3), SHAPE


def test_missing_people_stop_the_run_and_are_named(tree, tmp_path):
    (path,) = tree.rglob("ct_train_1007_label.nii.gz")
    path.unlink()
    with pytest.raises(ValueError, match=r"ct: 19 of 20 found, missing 1007.*--allow-partial"):
        run("mm-whs", tree, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    run("mm-whs", tree, tmp_path / "out", people=2, allow_partial=True)
    assert "1007" in (tmp_path / "out/report.md").read_text()
