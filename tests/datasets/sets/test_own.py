import json
import os
import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from helpers_cli import call
from helpers_sets import affine, boxes, load, picture, save

from mmzoo.datasets import sources
from mmzoo.datasets.sets import own
from mmzoo.datasets.sets.base import Scan


@pytest.fixture
def folders(tmp_path):
    """Three people; CT of another spacing and field of view than MR; names that differ."""
    labels = boxes((1, 2))
    for number in (1, 2, 10):
        save(tmp_path / f"mr/mr_{number:03d}_T1.nii.gz", picture(labels, number))
        save(tmp_path / f"mrl/mr_{number:03d}_T1_seg.nii.gz", labels)
        coarse = affine((2.0, 2.0, 2.0))
        small = labels[::2, ::2, ::2]
        save(tmp_path / f"ct/ct_{number:03d}.nii.gz", picture(small, number), coarse)
        save(tmp_path / f"ctl/{number:03d}.nii.gz", small, coarse)
    return tmp_path


def run(*arguments):
    return call("prepare own", *arguments, "--size", 16, 16, 16, "--jobs", 1)


def names(folders):
    options = ("moving", "mr"), ("fixed", "ct"), ("moving-labels", "mrl"), ("fixed-labels", "ctl")
    return [part for key, name in options for part in (f"--{key}-dir", folders / name)]


def test_two_folders_are_matched_by_what_tells_their_names_apart(folders, tmp_path):
    out = tmp_path / "out"
    result = run(*names(folders), "--out", out, "--moving", "mr", "--fixed", "ct", "--folds", 3)
    assert result.exit_code == 0, result.output
    description = json.loads((out / "mmzoo.json").read_text())
    cases = description["cases"]
    for k, number in enumerate((1, 2, 10)):
        assert cases[f"mr_{k:03d}"]["source"].endswith(f"mr_{number:03d}_T1.nii.gz")
        assert cases[f"ct_{k:03d}"]["source"].endswith(f"ct_{number:03d}.nii.gz")
    assert description["labels"] == ["label 1", "label 2"] and description["pairing"] == "same"
    moving, fixed = (nib.load(out / f"images/{case}_000.nii.gz") for case in ("mr", "ct"))
    assert np.array_equal(moving.affine, fixed.affine)
    # Both show the same person in the same place.
    a, b = (load(out, "labels", f"{case}_000")[..., 0] > 0 for case in ("mr", "ct"))
    assert 2 * (a & b).sum() / (a.sum() + b.sum()) > 0.8


def test_everyone_meets_everyone_where_names_need_not_match(folders, tmp_path):
    (folders / "ct/ct_002.nii.gz").unlink()
    out = tmp_path / "out"
    arguments = ["--moving-dir", folders / "mr", "--fixed-dir", folders / "ct", "--out", out]
    result = run(*arguments)
    assert result.exit_code == 1 and "without a partner: ['002'] in the first" in result.output
    result = run(*arguments, "--pairing", "all", "--folds", 1)
    assert result.exit_code == 0, result.output
    assert len(list((out / "fold0/train/moving_images").iterdir())) == 6


def write_csv(folders, text):
    (folders / "pairs.csv").write_text(text)
    return folders / "pairs.csv"


def test_a_csv_file_says_persons_and_folds(folders, tmp_path):
    rows = [f"mr/mr_{n:03d}_T1.nii.gz,ct/ct_{n:03d}.nii.gz" for n in (1, 2, 10)]
    text = "moving,fixed,person,fold\n" + "".join(
        f"{row},{person},{fold}\n" for row, person, fold in zip(rows, "aab", (0, 0, 1), strict=True)
    )
    out = tmp_path / "out"
    result = run("--csv", write_csv(folders, text), "--out", out)
    assert result.exit_code == 0, result.output
    folds = json.loads((out / "mmzoo.json").read_text())["folds"]
    assert [fold["test"]["moving"] for fold in folds] == [
        ["moving_000", "moving_001"],
        ["moving_002"],
    ]


def test_all_pairs_of_a_person_are_in_one_split(folders, tmp_path):
    rows = [f"mr/mr_{n:03d}_T1.nii.gz,ct/ct_{n:03d}.nii.gz" for n in (1, 2, 10)]
    text = "moving,fixed,person\n" + "".join(f"{r},{p}\n" for r, p in zip(rows, "aba", strict=True))
    out = tmp_path / "out"
    assert run("--csv", write_csv(folders, text), "--out", out, "--folds", 2).exit_code == 0
    folds = json.loads((out / "mmzoo.json").read_text())["folds"]
    tested = [set(fold["test"]["fixed"]) for fold in folds]
    assert tested == [{"fixed_000", "fixed_002"}, {"fixed_001"}]


