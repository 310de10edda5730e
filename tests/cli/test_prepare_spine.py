"""The preprocessing of van Ulsen 2022 on phantom spines whose moving image was turned and moved."""

import json

import nibabel as nib
import numpy as np
import pytest
from helpers_cli import call
from scipy.spatial.transform import Rotation

from mmzoo.baselines import elastix
from mmzoo.datasets.phantom import PhantomSettings, make_case, rigid_motions
from mmzoo.metrics import dice

SETTINGS = PhantomSettings("spine", (48, 64, 64), (112.0, 160.0, 160.0), None, 5)
NAMES = ("L3", "L4", "L5")


@pytest.fixture(scope="module")
def extra():
    """A turn of some degrees about every axis, and a shift, of RAS mm."""
    motion = np.eye(4)
    motion[:3, :3] = Rotation.from_euler("xyz", [9, -6, 4], degrees=True).as_matrix()
    motion[:3, 3] = [14, -21, 17]
    return motion


@pytest.fixture(scope="module")
def files(tmp_path_factory, extra):
    """CT moved away by its header alone, and MR, with label maps; values of bones are 20 to 22."""
    folder = tmp_path_factory.mktemp("spine")
    for modality, moved in (("ct", extra), ("mr", np.eye(4))):
        image, labels, affine = make_case(SETTINGS, modality, 0)
        values = (labels * np.array([20, 21, 22])).max(axis=-1)
        save(folder / f"{modality}.nii.gz", image, moved @ affine)
        save(folder / f"{modality}_labels.nii.gz", values, moved @ affine)
    return folder


def save(path, array, affine):
    nib.save(nib.Nifti1Image(np.asarray(array, np.float32), affine), path)


def run(files, out, *args, labels=True):
    given = ["--moving", files / "ct.nii.gz", "--fixed", files / "mr.nii.gz", "--out", out]
    if labels:
        given += ["--moving-labels", files / "ct_labels.nii.gz"]
        given += ["--fixed-labels", files / "mr_labels.nii.gz"]
        given += ["--label-values", 20, 21, 22, "--label-names", *NAMES]
    small = ["--size", 48, 64, 64, "--spacing", 2, 2.5, 2.5]
    return call("prepare spine", *given, *small, *args)


def load(path):
    return nib.load(path).get_fdata()


@pytest.fixture(scope="module")
def prepared(files, tmp_path_factory):
    out = tmp_path_factory.mktemp("prepared") / "out"
    result = run(files, out)
    assert result.exit_code == 0, result.output
    return out, result.output


def error(motion, extra, files):
    """Return how far a motion is from that of L5, in mm at its centre and in degrees."""
    true = extra @ rigid_motions(SETTINGS, 0)["L5"]
    labels = nib.load(files / "mr_labels.nii.gz")
    centre = np.append(np.argwhere(labels.get_fdata() == 22).mean(axis=0), 1.0)
    point = labels.affine @ centre
    turn = Rotation.from_matrix(motion[:3, :3] @ true[:3, :3].T).magnitude()
    return np.linalg.norm((motion @ point - true @ point)[:3]), np.degrees(turn)


def test_the_rigid_motion_of_l5_is_recovered(prepared, files, extra):
    description = json.loads((prepared[0] / "mmzoo.json").read_text())
    motion = np.array(description["rigid"]["moving_000"])
    shift_mm, degrees = error(motion, extra, files)
    assert shift_mm < 0.5 and degrees < 0.5
    assert "pair 0: moved by" in prepared[1]


def test_bones_lie_on_each_other_as_in_the_phantom(prepared):
    out, _ = prepared
    moving, fixed = (load(out / f"labels/{role}_000.nii.gz") for role in ("moving", "fixed"))
    scores = [dice(moving[..., k] > 0, fixed[..., k] > 0) for k in range(3)]
    assert scores[2] > 0.85 and scores[2] > scores[0] > 0.5
    description = json.loads((out / "mmzoo.json").read_text())
    assert description["labels"] == list(NAMES)


