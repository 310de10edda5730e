"""What a header claims is checked against what the file holds, before memory is taken."""

import gzip
import struct
import tracemalloc

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from mmzoo.io.header_checks import check_image_file, check_place

SIZE = (12, 10, 8)
ENDINGS = ("nii", "nii.gz", "mha", "mhd", "nrrd", "nhdr")
PACKED = [("nii.gz", True), ("mha", True), ("nrrd", True)]


def image():
    values = np.random.default_rng(0).normal(0, 50, SIZE[::-1]).astype(np.int16)
    drawn = sitk.GetImageFromArray(values)
    drawn.SetSpacing((1.5, 2.0, 3.0))
    drawn.SetOrigin((-10.0, 20.0, 5.0))
    return drawn


def written(folder, ending, packed=False):
    path = folder / f"a.{ending}"
    sitk.WriteImage(image(), str(path), useCompression=packed)
    return path


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("packed", [False, True])
def test_a_whole_file_passes(tmp_path, ending, packed):
    check_image_file(written(tmp_path, ending, packed))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
@pytest.mark.parametrize(("ending", "packed"), [*PACKED, ("nii", False), ("mha", False)])
def test_a_file_that_was_cut_is_refused(tmp_path, ending, packed, share):
    path = written(tmp_path, ending, packed)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ValueError, match=f"a.{ending}"):
        check_image_file(path)


@pytest.mark.parametrize(("ending", "packed"), PACKED)
def test_every_flipped_bit_of_packed_voxels_is_noticed(tmp_path, ending, packed):
    path = written(tmp_path, ending, packed)
    content, draws = path.read_bytes(), np.random.default_rng(1)
    start = max(content.rfind(b"\n\n"), content.rfind(b"LOCAL\n"), 10) + 10
    for _ in range(60):
        changed = bytearray(content)
        changed[draws.integers(start, len(content))] ^= 1 << draws.integers(8)
        path.write_bytes(changed)
        with pytest.raises(ValueError, match="damaged|claims|cannot be read"):
            check_image_file(path)


def claim(path, size):
    """Have a header claim another size."""
    content = path.read_bytes()
    if ".nii" in path.name:
        raw = gzip.decompress(content) if path.name.endswith(".gz") else content
        raw = raw[:42] + struct.pack("<3h", *size) + raw[48:]
        path.write_bytes(gzip.compress(raw) if path.name.endswith(".gz") else raw)
        return
    old, new = (" ".join(map(str, each)).encode() for each in (SIZE, size))
    assert old in content
    path.write_bytes(content.replace(old, new))


PLAIN = [("nii", False), ("mha", False), ("nrrd", False)]


@pytest.mark.parametrize(("ending", "packed"), [*PACKED, *PLAIN])
@pytest.mark.parametrize("size", [(12, 10, 9), (2000, 2000, 250), (32000, 32000, 32000)])
def test_a_claim_beyond_the_file_takes_no_memory(tmp_path, ending, packed, size):
    path = written(tmp_path, ending, packed)
    claim(path, size)
    tracemalloc.start()
    with pytest.raises(
        ValueError, match=f"a.{ending} (claims .* can hold|is cut short: it unpacks)"
    ):
        check_image_file(path)
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()


