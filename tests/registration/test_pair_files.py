"""Tables of pairs: what is wrong with one is said before anything is registered, and where."""

import json
import sys

import numpy as np
import pytest
import SimpleITK as sitk

from mmzoo.registration.bids import bids_pairs
from mmzoo.registration.pair_files import folders_of_pairs, read_pairs


@pytest.fixture
def folder(tmp_path):
    for name in ("a.nii.gz", "b.nii.gz", "c.mha", "mask.nii.gz", "pa.csv", "pb.csv"):
        (tmp_path / name).write_text("")
    return tmp_path


def table(folder, text):
    path = folder / "pairs.csv"
    path.write_text(text)
    return path


def test_columns_become_files_beside_the_table(folder):
    text = "name,fixed,moving,fixed_mask,fixed_points,moving_points\n"
    text += "one,a.nii.gz,b.nii.gz,mask.nii.gz,pa.csv,pb.csv\n\ntwo, b.nii.gz ,a.nii.gz,,,\n"
    one, two = read_pairs(table(folder, text))
    assert one.files() == {
        "fixed": folder / "a.nii.gz",
        "moving": folder / "b.nii.gz",
        "fixed_mask": folder / "mask.nii.gz",
        "fixed_points": folder / "pa.csv",
        "moving_points": folder / "pb.csv",
    }
    assert (one.name, two.name, two.fixed) == ("one", "two", folder / "b.nii.gz")
    chosen = one.select("sform")
    assert chosen.fixed.name == "a.nii.gz#sform" and chosen.fixed_points == one.fixed_points


def test_without_names_pairs_are_called_by_their_images(folder):
    text = "\ufefffixed;moving\na.nii.gz;b.nii.gz\nb.nii.gz#qform;c.mha\n"
    assert [pair.name for pair in read_pairs(table(folder, text))] == ["b_to_a", "c_to_b"]


