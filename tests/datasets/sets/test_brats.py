import json

import nibabel as nib
import numpy as np
import pytest
from helpers_sets import boxes, load, picture, run, same, save
from scipy.ndimage import map_coordinates

from mmzoo.datasets.sets.base import Recipe
from mmzoo.datasets.sets.brats import CONTRASTS

RECIPE = Recipe((16, 16, 16), crop="nonzero", margin_mm=1.0, normalise="brain")
# BraTS is stored in LPS with its origin at (0, -239, 0) there.
STORED = np.array([[-1.0, 0, 0, 0], [0, -1, 0, 239], [0, 0, 1, 0], [0, 0, 0, 1]])


def brain(shape=(30, 28, 26)):
    """A bright box in a background of exactly 0, with a tumour in it."""
    labels = np.zeros(shape, np.int16)
    labels[10:14, 8:16, 8:16], labels[14:18, 8:16, 8:16] = 2, 1
    image = picture(boxes((1, 2), shape))
    outside = np.ones(shape, bool)
    outside[4:26, 5:24, 5:22] = False
    image[outside] = 0
    image[11, 9, 9] = 0  # a tumour voxel where there is no signal
    return image, labels


def names():
    high = [f"HGG/Brats18_CBICA_A{k:03d}_1" for k in range(210)]
    return high + [f"LGG/Brats18_TCIA08_{k:03d}_1" for k in range(75)]


@pytest.fixture
def tree(tmp_path):
    """285 people; LGG without label 4; some files not packed."""
    image, labels = brain()
    enhancing = labels.copy()
    enhancing[12, 9:12, 9:12] = 4
    files = {
        "image.nii.gz": save(tmp_path / "one/image.nii.gz", image, STORED),
        "HGG": save(tmp_path / "one/high.nii.gz", enhancing, STORED),
        "LGG": save(tmp_path / "one/low.nii.gz", labels, STORED),
        "image.nii": save(tmp_path / "one/image.nii", image, STORED),
    }
    root = tmp_path / "MICCAI_BraTS_2018_Data_Training"
    for k, name in enumerate(names()):
        person = name.split("/")[1]
        suffix = "nii" if k == 1 else "nii.gz"
        for contrast in CONTRASTS:
            same(root / name / f"{person}_{contrast}.{suffix}", files[f"image.{suffix}"])
        same(root / name / f"{person}_seg.nii.gz", files[name[:3]])
    return root


def test_the_official_tree_goes_through_deformed_with_a_known_field(tree, tmp_path):
    out = tmp_path / "out"
    description = run("brats", tree, out, people=3, recipe=RECIPE, deform_mm=6.0)
    assert json.loads((out / "report.json").read_text())["found"] == {"t1": 285, "t2": 285}
    assert description["field"] == "fields/{moving}__{fixed}.nii.gz"
    (pair, *_) = sorted((out / "fields").glob("*.nii.gz"))
    moving, fixed = pair.name.removesuffix(".nii.gz").split("__")
    ddf = np.asarray(nib.load(pair).dataobj)
    spacing = nib.load(pair).header.get_zooms()[:3]
    length = np.linalg.norm(ddf * spacing, axis=-1)
    assert 6.0 * 0.75 < np.nanmax(length) < 6.0 * 1.05
    # moving(x + ddf(x)) is the image before it was deformed: that of the fixed contrast here.
    known = ~np.isnan(ddf[..., 0])
    index = np.argwhere(known) + ddf[known]
    warped = map_coordinates(load(out, "images", moving), index.T, order=1, mode="nearest")
    target = load(out, "images", fixed)[known]
    still = load(out, "images", moving)[known]
    assert np.abs(warped - target).mean() < 0.6 * np.abs(still - target).mean()


def test_without_deformation_the_contrasts_lie_on_each_other(tree, tmp_path):
    out = tmp_path / "out"
    run("brats", tree, out, people=2, recipe=RECIPE, deform_mm=0.0)
    person = "Brats18_CBICA_A001_1"  # its files are not packed
    assert np.allclose(load(out, "images", f"t1_{person}"), load(out, "images", f"t2_{person}"))
    assert not (out / "fields").exists()


def test_intensities_are_normalised_within_the_brain_alone(tree, tmp_path):
    out = tmp_path / "out"
    run("brats", tree, out, people=2, recipe=RECIPE, deform_mm=0.0)
    image = load(out, "images", "t1_Brats18_CBICA_A000_1")
    background = image.min()
    inside = image[image > background + 1e-3]
    assert inside.size < image.size
    assert inside.mean() == pytest.approx(0, abs=0.15)


def test_the_whole_tumour_is_there_where_no_part_enhances(tree, tmp_path):
    low = [name.split("/")[1] for name in names() if name.startswith("LGG")]
    high = tuple(name.split("/")[1] for name in names() if name.startswith("HGG"))
    out = tmp_path / "out"
    run("brats", tree, out, people=2, without=high, recipe=RECIPE, deform_mm=0.0)
    assert load(out, "labels", f"t1_{low[0]}").any()
    with pytest.raises(ValueError, match=r"_seg.nii.gz has no voxel of enhancing tumour"):
        run(
            "brats",
            tree,
            tmp_path / "b",
            people=1,
            without=high,
            recipe=RECIPE,
            structures=("enhancing tumour",),
        )


def test_people_are_split_as_printed(tree):
    from mmzoo.datasets import sets
    from mmzoo.datasets.choices import Choices
    from mmzoo.datasets.preparation import find_scans, group_scans, split_people

    data = sets.data_set("brats")
    choices = Choices().settle(data)
    groups = group_scans(data, find_scans(data, tree, choices), choices)
    (fold,) = split_people(data, groups, choices)
    assert [len(fold[split]["fixed"]) for split in ("train", "valid", "test")] == [235, 0, 50]
    assert not set(fold["train"]["moving"]) & set(fold["test"]["moving"])