def test_gzipped_zeros_are_refused_before_they_are_unpacked_into_memory(tmp_path):
    path = tmp_path / "zeros.nii.gz"
    header = nib.Nifti1Header()
    header.set_data_shape((1024, 1024, 520))
    header.set_data_dtype(np.uint8)
    header["vox_offset"] = 352
    with gzip.open(path, "wb", compresslevel=9) as file:
        file.write(header.binaryblock + bytes(4))
        for _ in range(520):
            file.write(bytes(1 << 20))
    assert path.stat().st_size < 600_000
    tracemalloc.start()
    with pytest.raises(ValueError, match="is constant: 545 MB of one value, packed into 5.* KB"):
        check_image_file(path)
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("kind", "change", "said"),
    [
        ("mha", (b"NDims = 3", b"NDims = 300"), "NDims = 300"),
        ("mha", (b"DimSize = 12 10 8", b"DimSize = 12 -10 8"), "claims a size of"),
        ("mha", (b"DimSize = 12 10 8", b"DimSize = 12 10"), "must have DimSize = 3 number"),
        ("mha", (b"MET_SHORT", b"MET_SHORTER"), "must have an ElementType"),
        ("mha", (b"ElementDataFile = LOCAL", b"ElementDataFile = LIST\n"), "one file"),
        ("mha", (b"ElementDataFile = LOCAL", b"ElementDataFile = b.raw"), "is not there"),
        ("mha", (b"Offset = -10 20 5", b"Offset = nan 20 5"), "origin at .nan, 20, 5. mm"),
        ("mha", (b"1.5 2 3", b"1.5 0 3"), "voxels of .1.5, 0, 3. mm"),
        ("mha", (b"TransformMatrix = 1 0 0", b"TransformMatrix = 0 0 0"), "span no volume"),
        ("nrrd", (b"dimension: 3", b"dimension: 99"), "dimension 99"),
        ("nrrd", (b"sizes: 12 10 8", b"sizes: 12 ten 8"), "whole numbers as sizes"),
        ("nrrd", (b"encoding: raw", b"encoding: hex"), "encoding raw or gzip, got 'hex'"),
        ("nrrd", (b"type: short", b"type: block"), "must hold numbers, got type 'block'"),
        ("nrrd", (b"origin: (-10,", b"origin: (inf,"), "origin at .inf, 20, 5. mm"),
        ("nrrd", (b"(1.5,0,0)", b"(1e-30,0,0)"), "voxels of .1e-30, 2, 3. mm"),
        ("nrrd", (b"(1.5,0,0)", b"(x,0,0)"), "must have numbers in its header"),
        ("nrrd", (b"kinds: domain", b"kinds: " + b"a" * 3000), "a line of 30.. bytes"),
    ],
)
def test_a_header_that_itk_would_believe_is_refused(tmp_path, kind, change, said):
    path = written(tmp_path, kind)
    content = path.read_bytes()
    assert change[0] in content
    path.write_bytes(content.replace(*change))
    with pytest.raises(ValueError, match=said):
        check_image_file(path)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("scl_inter", np.nan, "invalid intercept nan"),
        ("datatype", 128, "must hold one number a voxel"),
        ("datatype", 1792, "must hold one number a voxel"),
        ("datatype", 9999, "cannot be read as a medical image"),
        ("vox_offset", 1e9, "can hold"),
        ("vox_offset", np.nan, "cannot be read as a medical image|can hold"),
        ("dim", [77, *SIZE, 1, 1, 1, 1], "cannot be read as a medical image|can hold"),
        ("dim", [3, -5, 10, 8, 1, 1, 1, 1], "cannot be read as a medical image|claims a size"),
    ],
)
def test_a_nifti_header_that_nibabel_stumbles_over_is_named(tmp_path, field, value, said):
    path = written(tmp_path, "nii")
    header = nib.load(path).header.copy()
    header["scl_slope"], header["scl_inter"] = 1, 0
    header[field] = value
    path.write_bytes(header.binaryblock + path.read_bytes()[348:])
    with pytest.raises(ValueError, match=said):
        check_image_file(path)


@pytest.mark.parametrize(
    ("spacing", "origin", "said"),
    [
        ((1, 1, 1), (np.nan, 0, 0), "its origin at"),
        ((1, 1, 1), (0, np.inf, 0), "its origin at"),
        ((1, 1, 1), (0, 1e12, 0), "its origin at"),
        ((1e-30, 1, 1), (0, 0, 0), "voxels of .1e-30, 1, 1. mm"),
        ((1, 1, 1e6), (0, 0, 0), "voxels of .1, 1, 1e.06. mm"),
    ],
)
def test_an_image_that_lies_nowhere_is_refused(spacing, origin, said):
    drawn = image()
    drawn.SetSpacing(tuple(map(float, spacing)))
    drawn.SetOrigin(tuple(map(float, origin)))
    with pytest.raises(ValueError, match=said):
        check_place(drawn, "a.nrrd")
    check_place(image(), "a.nrrd")
