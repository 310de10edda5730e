import json

import nibabel as nib
import numpy as np
import pytest
from helpers_sets import boxes, load, picture, run, same

from mmzoo.datasets.sets.acdc import PEOPLE
from mmzoo.datasets.sets.base import Recipe

SPACING = (1.5, 1.5, 10.0)
ED = {"patient090": (4, 11)}


def save_unit_sform(path, array):
    """As ACDC ships them: sform of unit voxels, sizes in pixdim alone."""
    image = nib.Nifti1Image(array, None)
    image.header.set_zooms(SPACING)
    image.header.set_sform(np.diag([-1.0, -1.0, 1.0, 1.0]), code=1)
    image.header["qform_code"] = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(image, path)
    return path


@pytest.fixture
def tree(tmp_path):
    labels = boxes((1, 2, 3), (24, 20, 9))
    files = {
        "": save_unit_sform(tmp_path / "one/image.nii.gz", picture(labels)),
        "_gt": save_unit_sform(tmp_path / "one/labels.nii.gz", labels.astype(np.uint8)),
    }
    for name in (*PEOPLE, "patient101"):
        part = "training" if name in PEOPLE else "testing"
        folder = tmp_path / "ACDC/database" / part / name
        frames = ED.get(name, (1, 12))
        folder.mkdir(parents=True)
        ed, es = frames
        (folder / "Info.cfg").write_text(f"ED: {ed}\nES: {es}\nGroup: DCM\nNbFrame: 30\n")
        same(folder / f"{name}_4d.nii.gz", files[""])
        for frame in frames:
            for suffix, target in files.items():
                same(folder / f"{name}_frame{frame:02d}{suffix}.nii.gz", target)
    return tmp_path


def test_the_official_tree_goes_through_with_the_frames_of_info_cfg(tree, tmp_path):
    out = tmp_path / "out"
    description = run("acdc", tree / "ACDC", out, people=2)
    report = json.loads((out / "report.json").read_text())
    assert report["found"] == {"ed": 100, "es": 100}
    assert set(description["cases"]) == {
        f"{state}_{name}" for state in ("ed", "es") for name in PEOPLE[:2]
    }
    assert description["pairing"] == "same"


def test_end_diastole_is_the_frame_that_info_cfg_names(tree):
    from mmzoo.datasets.sets import data_set

    scans = {scan.case: scan for scan in data_set("acdc").find(tree / "ACDC")}
    assert scans["ed_patient090"].images[0].name == "patient090_frame04.nii.gz"
    assert scans["es_patient090"].labels[0].name == "patient090_frame11_gt.nii.gz"
    assert not any("patient101" in case for case in scans)


def test_voxel_sizes_are_those_of_pixdim_where_the_sform_says_one(tree, tmp_path):
    out = tmp_path / "out"
    recipe = Recipe(size=(24, 20, 9), crop="none")
    run("acdc", tree / "ACDC", out, people=2, recipe=recipe)
    image = nib.load(out / "images/ed_patient001.nii.gz")
    assert image.header.get_zooms() == pytest.approx(SPACING, abs=1e-4)
    report = json.loads((out / "report.json").read_text())
    assert "by pixdim, which counts" in report["mended"]["ed_patient001"][0]


def test_both_states_of_a_person_share_a_grid_and_three_structures(tree, tmp_path):
    out = tmp_path / "out"
    run("acdc", tree / "ACDC", out, people=2)
    ed, es = (nib.load(out / f"images/{state}_patient001.nii.gz") for state in ("ed", "es"))
    assert np.array_equal(ed.affine, es.affine)
    assert load(out, "labels", "es_patient002").shape == (16, 16, 16, 3)


def test_an_info_file_without_frames_is_named(tree, tmp_path):
    (tree / "ACDC/database/training/patient005/Info.cfg").write_text("Group: DCM\n")
    with pytest.raises(ValueError, match=r"patient005/Info.cfg must have lines `ED: 1`"):
        run("acdc", tree / "ACDC", tmp_path / "out")
