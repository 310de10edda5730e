"""`mmzoo register` from end to end: where things are, to a hundredth of the range and 0.1 mm."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from helpers_registration import draw, empty, error_mm, motion, moved_by, pair
from helpers_report import content_of

import mmzoo
from mmzoo.metrics import dice

SMALL = {"resolution_mm": 6.0, "steps": (6, 3)}


def array(image):
    return sitk.GetArrayFromImage(image)


def test_the_written_image_is_what_simpleitk_makes_of_the_written_transform(images, registered):
    folder, (out, _) = images[0], registered
    fixed, moving = (sitk.ReadImage(str(folder / n)) for n in ("fixed.nii.gz", "moving.nrrd"))
    warped = sitk.ReadImage(str(out / "warped.nii.gz"))
    assert warped.GetSize() == fixed.GetSize()
    for mine, theirs in (
        (warped.GetOrigin(), fixed.GetOrigin()),
        (warped.GetSpacing(), fixed.GetSpacing()),
        (warped.GetDirection(), fixed.GetDirection()),
    ):
        np.testing.assert_allclose(mine, theirs, atol=1e-4)
    extent = np.ptp(array(moving))
    whole = sitk.ReadTransform(str(out / "transform.h5"))
    field = sitk.ReadImage(str(out / "displacement_mm.nii.gz"), sitk.sitkVectorFloat64)
    for transform in (whole, sitk.DisplacementFieldTransform(field)):
        smallest = float(array(moving).min())
        again = sitk.Resample(moving, fixed, transform, sitk.sitkLinear, smallest)
        # Where the moving image ends, a hair decides between its border and what is outside.
        inside = array(sitk.Resample(moving * 0 + 1, fixed, transform, sitk.sitkLinear, 0.0)) > 0.99
        gap = np.abs(array(again) - array(warped))[inside]
        assert gap.max() < 0.01 * extent, gap.max() / extent


def test_a_known_rotation_and_translation_are_recovered(images, registered):
    _, truth = images
    out, _ = registered
    before = error_mm(sitk.Transform(3, sitk.sitkIdentity), truth)
    after = error_mm(sitk.ReadTransform(str(out / "transform.h5")), truth)
    assert before > 8 and after < 1.5, (before, after)  # of voxels of 2 to 4 mm


def test_the_written_inverse_undoes_the_written_transform(images, registered):
    out, _ = registered
    there, back = (sitk.ReadTransform(str(out / f"{n}.h5")) for n in ("transform", "inverse"))
    line = np.linspace(-25, 25, 6)
    for point in np.stack(np.meshgrid(line, line, line), -1).reshape(-1, 3).tolist():
        again = back.TransformPoint(there.TransformPoint(point))
        assert np.linalg.norm(np.subtract(again, point)) < 0.2  # mm, of voxels of 2 to 4 mm


def test_the_label_map_is_carried_along(images, registered):
    folder, truth = images
    label = sitk.ReadImage(str(folder / "label.mha"))
    fixed = sitk.ReadImage(str(folder / "fixed.nii.gz"))
    wanted = array(sitk.Resample(label, fixed, truth, sitk.sitkNearestNeighbor, 0))
    found = array(sitk.ReadImage(str(registered[0] / "label.nii.gz")))
    assert dice(wanted == 1, found == 1) > 0.95


def test_the_report_says_what_was_done(registered):
    out, printed = registered
    report = json.loads((out / "registration.json").read_text())
    assert report["settings"]["loss"] == "mind-ssc" and report["mmzoo"] == mmzoo.__version__
    assert report["files"]["moving"].endswith("moving.nrrd")
    assert report["nmi"]["after"] > report["nmi"]["before"]
    assert report["loss_after"] <= report["loss_before"]
    # The true motion is rigid: whether a field tells anything more is for rounding to say.
    kept = not any("the field was left out" in note for note in report["notes"])
    assert kept == (report.get("smallest_determinant", 0) > 0) == ("No voxel folds" in printed)
    assert set(report["seconds"]) == {"reading", "linear", "field", "warping"}
    assert (out / "picture.png").stat().st_size > 50_000
    page = content_of(out / "report.html")
    assert [stage["name"] for stage in page["stages"]][:2] == ["before", "linear"]
    tables = {table["title"]: table["rows"] for table in page["tables"]}
    assert report["asked"]["inputs"]["fixed"] in {row[2] for row in tables["Files"]}
    assert ["normalised mutual information", *report["nmi"].values()] in tables["Figures"]
    assert "mmzoo apply" in printed


def test_a_pair_s_result_does_not_depend_on_what_was_registered_before():
    fixed, moving, _ = pair()
    first = mmzoo.register(fixed, moving, **SMALL)
    mmzoo.register(moving, fixed, **SMALL)
    again = mmzoo.register(fixed, moving, **SMALL)
    np.testing.assert_allclose(array(again.ddf_mm), array(first.ddf_mm), atol=1e-3)
    np.testing.assert_allclose(array(again.warped), array(first.warped), atol=1e-4)


def test_images_whose_headers_do_not_overlap_start_from_their_centres():
    fixed, moving, truth = pair()
    moving.SetOrigin((np.array(moving.GetOrigin()) + [500, -300, 200]).tolist())
    truth.SetTranslation((np.array(truth.GetTranslation()) + [500, -300, 200]).tolist())
    found = mmzoo.register(fixed, moving, initial="rigid", field="none")
    assert error_mm(found.transform, truth) < 1.0
    assert "headers do not overlap" in found.report["notes"][0]
    with pytest.raises(ValueError, match="do not overlap in space.*--initial rigid"):
        mmzoo.register(fixed, moving, initial="none", field="none")


def test_a_bent_image_is_straightened_without_folding():
    def bend(points):
        return points + 5 * np.sin(points[..., [1, 2, 0]] / 14)

    class Truth:
        TransformPoint = staticmethod(lambda p: bend(np.array(p)))

    grid = empty((48, 48, 48), (2.0, 2.0, 2.0))
    fixed, moving = draw(grid, 0, bend), draw(grid, 1, seed=1)
    # No linear stage: an affine map of this bend has another optimum, further off than none.
    found = mmzoo.register(fixed, moving, resolution_mm=3.0, initial="none", loss="nmi")
    still = sitk.Transform(3, sitk.sitkIdentity)
    assert error_mm(found.transform, Truth) < 0.7 * error_mm(still, Truth)
    assert found.report["nmi"]["after"] > 1.05 * found.report["nmi"]["linear"]
    assert found.report["smallest_determinant"] > 0 and found.report["mended"] == ""


@pytest.mark.parametrize(
    "loss", ["segi", "mind-ssc", "mi", "nmi", "ncc", "local-correlation", "local-gradient"]
)
def test_every_loss_goes_down(loss):
    grid = empty((24, 24, 24), (4.0, 4.0, 4.0))
    bent = draw(grid, 0, lambda points: points + 4 * np.sin(points[..., [1, 2, 0]] / 14))
    moving = draw(grid, 0 if loss == "ncc" else 1)
    found = mmzoo.register(bent, moving, loss=loss, initial="none", weight=50.0, steps=(8, 4))
    assert found.report["loss_after"] < found.report["loss_before"]


def test_a_mask_decides_what_counts():
    fixed, moving, truth = pair()
    values = array(fixed)
    values[:8] = np.random.default_rng(0).uniform(0, 3, values[:8].shape)
    spoilt = sitk.GetImageFromArray(values)
    spoilt.CopyInformation(fixed)
    mask = sitk.Cast(fixed > -9, sitk.sitkUInt8)
    mask[:, :, :8] = 0
    options = {"initial": "rigid", "field": "none"}
    masked = mmzoo.register(spoilt, moving, fixed_mask=mask, **options)
    assert error_mm(masked.transform, truth) < 2.5


def test_import_is_instant_and_the_name_is_there():
    code = "import sys, mmzoo; assert 'numpy' not in sys.modules; assert callable(mmzoo.register)"
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="no attribute 'registre'"):
        mmzoo.registre  # noqa: B018


@pytest.mark.data
def test_real_t1_and_pd_are_brought_back_from_an_extra_motion():
    folder = Path(os.environ.get("MMZOO_REAL_DATA", "")) / "same-subject-t1-pd"
    if "MMZOO_REAL_DATA" not in os.environ or not folder.is_dir():
        pytest.skip("MMZOO_REAL_DATA does not name a folder with same-subject-t1-pd")
    fixed, moving = folder / "chris_t1.nii.gz", sitk.ReadImage(str(folder / "chris_PD.nii.gz"))
    plain = mmzoo.register(fixed, moving, field="none", initial="rigid")
    extra = motion((5, 10, -8), (15, -10, 8))
    matrix = np.array(extra.GetMatrix()).reshape(3, 3)
    moving.SetOrigin(extra.TransformPoint(moving.GetOrigin()))
    direction = matrix @ np.array(moving.GetDirection()).reshape(3, 3)
    moving.SetDirection(direction.ravel().tolist())
    found = mmzoo.register(fixed, moving, field="none", initial="rigid")
    both = sitk.CompositeTransform([extra, plain.transform])
    assert error_mm(found.transform, both, radius=60) < 1.0
    assert error_mm(plain.transform, both, radius=60) > 10


def test_moved_by_is_the_inverse_of_the_motion():
    turn, point = motion(), np.array([3.0, -7.0, 11.0])
    np.testing.assert_allclose(moved_by(turn)(np.array(turn.TransformPoint(point))), point)
