import json
import os
import re
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from helpers_sets import SMALL, load, run

from mmzoo.datasets.sets.base import Recipe
from mmzoo.datasets.sets.chaos import CT_IDS, MR_IDS
from mmzoo.io import slices

ROWS, COLUMNS, COUNT = 20, 24, 6
GAP, CLAIMED = 2.0, 3.2
GREY = {"liver": 63, "right kidney": 126, "left kidney": 189, "spleen": 252}


def organs() -> np.ndarray:
    """Grey values of the MR labels, (slices, rows, columns), in the order of the file names."""
    labels = np.zeros((COUNT, ROWS, COLUMNS), np.uint8)
    labels[1:4, 4:12, 3:10] = GREY["liver"]
    labels[2:5, 13:16, 3:7] = GREY["right kidney"]
    labels[2:5, 13:16, 15:19] = GREY["left kidney"]
    labels[3:5, 5:9, 16:21] = GREY["spleen"]
    labels[0, 0, :4] = 32  # "Torsal", in some copies
    return labels


def write_dicom(path: Path, values: np.ndarray, height: float, *, slope=1, intercept=0):
    """One axial slice of 1.5 mm pixels at a height, with a thickness that is not the gap.

    Stored is what `slope` and `intercept` make `values` of.
    """
    image = sitk.GetImageFromArray(values.astype(np.int16)[None])
    image.SetSpacing((1.5, 1.5, CLAIMED))
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    tags = {
        "0008|0060": "CT",
        "0020|000e": "1.2.3",  # the same for in and out of phase
        "0020|0032": f"0\\0\\{height}",
        "0020|0037": "1\\0\\0\\0\\1\\0",
        "0018|0050": str(CLAIMED),
        "0028|1052": str(intercept),
        "0028|1053": str(slope),
    }
    for tag, value in tags.items():
        image.SetMetaData(tag, value)
    writer.SetFileName(str(path))
    writer.Execute(image)


def write_one_bit(path: Path, mask: np.ndarray):
    """A picture of one bit a pixel, as the challenge's are."""
    import struct
    import zlib

    rows = b"".join(b"\0" + np.packbits(row).tobytes() for row in mask.astype(bool))
    header = struct.pack(">IIBBBBB", mask.shape[1], mask.shape[0], 1, 0, 0, 0, 0)

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts))


def write_ct(folder: Path, name: str = "i{:04d},0000b.dcm", first: int = 0):
    """Slices from the top down, HU by an intercept, one-bit labels counted from 0."""
    (folder / "DICOM_anon").mkdir(parents=True)
    (folder / "Ground").mkdir()
    liver = organs() == GREY["liver"]
    for k in range(COUNT):
        values = np.where(liver[k], 110, 40) + np.arange(ROWS)[:, None]
        values[:, : 2 if k else 20] = -900  # air
        file = folder / "DICOM_anon" / name.format(k + first)
        write_dicom(file, values, 100 - GAP * k, intercept=-1000)
        write_one_bit(folder / "Ground" / f"liver_GT_{k:03d}.png", liver[k])


def write_mr(folder: Path):
    """Both phases of T1 with one set of labels, named as one of them, and T2 on another grid."""
    labels = organs()
    for phase, offset, start in (("InPhase", 0, 1), ("OutPhase", 40, 2)):
        (folder / f"T1DUAL/DICOM_anon/{phase}").mkdir(parents=True)
        for k in range(COUNT):
            name = f"T1DUAL/DICOM_anon/{phase}/IMG-0004-{2 * k + start:05d}.dcm"
            write_dicom(folder / name, labels[k] * 2 + 50 + offset, 30 + GAP * k)
    (folder / "T1DUAL/Ground").mkdir()
    (folder / "T2SPIR/DICOM_anon").mkdir(parents=True)
    (folder / "T2SPIR/Ground").mkdir()
    for k in range(COUNT):
        sitk.WriteImage(
            sitk.GetImageFromArray(labels[k]),
            str(folder / f"T1DUAL/Ground/IMG-0004-{2 * k + 2:05d}.png"),
        )
        write_dicom(
            folder / f"T2SPIR/DICOM_anon/IMG-0002-{k + 1:05d}.dcm",
            250 - labels[k].astype(int),
            30 + GAP * k,
        )
        name = f"T2SPIR/Ground/IMG-0002-{k + 1:05d}.png"
        sitk.WriteImage(sitk.GetImageFromArray(labels[k]), str(folder / name))