def test_a_subject_stands_before_the_names_of_images(folder):
    text = "subject,fixed,moving,name\ns1,a.nii.gz,b.nii.gz,\ns2,a.nii.gz,b.nii.gz,\n"
    text += ",a.nii.gz,b.nii.gz,\ns3,a.nii.gz,b.nii.gz,mine\n"
    names = [pair.name for pair in read_pairs(table(folder, text))]
    assert names == ["s1_b_to_a", "s2_b_to_a", "b_to_a", "mine"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "column of pairs.csv.*empty"),
        ("fixed,moving\n", "no pair to register"),
        ("fixed,moveing\na.nii.gz,b.nii.gz\n", "column of pairs.csv.*did you mean 'moving'"),
        ("fixed,name\na.nii.gz,b\n", "must have columns fixed and moving"),
        ("fixed,moving,moving\na.nii.gz,b.nii.gz,c.mha\n", "each column once"),
        ("fixed,moving\na.nii.gz\n", "line 2: 1 cells under 2 names"),
        ("fixed,moving\na.nii.gz,b.nii.gz\n,b.nii.gz\n", "line 3: `fixed` is empty"),
        ("fixed,moving\na.nii.gz,no.nii.gz\n", r"line 2: .*no.nii.gz \(`moving`\) is not there"),
        (
            "fixed,moving,fixed_mask\na.nii.gz,b.nii.gz,no.nii\n",
            r"line 2: .*no.nii \(`fixed_mask`\) is not there",
        ),
        ("fixed,moving\na.nii.gz,b.nii.gz\na.nii.gz,b.nii.gz\n", "line 3.*b_to_a, as that.*line 2"),
        ("name,fixed,moving\nA,a.nii.gz,b.nii.gz\na,a.nii.gz,b.nii.gz\n", "line 3.*as that of"),
        ("name,fixed,moving\n../x,a.nii.gz,b.nii.gz\n", "line 2: `name` becomes part of file"),
        ("name,fixed,moving\nindex.html,a.nii.gz,b.nii.gz\n", "line 2: `name`.*summary of all"),
        ("fixed,moving,fixed_points\na.nii.gz,b.nii.gz,pa.csv\n", "line 2: give both"),
        ("fixed,moving,fixed_label\na.nii.gz,b.nii.gz,mask.nii.gz\n", "`fixed_label` needs"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_line_and_column(folder, text, message):
    with pytest.raises(ValueError, match=f"(?s){message}"):
        read_pairs(table(folder, text))


def test_two_folders_match_by_names_without_endings(tmp_path):
    for name in ("t1/s1.nii.gz", "t1/s2.nii.gz", "t2/s1.mha", "t2/s2.nii.gz", "t2/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    pairs = folders_of_pairs(tmp_path / "t1", tmp_path / "t2")
    assert [(p.name, p.fixed.name, p.moving.name) for p in pairs] == [
        ("s1", "s1.nii.gz", "s1.mha"),
        ("s2", "s2.nii.gz", "s2.nii.gz"),
    ]
    (tmp_path / "t2" / "s3.mha").write_text("")
    with pytest.raises(ValueError, match="s3.mha has no partner in .*t1"):
        folders_of_pairs(tmp_path / "t1", tmp_path / "t2")
    (tmp_path / "t2" / "s2.mha").write_text("")
    with pytest.raises(ValueError, match="has s2 twice"):
        folders_of_pairs(tmp_path / "t1", tmp_path / "t2")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no image"):
        folders_of_pairs(tmp_path / "empty", tmp_path / "t2")
    with pytest.raises(ValueError, match="is not a folder"):
        folders_of_pairs(tmp_path / "t1", tmp_path / "no")


# === BIDS ===


@pytest.fixture
def bids(tmp_path):
    """Two subjects, one of two sessions, with T1w and T2w; the second has two T2w."""
    description = {"Name": "test", "BIDSVersion": "1.8.0"}
    (tmp_path / "dataset_description.json").write_text(json.dumps(description))
    names = [
        *("sub-01/ses-a/anat/sub-01_ses-a_T1w", "sub-01/ses-a/anat/sub-01_ses-a_T2w"),
        *("sub-01/ses-b/anat/sub-01_ses-b_T1w", "sub-01/ses-b/anat/sub-01_ses-b_T2w"),
        *("sub-02/anat/sub-02_T1w", "sub-02/anat/sub-02_acq-fast_T2w"),
        "sub-02/anat/sub-02_acq-slow_T2w",
    ]
    image = sitk.GetImageFromArray(np.zeros((2, 2, 2), np.uint8))
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        sitk.WriteImage(image, tmp_path / f"{name}.nii.gz")
    return tmp_path


def test_images_of_a_bids_folder_belong_together_by_subject_and_session(bids):
    pytest.importorskip("bids", reason="pip install pybids")
    with pytest.raises(ValueError, match="sub-02_T1w.*2 T2w images belong to it"):
        bids_pairs(bids, "T1w", "T2w")
    (pair,) = bids_pairs(bids, "T1w", "acq-slow_T2w")
    assert (pair.name, pair.moving.name) == ("sub-02", "sub-02_acq-slow_T2w.nii.gz")
    (bids / "sub-02/anat/sub-02_acq-fast_T2w.nii.gz").unlink()
    pairs = bids_pairs(bids, "T1w", "T2w")
    assert [(p.name, p.fixed.name, p.moving.name) for p in pairs] == [
        ("sub-01_ses-a", "sub-01_ses-a_T1w.nii.gz", "sub-01_ses-a_T2w.nii.gz"),
        ("sub-01_ses-b", "sub-01_ses-b_T1w.nii.gz", "sub-01_ses-b_T2w.nii.gz"),
        ("sub-02", "sub-02_T1w.nii.gz", "sub-02_acq-slow_T2w.nii.gz"),
    ]
    with pytest.raises(ValueError, match="no image of the suffix 'PDw'; it has T1w, T2w"):
        bids_pairs(bids, "T1w", "PDw")
    (bids / "dataset_description.json").unlink()
    with pytest.raises(ValueError, match="is no BIDS data set"):
        bids_pairs(bids, "T1w", "T2w")


def test_without_pybids_it_is_said_how_to_get_it(bids, monkeypatch):
    monkeypatch.setitem(sys.modules, "bids", None)
    with pytest.raises(ValueError, match=r'pip install "mmzoo\[bids\]"'):
        bids_pairs(bids, "T1w", "T2w")