def test_values_and_names_choose_labels(folders, tmp_path):
    out = tmp_path / "out"
    chosen = ["--label-values", 2, "--label-names", "spleen"]
    result = run(*names(folders), "--out", out, *chosen)
    assert result.exit_code == 0, result.output
    assert json.loads((out / "mmzoo.json").read_text())["labels"] == ["spleen"]
    assert load(out, "labels", "moving_000").shape == (16, 16, 16, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("moving,fixd\na,b\n", "column of pairs.csv` is 'fixd': did you mean 'fixed'"),
        ("moving,fixed\nmr/no.nii.gz,ct/ct_001.nii.gz\n", "line 2: .*mr/no.nii.gz .moving. is not"),
        ("moving,fixed\nmr/mr_001_T1.nii.gz,\n", "there must be a moving and a fixed image"),
        (
            "moving,fixed,fold\nmr/mr_001_T1.nii.gz,ct/ct_001.nii.gz,x\n",
            "`fold` must be a number from 0, got 'x'",
        ),
        (
            "moving,fixed,moving_label\nmr/mr_001_T1.nii.gz,ct/ct_001.nii.gz,mrl/mr_001_T1_seg.nii.gz\n",
            "for every image or for none; without: .*ct_001.nii.gz",
        ),
    ],
)
def test_mistakes_in_a_csv_file_are_told_with_their_place(folders, text, message):
    with pytest.raises(ValueError, match=message):
        own.Own(own.read_csv(write_csv(folders, text)))


