"""SPIDER, VerSe, both together, and SynthRAD."""

import json
import os
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from helpers_sets import SMALL, affine, boxes, load, picture, run, same, save, save_mha

from mmzoo.datasets.sets.base import Recipe

THIN = (4.0, 1.0, 1.0)


@pytest.fixture
def spider(tmp_path):
    """447 series of 218 patients; one has no L3; canal, discs and cut-off vertebrae."""
    root = tmp_path / "spider"
    labels = boxes((1, 2, 3, 100, 201, 104))
    files = {
        "images": save_mha(tmp_path / "one/image.mha", picture(labels), THIN),
        "masks": save_mha(tmp_path / "one/mask.mha", labels, THIN),
    }
    lacking = save_mha(tmp_path / "one/lacking.mha", np.where(labels == 3, 0, labels), THIN)
    series = [(n, kind) for n in range(1, 219) for kind in ("t1", "t2")]
    series += [(n, "t2_SPACE") for n in range(1, 12)]
    for number, kind in series:
        for folder, target in files.items():
            without = folder == "masks" and number == 2 and kind == "t1"
            same(root / folder / f"{number}_{kind}.mha", lacking if without else target)
    (root / "overview.csv").write_text("new_file_name\n")
    return root


def test_spider_goes_through_and_who_lacks_a_vertebra_is_left_out(spider, tmp_path):
    out = tmp_path / "out"
    description = run("spider", spider, out, people=4)
    assert [case for case in description["cases"] if case.startswith("t1")] == [
        f"t1_{number:03d}" for number in (1, 3, 4)
    ]
    report = json.loads((out / "report.json").read_text())
    assert report["left_out"] == dict.fromkeys(("t1_002", "t2_002"), "t1_002 lacks L3")
    assert report["label_ml"]["t1_001"]["L5"] == pytest.approx(
        (boxes((1, 2, 3, 100, 201, 104)) == 1).sum() * 4 / 1000, abs=1e-3
    )
    assert description["pairing"] == "same"


def test_a_missing_series_of_spider_is_counted(spider, tmp_path):
    (spider / "images/7_t2.mha").unlink()
    with pytest.raises(ValueError, match="all: 446 of 447 found, missing 1 of 447 series"):
        run("spider", spider, tmp_path / "out")


@pytest.fixture
def verse(tmp_path):
    """374 scans in BIDS folders, masks in float64, one split, any orientation."""
    root = tmp_path / "verse"
    labels = boxes((22, 23, 24, 26, 28))
    turned = affine((1.5, 1.0, 2.0), (-1, -1, 1), (1, 2, 0))
    image = save(tmp_path / "one/ct.nii.gz", picture(labels) * 3, turned)
    mask = save(tmp_path / "one/msk.nii.gz", labels.astype(np.float64), turned)
    for number in range(374):
        name = f"sub-verse{number:03d}"
        part = "dataset-01training" if number % 2 else "dataset-02validation"
        stem = f"{name}_split-verse253" if number == 1 else f"{name}_dir-ax"
        same(root / part / f"rawdata/{name}/{stem}_ct.nii.gz", image)
        folder = root / part / f"derivatives/{name}"
        same(folder / f"{stem}_seg-vert_msk.nii.gz", mask)
        (folder / f"{stem}_seg-subreg_ctd.json").write_text("[]")
    return root


def test_verse_goes_through_whatever_its_orientation(verse, tmp_path):
    out = tmp_path / "out"
    description = run("verse", verse, out, people=6)
    assert description["pairing"] == "others" and description["labels"] == ["L3", "L4", "L5"]
    # With one modality, everyone is on both sides, and meets the others alone.
    pairs = sorted(path.name for path in (out / "fold0/test/moving_images").iterdir())
    assert pairs and all(a != b for a, b in (name[:-7].split("__") for name in pairs))
    image = nib.load(out / "images/ct_verse000_dir-ax.nii.gz")
    assert nib.aff2axcodes(image.affine) == ("R", "A", "S")