def test_intensities_go_from_0_to_1_on_the_grid_that_was_asked_for(prepared):
    for role in ("moving", "fixed"):
        image = nib.load(prepared[0] / f"images/{role}_000.nii.gz")
        assert image.shape == (48, 64, 64)
        assert image.header.get_zooms() == pytest.approx((2, 2.5, 2.5))
        values = image.get_fdata()
        assert values.min() == 0 and values.max() == 1
        assert 0.005 < (values == 1).mean() < 0.02


def test_the_grid_goes_round_the_fixed_labels(prepared):
    inside = np.argwhere(load(prepared[0] / "labels/fixed_000.nii.gz").any(axis=-1))
    middle = (inside.min(axis=0) + inside.max(axis=0)) / 2
    assert np.abs(middle - (np.array([48, 64, 64]) - 1) / 2).max() <= 1


def test_images_without_labels_are_aligned_by_mutual_information(files, extra, tmp_path):
    near = tmp_path / "near"
    near.mkdir()
    image = nib.load(files / "ct.nii.gz")
    small = np.eye(4)
    small[:3, 3] = [3, -4, 5]
    save(near / "ct.nii.gz", image.get_fdata(), small @ np.linalg.inv(extra) @ image.affine)
    (near / "mr.nii.gz").write_bytes((files / "mr.nii.gz").read_bytes())
    result = run(near, tmp_path / "out", labels=False)
    assert result.exit_code == 0, result.output
    description = json.loads((tmp_path / "out/mmzoo.json").read_text())
    shift_mm, _ = error(np.array(description["rigid"]["moving_000"]), small, files)
    assert shift_mm < 2.5 and description["labels"] == []
    assert not (tmp_path / "out/labels").exists()


@pytest.mark.parametrize(
    ("args", "labels", "message"),
    [
        (["--align", "label"], True, "did you mean 'labels'"),
        (["--align", "labels"], False, "there are no label maps"),
        (["--align-value", 7], True, "have no voxel of 7"),
        (["--percentiles", 99, 1], True, "must rise from 0 to 100"),
        (["--spacing", 0, 1, 1], True, "spacing"),
        (["--size", 50, 64, 64], True, "multiples of 16"),
    ],
)
def test_wrong_input_ends_with_a_message_and_nothing_written(
    files, tmp_path, args, labels, message
):
    result = run(files, tmp_path / "out", *args, labels=labels)
    assert result.exit_code == 1
    assert message in " ".join(result.output.split())
    assert not (tmp_path / "out").exists()


def test_without_names_the_bone_must_be_said(files, tmp_path):
    maps = ["--moving-labels", files / "ct_labels.nii.gz", "--fixed-labels"]
    maps += [files / "mr_labels.nii.gz"]
    result = run(files, tmp_path / "out", *maps, labels=False)
    assert result.exit_code == 1 and "--align-value" in result.output


def test_a_missing_elastix_is_said_before_any_work(files, tmp_path, monkeypatch):
    def missing():
        raise ValueError('needs itk-elastix: pip install "mmzoo[benchmark]"')

    monkeypatch.setattr(elastix, "load_itk", missing)
    result = run(files, tmp_path / "out")
    assert result.exit_code == 1 and "mmzoo[benchmark]" in result.output
    assert run(files, tmp_path / "out", "--align", "none").exit_code == 0


def test_a_bone_that_one_image_lacks_is_told_and_left_empty(files, tmp_path):
    lacking = tmp_path / "lacking"
    lacking.mkdir()
    for name in ("ct", "mr", "ct_labels", "mr_labels"):
        (lacking / f"{name}.nii.gz").write_bytes((files / f"{name}.nii.gz").read_bytes())
    labels = nib.load(files / "ct_labels.nii.gz")
    save(
        lacking / "ct_labels.nii.gz",
        np.where(labels.get_fdata() == 20, 0, labels.get_fdata()),
        labels.affine,
    )
    result = run(lacking, tmp_path / "out", "--align", "none")
    assert result.exit_code == 0, result.output
    assert "no voxel of label value(s) [20]" in " ".join(result.output.split())
    assert not load(tmp_path / "out/labels/moving_000.nii.gz")[..., 0].any()