def test_images_that_do_not_overlap_are_named(folders, tmp_path):
    far = affine()
    far[:3, 3] = 900
    save(folders / "ct/ct_002.nii.gz", picture(boxes((1, 2))), far)
    save(folders / "ctl/002.nii.gz", boxes((1, 2)), far)
    result = run(*names(folders), "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "ct_002.nii.gz: the images do not overlap in space" in " ".join(result.output.split())


REAL = os.environ.get("MMZOO_REAL_DATA")


@pytest.mark.skipif(not REAL, reason="MMZOO_REAL_DATA names no folder of real volumes")
def test_the_real_acdc_pair_and_the_real_spine_crops_go_through(tmp_path):
    real = Path(REAL)
    acdc = own.ListedPair(real / "acdc-sample/sax_ed.nii.gz", real / "acdc-sample/sax_es.nii.gz")
    spine = real / "spine-samples"
    crops = [
        own.ListedPair(spine / "sub-ct_label-22_ct.nii.gz", None),
        own.ListedPair(None, spine / "sub-mri_label-6_T2w.nii.gz"),
    ]
    from mmzoo.datasets.choices import Choices
    from mmzoo.datasets.preparation import prepare
    from mmzoo.datasets.sets.base import Recipe

    recipe = Recipe((16, 16, 16), crop="none", normalise="none")
    for name, rows, pairing in (("acdc", [acdc], "same"), ("spine", crops, "all")):
        data = own.Own(rows, pairing=pairing)
        description = prepare(data, real, tmp_path / name, Choices(recipe=recipe), name="own")
        assert len(description["cases"]) == 2 and len(description["folds"]) == 1


ROWS = [f"mr/mr_{n:03d}_T1.nii.gz,ct/ct_{n:03d}.nii.gz,{n}\n" for n in (1, 2, 10)]


def replace_image(folders):
    save(folders / "mr/mr_001_T1.nii.gz", picture(boxes((1, 2)), 5))


def pair_otherwise(folders):
    swapped = [row.replace("ct_001", "ct_x").replace("ct_002", "ct_001") for row in ROWS]
    write_csv(folders, "moving,fixed,person\n" + "".join(swapped).replace("ct_x", "ct_002"))


def name_other_persons(folders):
    write_csv(folders, "moving,fixed,person\n" + "".join(ROWS).replace(",10\n", ",2\n"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (replace_image, "files changed: .*mr_001_T1.nii.gz"),
        (pair_otherwise, "pairs of cases changed: "),
        (name_other_persons, "pairs of cases changed: moving_002, fixed_002"),
    ],
)
def test_nothing_stale_stays_when_the_same_folder_is_prepared_again(
    folders, tmp_path, change, said
):
    out = tmp_path / "out"
    table = write_csv(folders, "moving,fixed,person\n" + "".join(ROWS))
    arguments = ("--csv", table, "--out", out, "--folds", 2)
    assert run(*arguments).exit_code == 0
    before = {path: path.read_bytes() for path in out.rglob("*.nii.gz")}
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    change(folders)
    result = run(*arguments)
    assert result.exit_code == 1
    assert re.search(said, result.output.replace("\n", "")), result.output
    assert before == {path: path.read_bytes() for path in out.rglob("*.nii.gz")}
    result = run(*arguments, "--overwrite")
    assert result.exit_code == 0, result.output
    fresh = tmp_path / "fresh"
    assert run("--csv", table, "--out", fresh, "--folds", 2).exit_code == 0
    for kind in ("images/*.nii.gz", "fold*/*/*/*.nii.gz"):
        there, wanted = ({p.relative_to(each) for p in each.glob(kind)} for each in (out, fresh))
        assert there == wanted
    for path in fresh.rglob("images/*.nii.gz"):
        there = nib.load(out / path.relative_to(fresh)).get_fdata()
        np.testing.assert_array_equal(there, nib.load(path).get_fdata())


def test_other_values_under_the_same_names_are_other_labels(folders, tmp_path):
    out = tmp_path / "out"
    chosen = (*names(folders), "--out", out, "--label-names", "organ", "--label-values")
    assert run(*chosen, 1).exit_code == 0
    result = run(*chosen, 2)
    assert result.exit_code == 1 and "labels changed: organ" in result.output.replace("\n", "")


def test_a_file_that_is_mended_is_prepared_and_what_is_done_is_kept(folders, tmp_path):
    out, good = tmp_path / "out", folders / "ct/ct_002.nii.gz"
    content = good.read_bytes()
    save(good, np.full((8, 8, 8), 3.0), affine((2.0, 2.0, 2.0)))
    result = run(*names(folders), "--out", out)
    assert result.exit_code == 1 and "ct_002.nii.gz" in result.output
    done = (out / "images/moving_000.nii.gz").stat().st_mtime_ns
    good.write_bytes(content)
    result = run(*names(folders), "--out", out)
    assert result.exit_code == 0, result.output
    assert (out / "images/moving_000.nii.gz").stat().st_mtime_ns == done


def test_an_image_that_is_replaced_after_an_interruption_is_prepared_anew(folders, tmp_path):
    out = tmp_path / "out"
    assert run(*names(folders), "--out", out).exit_code == 0
    description = json.loads((out / "mmzoo.json").read_text())
    (out / "mmzoo.json").write_text(json.dumps(description | {"complete": False}))
    before = nib.load(out / "images/moving_000.nii.gz").get_fdata()
    replace_image(folders)
    assert run(*names(folders), "--out", out).exit_code == 0
    assert not np.array_equal(before, nib.load(out / "images/moving_000.nii.gz").get_fdata())


@pytest.mark.parametrize("name", ["../../evil", "a/b", "", ".hidden", "a__b", "mr\n"])
def test_a_modality_leads_to_no_other_folder(folders, tmp_path, name):
    out = tmp_path / "a" / "out"
    result = run(*names(folders), "--out", out, "--moving", name)
    assert result.exit_code == 1 and "becomes part of file names" in result.output
    assert not out.parent.exists()


def test_the_form_of_headers_that_counts_may_be_chosen(folders, tmp_path):
    result = run(*names(folders), "--out", tmp_path / "out", "--geometry", "sform")
    assert result.exit_code == 0, result.output
    again = run(*names(folders), "--out", tmp_path / "out", "--geometry", "qform")
    assert again.exit_code == 1 and "--overwrite" in again.output


def test_a_folder_of_slices_counts_with_all_its_files(folders):
    data = own.Own([own.ListedPair(folders / "mr", folders / "ct")])
    scans = [(Scan("mr_0", "0", "mr", (folders / "mr",), pair="0"),)]
    first = sources.describe(data, scans, {})
    assert sources.describe(data, scans, first) == first
    (one,) = (folders / "mr").glob("*002*")
    one.write_bytes(one.read_bytes()[:-1])
    assert sources.key(sources.describe(data, scans, first)) != sources.key(first)