@pytest.fixture(scope="module")
def official(tmp_path_factory):
    """All forty training patients; the files of one serve for all of a kind."""
    root = tmp_path_factory.mktemp("chaos") / "CHAOS_Train_Sets/Train_Sets"
    first = {}
    for number in CT_IDS:
        folder = root / f"CT/{number}"
        named = "img" if number == 5 else "i"
        if named in first:
            shutil.copytree(first[named], folder, copy_function=os.link)
        elif named == "img":
            write_ct(folder, "IMG-0001-{:05d}.dcm", first=1)
        else:
            write_ct(folder)
            first[named] = folder
    for number in MR_IDS:
        folder = root / f"MR/{number}"
        if "mr" in first:
            shutil.copytree(first["mr"], folder, copy_function=os.link)
        else:
            write_mr(folder)
            first["mr"] = folder
    (root.parents[1] / "Test_Sets/CT/3/DICOM_anon").mkdir(parents=True)
    shutil.copy(
        root / "CT/1/DICOM_anon/i0000,0000b.dcm", root.parents[1] / "Test_Sets/CT/3/DICOM_anon"
    )
    return root.parents[1]


@pytest.fixture
def tree(official, tmp_path):
    """A copy of one patient of each kind, which a test may spoil."""
    for folder in ("CT/1", "MR/1"):
        folder = f"CHAOS_Train_Sets/Train_Sets/{folder}"
        shutil.copytree(official / folder, tmp_path / "tree" / folder, copy_function=shutil.copy)
    return tmp_path / "tree"


def test_the_official_tree_goes_through_with_all_its_traps(official, tmp_path):
    out = tmp_path / "out"
    description = run("chaos", official, out, people=3)
    report = json.loads((out / "report.json").read_text())
    assert report["found"] == {"t1": 20, "ct": 20} and report["unlabelled"] == {"ct": 1}
    assert description["pairing"] == "all" and description["labels"] == ["liver"]
    notes = " ".join(report["mended"]["ct_1"])
    assert "turned round" in notes and "SliceThickness says 3.2 mm, positions 2 mm" in notes
    assert all(
        found == {"liver_hu": pytest.approx(117.5, abs=1)} for found in report["checks"].values()
    )


def test_patients_are_in_the_order_of_their_names_as_text(official, tmp_path):
    description = run("chaos", official, tmp_path / "out", people=3)
    assert [case for case in description["cases"] if case.startswith("ct")] == [
        "ct_1",
        "ct_10",
        "ct_14",
    ]


def test_spacing_comes_from_positions_and_slices_from_the_order_of_names(official, tmp_path):
    out = tmp_path / "out"
    recipe = Recipe(size=(COLUMNS, ROWS, COUNT), crop="none", windows={"ct": (-1000, 300)})
    run("chaos", official, out, people=1, recipe=recipe)
    image = nib.load(out / "images/ct_1.nii.gz")
    assert image.header.get_zooms() == pytest.approx((1.5, 1.5, GAP), abs=1e-4)
    labels = load(out, "labels", "ct_1")[..., 0]
    # Named downwards, written upwards, and DICOM's x and y run against RAS.
    expected = (organs() == GREY["liver"])[::-1, ::-1, ::-1]
    assert np.array_equal(labels.T > 0, expected)


def test_img_files_count_from_one_and_labels_from_zero(official, tmp_path):
    out = tmp_path / "out"
    others = tuple(f"ct_{number}" for number in CT_IDS if number != 5)
    run("chaos", official, out, people=1, without=others)
    assert load(out, "labels", "ct_5").any()


def test_mr_labels_are_ranges_of_grey_and_one_set_serves_both_phases(official, tmp_path):
    out = tmp_path / "out"
    recipe = Recipe(size=(COLUMNS, ROWS, COUNT), crop="none")
    names = tuple(GREY)
    options = {"moving": "t1-out", "fixed": "t2", "structures": names, "recipe": recipe}
    description = run("chaos", official, out, people=2, **options)
    assert description["pairing"] == "same"  # T1 and T2 of a patient stay together
    labels = load(out, "labels", "t1-out_1")
    for channel, name in enumerate(names):
        expected = (organs() == GREY[name])[:, ::-1, ::-1]
        assert np.array_equal(labels[..., channel].T > 0, expected), name


