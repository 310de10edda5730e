"""Slices: moved within their plane, wherever that lies in space."""

import json

import nibabel as nib
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from helpers_cli import call
from helpers_registration import draw, empty
from helpers_report import content_of, unpacked

import mmzoo
from mmzoo.cli.apply import apply
from mmzoo.cli.evaluate import evaluate
from mmzoo.cli.register import register
from mmzoo.io import images
from mmzoo.metrics import normalised_mutual_information
from mmzoo.registration.measure import measure

OBLIQUE = (8, 84, -12)  # degrees: a sagittal slice, about
RIGID = {"initial": "rigid", "field": "none"}


def array(image):
    return sitk.GetArrayFromImage(image)


def frame_of(image):
    """The axes of a slice, its normal last."""
    return np.array(image.GetDirection()).reshape(3, 3)


def within(image, degrees, shift):
    """A turn about the normal and a shift in the plane, as maps of points forth and back."""
    axes, angle = frame_of(image), np.deg2rad(degrees)
    about = np.array(
        [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    )
    turn, shift = axes @ about @ axes.T, axes @ [*shift, 0.0]
    return lambda points: points @ turn.T + shift, lambda points: (points - shift) @ turn


def points_in(image):
    line = np.linspace(-24, 24, 5)
    flat = np.stack(np.meshgrid(line, line, [0.0]), -1).reshape(-1, 3)
    return flat @ frame_of(image).T


@pytest.fixture(scope="module", params=[(0, 0, 0), OBLIQUE], ids=["axial", "oblique"])
def slices(request):
    fixed = empty((90, 100, 1), (1.0, 1.0, 5.0), request.param)
    moving = empty((84, 96, 1), (1.1, 1.05, 8.0), request.param)
    forth, back = within(fixed, 14, (6, -4))
    return draw(fixed, 0), draw(moving, 1, back, seed=1), forth


def test_a_turn_and_a_shift_within_the_plane_are_found(slices):
    fixed, moving, forth = slices
    found = mmzoo.register(fixed, moving, **RIGID)
    points = points_in(fixed)
    moved = found.apply_points(points, frame="lps")
    assert np.linalg.norm(points - forth(points), axis=1).mean() > 7  # mm, of voxels of 1
    assert np.linalg.norm(moved - forth(points), axis=1).mean() < 0.2
    np.testing.assert_allclose(moved @ frame_of(fixed)[:, 2], 0, atol=1e-6)
    lowest = float(array(moving).min())
    again = sitk.Resample(moving, fixed, found.transform, sitk.sitkLinear, lowest)
    gap = np.abs(array(found.warped) - array(again))
    assert (gap > 1e-3).mean() < 0.01  # where the slice ends a hair decides
    assert found.report["notes"] == []


def test_a_bent_slice_is_straightened_within_its_plane(slices):
    fixed, _, _ = slices
    axes = frame_of(fixed)

    def bend(points):
        local = points @ axes
        return points + (4 * np.sin(local[..., [1, 0, 2]] / 14) * [1, 1, 0]) @ axes.T

    moving = empty((110, 116, 1), (1.0, 1.0, 5.0))
    moving.SetDirection(fixed.GetDirection())
    moving.SetOrigin((axes @ moving.GetOrigin()).tolist())
    found = mmzoo.register(draw(fixed, 0, bend), draw(moving, 1), initial="none", resolution=2.0)
    points = points_in(fixed)
    moved = found.apply_points(points, frame="lps")
    errors = [np.linalg.norm(each - bend(points), axis=1).mean() for each in (points, moved)]
    assert errors[0] > 2.5 and errors[1] < 0.5 * errors[0], errors
    np.testing.assert_allclose(moved @ axes[:, 2], 0, atol=1e-6)
    assert found.report["smallest_determinant"] > 0
    back = [found.inverse.TransformPoint(point) for point in moved.tolist()]
    assert np.linalg.norm(np.subtract(back, points), axis=1).max() < 0.3
    assert len(found.show()._repr_png_()) > 50_000


def flat_files(folder, slices):
    """A 2-D MHA and a NIfTI of two dimensions, with label maps."""
    fixed, moving, _ = slices
    flat = sitk.Extract(fixed, [*fixed.GetSize()[:2], 0], [0, 0, 0])
    affine = np.diag([-1.1, -1.05, 1, 1])
    affine[:2, 3] = -np.array(moving.GetOrigin()[:2])
    files = {"fixed": folder / "fixed.mha", "moving": folder / "moving.nii.gz"}
    sitk.WriteImage(flat, str(files["fixed"]))
    nib.save(nib.Nifti1Image(array(moving)[0].T, affine), files["moving"])
    files |= {"fixed-label": folder / "fl.mha", "moving-label": folder / "ml.nii.gz"}
    sitk.WriteImage(sitk.Cast(flat > 0.3, sitk.sitkUInt8), str(files["fixed-label"]))
    labels = (array(moving)[0].T > 0.4).astype(np.uint8)
    nib.save(nib.Nifti1Image(labels, affine), files["moving-label"])
    return files


def test_files_of_two_dimensions_go_through_the_commands(slices, tmp_path):
    if not np.allclose(frame_of(slices[0]), np.eye(3)):
        pytest.skip("two dimensions have no place in space")
    files = flat_files(tmp_path, slices)
    assert len(nib.load(files["moving"]).shape) == 2
    options = [part for name, file in files.items() for part in (f"--{name}", file)]
    out = tmp_path / "out"
    result = call(register, *options, "--initial", "rigid", "--field", "none", "--out", out)
    assert result.exit_code == 0, result.output
    report = json.loads((out / "registration.json").read_text())
    assert report["dice"]["after"] > report["dice"]["before"]
    assert sitk.ReadImage(str(out / "warped.nii.gz")).GetSize() == (90, 100, 1)
    assert (out / "picture.png").stat().st_size > 20_000
    done = call(evaluate, out)
    assert done.exit_code == 0, done.output
    said = json.loads((out / "evaluation" / "figures.json").read_text())
    assert said["dice"]["after"] == pytest.approx(report["dice"]["after"], abs=0.01)
    assert said["asd_mm"]["after"] < said["asd_mm"]["before"]
    whole = sitk.ReadTransform(str(out / "transform.h5"))
    points = points_in(slices[0])
    gaps = [whole.TransformPoint(point) for point in points.tolist()] - slices[2](points)
    assert np.linalg.norm(gaps, axis=1).mean() < 0.2
    transform = ("--transform", out / "transform.h5")
    for more, size in (
        (("--moving", files["moving-label"], "--labels", "nearest"), (90, 100, 1)),
        (("--moving", files["moving"], "--interpolation", "cubic"), (90, 100, 1)),
        (("--moving", files["fixed"], "--inverse"), (84, 96, 1)),
    ):
        reference = files["moving" if "--inverse" in more else "fixed"]
        target = tmp_path / f"{len(more)}{more[-1]}.nii.gz"
        done = call(apply, *transform, *more, "--reference", reference, "--out", target)
        assert done.exit_code == 0, done.output
        warped = sitk.ReadImage(str(target))
        assert warped.GetSize() == size and array(warped).std() > 0.1


def test_the_page_shows_the_slice_before_and_after_in_its_own_plane(slices, tmp_path):
    fixed, moving, _ = slices
    apart = sitk.Image(moving)
    apart.SetOrigin((np.array(moving.GetOrigin()) + 12 * frame_of(fixed)[:, 2]).tolist())
    mmzoo.register(fixed, apart, **RIGID).save(tmp_path / "out")
    page = content_of(tmp_path / "out" / "report.html")
    (plane,) = page["planes"]
    assert page["size"][plane["cut"]] == 1 and max(page["size"]) == 100
    assert [stage["name"] for stage in page["stages"]] == ["before", "linear"]
    shown = [page["fixed"], *(stage["image"] for stage in page["stages"])]
    fixed_, *stages = (unpacked(each, page["size"]).astype(float) for each in shown)
    alike = [normalised_mutual_information(fixed_, each) for each in stages]
    assert alike[1] > 1.2 * alike[0]
    assert min(each.std() for each in stages) > 20  # grey levels: none of them is empty


def test_surfaces_of_a_slice_are_its_edges_and_folds_lie_within_it():
    """Two squares 3 mm apart, by hand; a field of columns, differentiated by NumPy."""
    values = np.zeros((1, 30, 30), np.uint8)
    values[0, 10:20, 10:20] = 1
    labels = sitk.GetImageFromArray(values)
    labels.SetSpacing((1.0, 1.0, 5.0))
    field = np.zeros((1, 30, 30, 3))
    field[..., 0] = 3
    field[0, :, 15, 0] = 5.0  # steps of 2 mm: no fold; then one that folds
    field[0, 5, 20, 0] = -9.0
    image = sitk.GetImageFromArray(field, isVector=True)
    image.CopyInformation(labels)
    bent = sitk.DisplacementFieldTransform(sitk.Image(image))
    shift = sitk.TranslationTransform(3, (3.0, 0.0, 0.0))
    said = measure({"shift": shift, "bent": bent}, (labels, labels))
    assert said["dice"]["shift"] == pytest.approx(0.7)
    assert said["hd95_mm"]["shift"] == pytest.approx(3.0)
    assert said["asd_mm"]["shift"] > 0.9  # the two flat sides of a volume would halve it
    slope = np.gradient(field[0, ..., 0], axis=1)
    assert said["folds_percent"]["bent"] == pytest.approx(100 * (1 + slope <= 0).mean(), abs=1e-3)
    assert said["folds_percent"]["bent"] > 0
    inner = np.log((1 + slope[2:-2, 2:-2] + 3).clip(1e-9))
    assert said["sd_log_j"]["bent"] == pytest.approx(inner.std(), abs=1e-5)


def test_a_dicom_file_of_one_slice_lies_where_it_says(tmp_path):
    values = (1000 * np.random.default_rng(0).uniform(size=(20, 24))).astype(np.int16)
    image = sitk.GetImageFromArray(values[None])
    image.SetSpacing((1.5, 1.25, 4.0))
    sitk.WriteImage(image, str(tmp_path / "one.dcm"))
    header = pydicom.dcmread(tmp_path / "one.dcm")
    header.ImagePositionPatient, header.PixelSpacing = [10.0, -20.0, 30.0], [1.25, 1.5]
    header.ImageOrientationPatient = [0.0, 1.0, 0.0, 0.0, 0.0, -1.0]
    header.save_as(tmp_path / "one.dcm")
    for source in (tmp_path / "one.dcm", tmp_path):  # the file, and the folder that holds it
        found = images.read_image(source, flat=True).image
        low = found.TransformPhysicalPointToIndex((10.0, -20.0, 30.0))
        far = found.TransformPhysicalPointToIndex((10.0, -20.0 + 3 * 1.5, 30.0 - 2 * 1.25))
        assert found[low] == values[0, 0] and found[far] == values[2, 3]
        with pytest.raises(ValueError, match="the slices of one DICOM series"):
            images.read_image(source)


def test_what_is_no_pair_of_slices_is_refused(slices, tmp_path):
    fixed, moving, _ = slices
    volume = draw(empty((20, 20, 20), (4.0, 4.0, 4.0)), 0)
    with pytest.raises(ValueError, match="one image is a slice and the other a volume"):
        mmzoo.register(fixed, volume)
    across = sitk.Image(fixed)
    across.SetDirection((frame_of(fixed)[:, [1, 2, 0]]).ravel().tolist())
    with pytest.raises(ValueError, match="planes that are turned by .* degrees"):
        mmzoo.register(fixed, across)
    line = draw(empty((40, 1, 1), (2.0, 2.0, 2.0)), 0)
    with pytest.raises(ValueError, match="must be one 3-D volume"):
        mmzoo.register(fixed, line)
    sitk.WriteImage(sitk.Image([8, 8], sitk.sitkUInt8), str(tmp_path / "a.png"))
    with pytest.raises(ValueError, match=r"a.png is a picture, which says neither how large"):
        mmzoo.register(tmp_path / "a.png", moving)


def test_planes_that_lie_apart_are_laid_on_each_other_and_that_is_said(slices):
    fixed, moving, forth = slices
    apart = sitk.Image(moving)
    shift = 12 * frame_of(fixed)[:, 2]
    apart.SetOrigin((np.array(moving.GetOrigin()) + shift).tolist())
    found = mmzoo.register(fixed, apart, **RIGID)
    points = points_in(fixed)
    gaps = found.apply_points(points, frame="lps") - (forth(points) + shift)
    assert np.linalg.norm(gaps, axis=1).mean() < 0.2
    assert "lies 12.0 mm before or behind" in found.report["notes"][0]