def test_flat_folders_of_verse_go_through_too(tmp_path):
    labels = boxes((22, 23, 24))
    for number in range(4):
        save(tmp_path / f"verse/verse{number:03d}.nii.gz", picture(labels))
        save(tmp_path / f"verse/verse{number:03d}_seg.nii.gz", labels)
    description = run("verse", tmp_path / "verse", tmp_path / "out", allow_partial=True)
    assert len(description["cases"]) == 4


def test_both_count_vertebrae_their_own_way_and_meet_under_one_name(spider, verse, tmp_path):
    root, out = tmp_path / "both", tmp_path / "out"
    root.mkdir()
    for folder in (spider, verse):
        shutil.move(folder, root / folder.name)
    description = run("spine-ct-mr", root, out, people=2, structures=("L3", "L5"))
    assert description["pairing"] == "all" and description["labels"] == ["L3", "L5"]
    ct = load(out, "labels", "ct_verse000_dir-ax")
    mr = load(out, "labels", "t2_001")
    assert ct[..., 0].any() and mr[..., 1].any()
    # 1, the first box, is L5 in SPIDER, 3 is L3; MetaImage's x runs to the left.
    assert np.argwhere(mr[..., 1])[:, 0].mean() > np.argwhere(mr[..., 0])[:, 0].mean()


@pytest.fixture
def synthrad(tmp_path):
    """2025's abdomen (175) and 2023's pelvis (180); validation without CT."""
    body = boxes((1,))
    kinds = {"ct": picture(body), "mr": picture(body, 1), "mask": body}
    packed = {kind: save(tmp_path / f"one/{kind}.nii.gz", array) for kind, array in kinds.items()}
    plain = {kind: save_mha(tmp_path / f"one/{kind}.mha", array) for kind, array in kinds.items()}
    for number in range(175):
        for kind, target in plain.items():
            same(tmp_path / f"s25/Task1/AB/1ABA{number:03d}/{kind}.mha", target)
    for number in range(180):
        for kind, target in packed.items():
            same(tmp_path / f"s23/Task1/pelvis/1PA{number:03d}/{kind}.nii.gz", target)
    return tmp_path


@pytest.mark.parametrize(
    ("year", "count", "first"), [("s25", 175, "1ABA000"), ("s23", 180, "1PA000")]
)
def test_synthrad_goes_through_region_by_region(synthrad, tmp_path, year, count, first):
    out = tmp_path / f"out{year}"
    description = run("synthrad", synthrad / year, out, people=2, deform_mm=3.0)
    report = json.loads((out / "report.json").read_text())
    assert report["found"] == {"ct": count, "mr": count}
    assert f"ct_{first}" in description["cases"]
    assert (out / f"fields/ct_{first}__mr_{first}.nii.gz").exists()
    assert "deformed by up to 3 mm" in report["mended"][f"ct_{first}"][0]


def test_a_region_of_synthrad_that_is_not_whole_is_noticed(synthrad, tmp_path):
    shutil.rmtree(synthrad / "s25/Task1/AB/1ABA007")
    with pytest.raises(ValueError, match="ct: 174 of 175 found"):
        run("synthrad", synthrad / "s25", tmp_path / "out")


REAL = os.environ.get("MMZOO_REAL_DATA")


@pytest.mark.skipif(not REAL, reason="MMZOO_REAL_DATA names no folder of real volumes")
def test_the_real_lumbar_crop_goes_through_as_verse(tmp_path):
    samples, root = Path(REAL) / "spine-samples", tmp_path / "verse"
    for number in (1, 2):
        names = f"sub-verse{number:03d}", f"sub-verse{number:03d}_dir-ax"
        raw, derived = root / "rawdata" / names[0], root / "derivatives" / names[0]
        for folder in (raw, derived):
            folder.mkdir(parents=True)
        shutil.copy(samples / "sub-ct_label-22_ct.nii.gz", raw / f"{names[1]}_ct.nii.gz")
        mask = samples / "sub-ct_seg-vert_label-22_msk.nii.gz"
        shutil.copy(mask, derived / f"{names[1]}_seg-vert_msk.nii.gz")
    out = tmp_path / "out"
    run("verse", root, out, structures=("L3",), allow_partial=True, recipe=Recipe(SMALL.size))
    report = json.loads((out / "report.json").read_text())
    assert 20 < report["label_ml"]["ct_verse001_dir-ax"]["L3"] < 120
