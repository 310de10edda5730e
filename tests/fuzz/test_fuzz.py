"""Damaged files of every kind through the commands: a message or a whole result, never a traceback.

500 inputs in all as it is, half a minute; `MMZOO_FUZZ=10000` for that many, drawn anew each time.
"""

import os
import shutil

import numpy as np
import pytest
import SimpleITK as sitk
import yaml
from helpers_fuzz import Reader, damaged_bytes, damaged_nifti, damaged_text
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmzoo.io.header_checks import check_image_file

INPUTS = int(os.environ.get("MMZOO_FUZZ", "500"))
MOST_BYTES = 400e6  # that one input may add to the process: next to nothing is in any of them


def bounded(share):
    """Settings of one test: its share of all inputs."""
    return settings(
        max_examples=max(5, int(INPUTS * share)),
        deadline=None,
        database=None,
        derandomize="MMZOO_FUZZ" not in os.environ,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    found = Reader(tmp_path_factory.mktemp("reader"))
    yield found
    found.close()


def drawing(size=(9, 8, 7), seed=0):
    values = np.random.default_rng(seed).normal(0, 50, size[::-1]).astype(np.int16)
    image = sitk.GetImageFromArray(values)
    image.SetSpacing((2.0, 2.5, 3.0))
    image.SetOrigin((-9.0, -10.0, -10.0))
    return image


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A folder with a whole file of each kind."""
    folder = tmp_path_factory.mktemp("whole")
    for ending in ("nii", "nii.gz", "mha", "nrrd", "mhd", "nhdr"):
        sitk.WriteImage(drawing(), str(folder / f"a.{ending}"), useCompression=ending == "nii.gz")
    sitk.WriteImage(drawing(), str(folder / "packed.mha"), useCompression=True)
    sitk.WriteImage(drawing(), str(folder / "packed.nrrd"), useCompression=True)
    sitk.WriteImage(sitk.Cast(drawing() > 20, sitk.sitkUInt8), str(folder / "label.nii.gz"))
    sitk.WriteImage(drawing((8, 9, 8), 1), str(folder / "ref.nii.gz"))
    vectors = np.random.default_rng(2).normal(size=(5, 6, 7, 3))
    field = sitk.DisplacementFieldTransform(sitk.GetImageFromArray(vectors, isVector=True))
    affine = sitk.AffineTransform(3)
    affine.SetTranslation((1, 2, 3))
    composite = sitk.CompositeTransform(3)
    composite.AddTransform(affine)
    composite.AddTransform(field)
    grid = sitk.Image([20, 20, 20], sitk.sitkFloat32)
    bspline = sitk.BSplineTransformInitializer(grid, [3, 3, 3])
    for name, transform in (("t", affine), ("c", composite), ("b", bspline)):
        for ending in ("h5", "tfm") if name != "t" else ("h5", "tfm", "mat"):
            sitk.WriteTransform(transform, str(folder / f"{name}.{ending}"))
    for ending in ("nii.gz", "mha"):
        sitk.WriteImage(field.GetDisplacementField(), str(folder / f"f.{ending}"))
    (folder / "points.csv").write_text("name,x,y,z\na,1,2,3\nb,-4,5.5,6\n")
    (folder / "pairs.csv").write_text("moving,fixed,person\na.nii.gz,ref.nii.gz,1\na.mha,a.nii,2\n")
    dicom = folder / "dicom"
    dicom.mkdir()
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    volume = drawing()
    for k in range(volume.GetSize()[2]):
        slice_ = volume[:, :, k]
        place = volume.TransformIndexToPhysicalPoint((0, 0, k))
        tags = {
            "0008|0060": "CT",
            "0020|000d": "1.2.3",
            "0020|000e": "1.2.3.4",
            "0020|0013": str(k),
        }
        tags |= {"0020|0032": "\\".join(map(str, place)), "0020|0037": "1\\0\\0\\0\\1\\0"}
        tags |= {"0018|0050": "3.0", "0008|0018": f"1.2.3.4.{k}", "0008|0008": "ORIGINAL\\PRIMARY"}
        for tag, value in tags.items():
            slice_.SetMetaData(tag, value)
        writer.SetFileName(str(dicom / f"{k:03d}.dcm"))
        writer.Execute(slice_)
    return folder


def listing(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def fed(reader, whole, tmp_path_factory, name, content, commands):
    """Run each command on a damaged file in a folder with whole ones; see the rules at the top."""
    folder = tmp_path_factory.mktemp("fed")
    try:
        inputs = folder / "in"
        shutil.copytree(whole, inputs)
        (inputs / name).write_bytes(content)
        for command in commands:
            out = folder / "out"
            out.mkdir()
            argv = [str(part).format(file=inputs / name, whole=inputs, out=out) for part in command]
            code, printed, most = reader.run(*argv)
            said = f"{' '.join(argv)}\nended with {code}:\n{printed[-3000:]}"
            assert code in (0, 1, 2), said
            assert "Traceback" not in printed and "did not foresee" not in printed, said
            if code:
                assert printed.strip(), said
                # Of many cases the good ones are kept, and a report says which are not.
                left = [name for name in listing(out) if "own" not in argv or "/." in f"/{name}"]
                assert left == [], f"{said}\nleft {left}"
            for path in out.glob("*.nii.gz"):
                check_image_file(path)
                size = sitk.ReadImage(str(path)).GetSize()
                assert size == sitk.ReadImage(argv[argv.index("--reference") + 1]).GetSize()
            before = reader.__dict__.setdefault("most", most)
            assert most - before < MOST_BYTES, f"{said}\ntook {(most - before) / 1e6:.0f} MB"
            shutil.rmtree(out)
    finally:
        shutil.rmtree(folder)


INSPECT = ("inspect", "{file}", "--picture", "{out}/a.png")
WARP = ("apply", "--transform", "{whole}/c.h5", "--out", "{out}/w.nii.gz")
MOVING = (*WARP, "--moving", "{file}", "--reference", "{whole}/ref.nii.gz")
LABELS = (*WARP, "--moving", "{file}", "--reference", "{whole}/ref.nii.gz", "--labels", "linear")
GRID = (*WARP, "--moving", "{whole}/a.nii", "--reference", "{file}")
SIZE = ("--size", 16, 16, 16)
TWO = ("--fixed", "{whole}/ref.nii.gz", "--moving", "{file}")
PAIRS = ("prepare", "pairs", *TWO, *SIZE, "--out", "{out}")
REGISTER = ("register", *TWO, "--initial", "none", "--field", "none", "--out", "{out}/r")
OF_IMAGES = (MOVING, MOVING, LABELS, GRID, INSPECT)


def test_whole_files_pass(reader, whole, tmp_path_factory):
    for name in ("a.nii", "a.nii.gz", "a.mha", "a.nrrd", "packed.mha", "packed.nrrd"):
        content = (whole / name).read_bytes()
        commands = (MOVING, GRID, INSPECT)
        fed(reader, whole, tmp_path_factory, name, content, commands)
    for argv in (
        ("prepare", "pairs", "--help"),
        ("inspect", whole / "dicom", "--picture", "a.png"),
    ):
        assert reader.run(*argv)[0] == 0
    reader.most = reader.run("list", "keys")[2]


@bounded(0.24)
@given(data=st.data())
def test_nifti(reader, whole, tmp_path_factory, data):
    name = data.draw(st.sampled_from(("a.nii", "a.nii.gz", "label.nii.gz")))
    content = (whole / name).read_bytes()
    way = (
        damaged_bytes(content, 352) if data.draw(st.integers(0, 3)) == 0 else damaged_nifti(content)
    )
    command = data.draw(st.sampled_from(OF_IMAGES))
    fed(reader, whole, tmp_path_factory, name, data.draw(way), [command])


@bounded(0.24)
@given(data=st.data())
def test_meta_image_and_nrrd(reader, whole, tmp_path_factory, data):
    names = ("a.mha", "a.nrrd", "packed.mha", "packed.nrrd", "a.mhd", "a.nhdr")
    name = data.draw(st.sampled_from(names))
    content = (whole / name).read_bytes()
    end = b"ElementDataFile" if name.endswith("mha") else b"\n\n" if name.endswith("nrrd") else None
    bytes_too = data.draw(st.integers(0, 3)) == 0
    way = damaged_bytes(content, 400) if bytes_too else damaged_text(content, end)
    command = data.draw(st.sampled_from(OF_IMAGES))
    fed(reader, whole, tmp_path_factory, name, data.draw(way), [command])


@bounded(0.03)
@given(data=st.data())
def test_images_that_are_registered_or_prepared(reader, whole, tmp_path_factory, data):
    name = data.draw(st.sampled_from(("a.nii", "a.mha", "a.nrrd")))
    content = (whole / name).read_bytes()
    end = {"a.mha": b"ElementDataFile", "a.nrrd": b"\n\n"}.get(name)
    way = damaged_nifti(content) if end is None else damaged_text(content, end)
    command = data.draw(st.sampled_from((PAIRS, REGISTER)))
    fed(reader, whole, tmp_path_factory, name, data.draw(way), [command])


@bounded(0.22)
@given(data=st.data())
def test_transforms(reader, whole, tmp_path_factory, data):
    names = ("t.h5", "c.h5", "b.h5", "t.tfm", "c.tfm", "b.tfm", "t.mat", "f.nii.gz", "f.mha")
    name = data.draw(st.sampled_from(names))
    content = (whole / name).read_bytes()
    if name.endswith("nii.gz"):
        way = damaged_nifti(content)
    elif name.endswith(("tfm", "mha")) and data.draw(st.integers(0, 3)) > 0:
        way = damaged_text(content, b"ElementDataFile" if name.endswith("mha") else None)
    else:
        way = damaged_bytes(content, 2500)
    warp = ("apply", "--transform", "{file}", "--moving", "{whole}/a.nii", "--reference",
            "{whole}/ref.nii.gz", "--out", "{out}/w.nii.gz")  # fmt: skip
    points = ("apply", "--transform", "{file}", "--points", "{whole}/points.csv", "--frame", "lps",
              "--out", "{out}/p.csv")  # fmt: skip
    command = data.draw(st.sampled_from((warp, points)))
    fed(reader, whole, tmp_path_factory, name, data.draw(way), [command])


@bounded(0.1)
@given(data=st.data())
def test_tables(reader, whole, tmp_path_factory, data):
    name = data.draw(st.sampled_from(("points.csv", "pairs.csv")))
    content = (whole / name).read_bytes()
    way = damaged_bytes(content) if data.draw(st.integers(0, 3)) == 0 else damaged_text(content)
    points = ("apply", "--transform", "{whole}/t.h5", "--points", "{file}", "--frame", "ras",
              "--out", "{out}/p.csv")  # fmt: skip
    own = ("prepare", "own", "--csv", "{file}", "--without", "1", "2", "--out", "{out}")
    fed(reader, whole, tmp_path_factory, name, data.draw(way), [points if "po" in name else own])


@bounded(0.07)
@given(data=st.data())
def test_dicom(reader, whole, tmp_path_factory, data):
    name = f"dicom/{data.draw(st.integers(0, 6)):03d}.dcm"
    way = damaged_bytes((whole / name).read_bytes(), 900)
    source = "{whole}/dicom"
    warp = (*WARP, "--moving", source, "--reference", "{whole}/ref.nii.gz")
    command = data.draw(st.sampled_from((warp, ("inspect", source, "--picture", "{out}/a.png"))))
    fed(reader, whole, tmp_path_factory, name, data.draw(way), [command])


CONFIG = {
    "dataset": {
        "dir": {"train": "a", "valid": None, "test": ["b"]},
        "format": "nifti",
        "type": "paired",
        "labeled": True,
        "moving_image_shape": [16, 16, 16],
        "fixed_image_shape": [16, 16, 16],
    },
    "train": {
        "method": "direct-ddf",
        "backbone": {"name": "voxelmorph", "encoder": [4, 4], "decoder": [4, 4]},
        "loss": {
            "image": {"name": "nmi", "weight": 1.0, "num_bins": 16},
            "regularization": {"name": "bending-energy", "weight": 0.1},
        },
        "preprocess": {"batch_size": 2, "shuffle_buffer_num_batch": 1, "patch_size": [8, 8, 8]},
        "optimizer": {"name": "Adam", "learning_rate": 1.0e-3},
        "epochs": 2,
        "save_period": 1,
        "seed": 3,
    },
}


@pytest.fixture(scope="module")
def other_reader(tmp_path_factory):
    """A reader that imports TensorFlow."""
    found = Reader(tmp_path_factory.mktemp("reader"), seconds=600)
    path = found.folder / "whole.yaml"
    path.write_text(yaml.safe_dump(CONFIG))
    code, printed, found.most = found.run("check-config", path)
    assert code == 0, printed
    yield found
    found.close()


@bounded(0.07)
@given(data=st.data())
def test_configurations(other_reader, whole, tmp_path_factory, data):
    content = yaml.safe_dump(CONFIG).encode()
    way = damaged_bytes(content) if data.draw(st.integers(0, 3)) == 0 else damaged_text(content)
    commands = [("check-config", "{file}")]
    fed(other_reader, whole, tmp_path_factory, "config.yaml", data.draw(way), commands)


@bounded(0.03)
@given(data=st.data())
def test_descriptions(reader, whole, tmp_path_factory, data):
    content = (
        b'{\n "method": "ddf",\n "mode": "test",\n "expected": 1,\n "complete": true,\n'
        b' "dataset": {"dir": {"test": "a"}},\n'
        b' "pairs": {"pair_0": {"moving": "a", "fixed": "b", "seconds": 0.5}}\n}\n'
    )
    folder = tmp_path_factory.mktemp("prediction")
    shutil.copytree(whole, folder / "whole")
    pair = folder / "whole" / "test" / "pair_0"
    pair.mkdir(parents=True)
    for file in ("ddf", "fixed_image", "moving_image"):
        shutil.copy(whole / "a.nii.gz", pair / f"{file}.nii.gz")
    prediction = ("open-prediction", "{whole}/test")
    way = damaged_bytes(content) if data.draw(st.booleans()) else damaged_text(content)
    fed(reader, folder / "whole", tmp_path_factory, "test/pairs.json", data.draw(way), [prediction])
    shutil.rmtree(folder)
