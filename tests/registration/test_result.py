"""What `mmzoo.register` returns: saved, applied to images and points, shown; and what it takes."""

import io
import json

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from helpers_cli import call
from helpers_registration import error_mm, pair

import mmzoo
from mmzoo.cli.apply import apply
from mmzoo.spatial.frames import ras_affine

RIGID = {"initial": "rigid", "field": "none"}


def array(image):
    return sitk.GetArrayFromImage(image)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pair")
    fixed, moving, _ = pair()
    for name, image in {"fixed": fixed, "moving": moving}.items():
        sitk.WriteImage(image, str(folder / f"{name}.nii.gz"))
    sitk.WriteImage(sitk.Cast(moving > 0.4, sitk.sitkUInt8), str(folder / "label.nii.gz"))
    result = mmzoo.register(
        folder / "fixed.nii.gz", str(folder / "moving.nii.gz"), resolution=6.0, initial="rigid"
    )
    result.save(folder / "out")
    return folder, result


def test_what_is_saved_is_what_the_command_leaves_and_is_not_replaced_unasked(found):
    folder, result = found
    names = {path.name for path in (folder / "out").iterdir()}
    assert {"warped.nii.gz", "transform.h5", "registration.json", "picture.png"} <= names
    report = json.loads((folder / "out" / "registration.json").read_text())
    assert report["settings"]["resolution_mm"] == 6.0
    with pytest.raises(ValueError, match="holds a registration already"):
        result.save(folder / "out")


@pytest.mark.parametrize("labels", ["", "nearest", "linear"])
@pytest.mark.parametrize("inverse", [False, True])
def test_an_image_is_carried_as_the_command_carries_it(found, tmp_path, labels, inverse):
    folder, result = found
    names = ("moving.nii.gz", "fixed.nii.gz")
    source, target = names[::-1] if inverse else names
    if labels:
        image = sitk.ReadImage(str(folder / source))
        source = f"label{inverse}.nii.gz"
        sitk.WriteImage(sitk.Cast(image > 0.4, sitk.sitkUInt8), str(folder / source))
    mine = result.apply(folder / source, labels=labels, inverse=inverse)
    options = ["--transform", folder / "out" / "transform.h5", "--moving", folder / source]
    options += ["--reference", folder / target, "--out", tmp_path / "theirs.nii.gz"]
    options += ["--labels", labels] if labels else []
    ended = call(apply, *options, *(["--inverse"] if inverse else []))
    assert ended.exit_code == 0, ended.output
    theirs = sitk.ReadImage(str(tmp_path / "theirs.nii.gz"))
    theirs = sitk.DICOMOrient(theirs, "RAS")
    mine = sitk.DICOMOrient(mine, "RAS")
    np.testing.assert_allclose(ras_affine(mine), ras_affine(theirs), atol=1e-4)
    gap = np.abs(array(mine).astype(float) - array(theirs))
    assert (gap > 1e-3).mean() < 1e-3 and array(mine).any()


def test_labels_that_do_not_lie_on_the_registered_image_are_refused(found):
    folder, result = found
    labels = sitk.ReadImage(str(folder / "label.nii.gz"))
    labels.SetOrigin((500.0, 0.0, 0.0))
    with pytest.raises(ValueError, match="does not lie on its image the moving image that was"):
        result.apply(labels, labels="nearest")
    with pytest.raises(ValueError, match="`interpolation` is 'cubik': did you mean 'cubic'"):
        result.apply(folder / "moving.nii.gz", interpolation="cubik")
    with pytest.raises(ValueError, match="`labels` is 'neerest'"):
        result.apply(folder / "label.nii.gz", labels="neerest")


def test_points_go_to_the_moving_image_and_back_in_either_frame(found, tmp_path):
    _, result = found
    points = np.array([[3.0, -12.0, 8.0], [-15.0, 9.0, 1.0]])
    there = result.apply_points(points, frame="lps")
    wanted = [result.transform.TransformPoint(point) for point in points.tolist()]
    np.testing.assert_allclose(there, wanted)
    flip = np.array([-1.0, -1.0, 1.0])
    np.testing.assert_allclose(result.apply_points(points * flip, frame="ras"), there * flip)
    back = result.apply_points(there, frame="lps", inverse=True)
    np.testing.assert_allclose(back, points, atol=2e-3)
    (tmp_path / "p.csv").write_text("x,y,z\n3,-12,8\n-15,9,1\n")
    np.testing.assert_allclose(result.apply_points(tmp_path / "p.csv", frame="lps"), there)
    with pytest.raises(ValueError, match="`frame` is ''"):
        result.apply_points(points)
    with pytest.raises(ValueError, match=r"shape \(n, 3\), got shape \(3,\)"):
        result.apply_points(points[0, :], frame="ras")


def test_it_is_shown_as_a_figure_that_notebooks_show(found):
    figure = found[1].show()
    png = figure._repr_png_()
    assert png[:8] == b"\x89PNG\r\n\x1a\n" and len(png) > 50_000
    figure.savefig(io.BytesIO(), format="png")


def test_objects_of_every_kind_are_registered_alike(found):
    folder, _ = found
    files = [folder / f"{name}.nii.gz" for name in ("fixed", "moving")]
    by_path = mmzoo.register(*files, **RIGID)
    niftis = [nib.load(file) for file in files]
    images = [sitk.ReadImage(str(file)) for file in files]
    arrays = [
        (array(image).T, ras_affine(image)) for image in images
    ]  # indexed as nibabel has them
    for kind in (niftis, images, arrays):
        other = mmzoo.register(*kind, **RIGID)
        assert error_mm(other.transform, by_path.transform) < 1e-3
    with pytest.raises(ValueError, match="is a bare array, which says neither voxel sizes"):
        mmzoo.register(arrays[0][0], arrays[1][0])


def test_options_are_called_as_the_commands():
    import inspect

    from mmzoo.cli.register import register as command

    many = {"out", "overwrite", "pairs", "pair", "fixed_dir", "moving_dir", "bids", "jobs"}
    many |= {"fixed_suffix", "moving_suffix"}
    measured = {"fixed_label", "fixed_points", "moving_points", "frame"}
    theirs = set(inspect.signature(command).parameters) - many - measured
    mine = inspect.signature(mmzoo.register).parameters
    assert theirs <= set(mine)
    for name in theirs - {"fixed", "moving"}:
        assert mine[name].default == inspect.signature(command).parameters[name].default, name