def test_the_same_number_in_ct_and_mr_is_another_person(official):
    from mmzoo.datasets.sets import data_set

    people = {
        scan.modality: scan.person
        for scan in data_set("chaos").find(official)
        if scan.case.endswith("_1")
    }
    assert people["t1"] == people["t2"] == "mr-1" and people["ct"] == "ct-1"


def test_labels_in_another_order_than_slices_are_refused(tree, tmp_path):
    ground = tree / "CHAOS_Train_Sets/Train_Sets/CT/1/Ground"
    files = sorted(ground.glob("*.png"))
    held = [file.read_bytes() for file in files]
    for file, content in zip(files, held[2:] + held[:2], strict=True):
        file.write_bytes(content)
    # Two slices off: where the liver's label is now, half is air or muscle.
    shift = [file.read_bytes() for file in files]
    assert shift != held
    with pytest.raises(ValueError, match=r"CT/1/DICOM_anon: the CT reads -?\d+ HU on average"):
        run("chaos", tree, tmp_path / "out", allow_partial=True)


def test_a_missing_slice_and_a_missing_label_are_named(tree, tmp_path):
    train = tree / "CHAOS_Train_Sets/Train_Sets"
    (train / "CT/1/DICOM_anon/i0002,0000b.dcm").unlink()
    (train / "MR/1/T1DUAL/Ground/IMG-0004-00004.png").unlink()
    with pytest.raises(ValueError) as caught:
        run("chaos", tree, tmp_path / "out", allow_partial=True)
    message = str(caught.value)
    assert re.search(r"ct_1: the slices in .*CT/1/DICOM_anon.* must lie evenly", message)
    assert re.search(r"t1_1: .*T1DUAL/Ground must hold 6 pictures of 24 x 20.* got 5", message)
    assert "--without ct_1 t1_1" in message


def test_a_liver_that_is_not_there_is_refused(tree, tmp_path):
    for file in (tree / "CHAOS_Train_Sets/Train_Sets/MR/1/T1DUAL/Ground").iterdir():
        sitk.WriteImage(sitk.GetImageFromArray(np.zeros((ROWS, COLUMNS), np.uint8)), str(file))
    with pytest.raises(ValueError, match="t1_1: .*T1DUAL/Ground has no voxel of liver"):
        run("chaos", tree, tmp_path / "out", allow_partial=True)


def test_numbers_in_names_count_by_their_value():
    names = ["IMG-10.dcm", "IMG-9.dcm", "IMG-001.dcm"]
    assert [f.name for f in slices.by_name(map(Path, names))] == [
        "IMG-001.dcm",
        "IMG-9.dcm",
        "IMG-10.dcm",
    ]


REAL = os.environ.get("MMZOO_REAL_DATA")
real = pytest.mark.skipif(not REAL, reason="MMZOO_REAL_DATA names no folder of real volumes")


@real
def test_the_liver_of_the_real_case_reads_141_hu(tmp_path):
    out = tmp_path / "out"
    run("chaos", Path(REAL) / "chaos-ct-case", out, allow_partial=True, recipe=SMALL)
    report = json.loads((out / "report.json").read_text())
    assert report["checks"]["ct_chaos-ct-case"]["liver_hu"] == pytest.approx(141, abs=1)
    assert any("3.2 mm, positions 2 mm" in note for note in report["mended"]["ct_chaos-ct-case"])


@real
def test_the_real_case_turned_over_is_refused(tmp_path):
    source = tmp_path / "case"
    shutil.copytree(Path(REAL) / "chaos-ct-case", source)
    files = slices.by_name((source / "Ground").glob("*.png"))
    for file, content in zip(files, [f.read_bytes() for f in reversed(files)], strict=True):
        file.write_bytes(content)
    with pytest.raises(ValueError, match=r"reads 36 HU on average within the liver's label"):
        run("chaos", source, tmp_path / "out", allow_partial=True)
    assert not list((tmp_path / "out").glob("images/*"))
