"""`mmzoo register` on a 4-D series: every frame comes to lie where the body is."""

import base64
import csv
import json

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from helpers_cli import call
from helpers_registration import draw, empty, error_mm, motion, moved_by
from helpers_report import content_of, opened, unpacked

from mmzoo.cli.register import register
from mmzoo.registration.series import register_series

TURNS = [
    motion(angles, shift)
    for angles, shift in (
        ((0, 0, 0), (0, 0, 0)),
        ((2, -1, 1), (1.5, 0.5, -1)),
        ((-1, 2, 0.5), (0.3, -2, 1)),
        ((0.5, 0.5, -3), (-1, 1, 2)),
    )
]


@pytest.fixture(scope="module")
def series():
    """Frames of one body that moves, on an oblique grid."""
    grid = empty((32, 34, 16), (3.0, 3.0, 4.5), (4, -6, 10))
    frames = [draw(grid, 0, moved_by(turn), seed=k) for k, turn in enumerate(TURNS)]
    return sitk.JoinSeries(frames, 0.0, 2.2)


@pytest.fixture(scope="module")
def corrected(series, tmp_path_factory):
    folder = tmp_path_factory.mktemp("series")
    sitk.WriteImage(series, str(folder / "bold.nii.gz"))
    result = call(register, "--moving", folder / "bold.nii.gz", "--out", folder / "out")
    assert result.exit_code == 0, result.output
    return folder, result.output


def between(first, second):
    """From where a body lies in one frame to where it lies in another."""
    return sitk.CompositeTransform([second, first.GetInverse()])


def of_frames(report):
    found = []
    for matrix in np.array(report["motion_matrices"]):
        linear = sitk.AffineTransform(3)
        linear.SetMatrix(matrix[:3, :3].ravel().tolist())
        linear.SetTranslation(matrix[:3, 3].tolist())
        found.append(linear)
    return found


def test_the_motion_between_frames_is_found(corrected):
    report = json.loads((corrected[0] / "out" / "registration.json").read_text())
    found, still = of_frames(report), sitk.Transform(3, sitk.sitkIdentity)
    for k in (1, 2, 3):
        truth = between(TURNS[0], TURNS[k])
        assert error_mm(still, truth) > 1.9  # mm, of voxels of 3 to 4.5
        assert error_mm(between(found[0], found[k]), truth) < 0.3


def test_the_series_keeps_its_header_and_stands_still(corrected):
    folder, printed = corrected
    before, after = (nib.load(folder / n) for n in ("bold.nii.gz", "out/warped.nii.gz"))
    assert after.shape == before.shape
    np.testing.assert_allclose(after.affine, before.affine, atol=1e-4)
    np.testing.assert_allclose(after.header.get_zooms(), before.header.get_zooms(), atol=1e-4)
    inner = (slice(4, -4),) * 2 + (slice(3, -3),)
    spread = [np.asarray(i.dataobj)[inner].std(axis=-1).mean() for i in (before, after)]
    assert spread[1] < 0.6 * spread[0]
    assert "4 frames" in printed


def test_the_table_is_the_motion_in_words_of_scanners(corrected):
    """Turned back into matrices, x to the right, y to the front, z up, about the middle."""
    folder, _ = corrected
    rows = list(csv.DictReader((folder / "out" / "motion.csv").open()))
    report = json.loads((folder / "out" / "registration.json").read_text())
    mean = sitk.ReadImage(str(folder / "out" / "mean.nii.gz"))
    half = [(n - 1) / 2 for n in mean.GetSize()]
    middle = np.array(mean.TransformContinuousIndexToPhysicalPoint(half))
    assert [float(row["seconds"]) for row in rows] == pytest.approx([0, 2.2, 4.4, 6.6])
    flip = np.diag([-1.0, -1.0, 1.0])
    for row, matrix in zip(rows, np.array(report["motion_matrices"]), strict=True):
        x, y, z = (np.deg2rad(float(row[f"rotation_{axis}_degrees"])) for axis in "xyz")
        about = [
            [[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]],
            [[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]],
            [[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]],
        ]
        turn = np.array(about[2]) @ about[1] @ about[0]
        np.testing.assert_allclose(flip @ turn @ flip, matrix[:3, :3], atol=1e-4)
        shift = flip @ [float(row[f"translation_{axis}_mm"]) for axis in "xyz"]
        moved = matrix[:3, :3] @ middle + matrix[:3, 3] - middle
        np.testing.assert_allclose(moved, shift, atol=1e-3)
    farthest = max(float(row["mean_displacement_mm"]) for row in rows)
    assert farthest == pytest.approx(report["largest_displacement_mm"]) and farthest > 1
    assert (folder / "out" / "motion.png").stat().st_size > 10_000


def test_the_page_has_the_motion_and_the_frame_that_moved_most_before_and_after(corrected):
    out = corrected[0] / "out"
    page = content_of(out / "report.html")
    rows = list(csv.DictReader((out / "motion.csv").open()))
    motion = page["tables"][0]
    assert motion["rows"] == [[float(value) for value in row.values()] for row in rows]
    (plot,) = page["pictures"]
    assert base64.b64decode(plot["url"].partition(",")[2]) == (out / "motion.png").read_bytes()
    farthest = max(rows, key=lambda row: float(row["mean_displacement_mm"]))["frame"]
    assert [stage["name"] for stage in page["stages"]] == [
        f"frame {farthest} before",
        f"frame {farthest} after",
    ]
    shown = [page["fixed"], *(stage["image"] for stage in page["stages"])]
    mean, *stages = (unpacked(each, page["size"]).astype(float) for each in shown)
    apart = [np.abs(mean - each)[4:-4, 4:-4, 3:-3].mean() for each in stages]
    assert apart[1] < 0.7 * apart[0]
    assert not page["maps"]["moved"]
    with opened(out / "report.html") as browser:
        count = "return document.querySelectorAll('#tables img, #panels canvas').length"
        assert browser.execute_script(count) == 4
        wide = "return document.querySelector('#tables img').naturalWidth"
        assert browser.execute_script(wide) > 500
        assert [line for line in browser.get_log("browser") if line["level"] == "SEVERE"] == []


def test_with_a_fixed_image_every_frame_goes_to_it(series, tmp_path):
    turn = motion((6, -8, 5), (7, -5, 6))
    fixed = draw(empty((40, 38, 36), (2.4, 2.5, 2.6)), 1, moved_by(turn), seed=9)
    found = register_series(series, fixed, initial="rigid", field="none")
    assert found.warped.GetSize() == (*fixed.GetSize(), 4)
    assert found.warped.GetSpacing() == pytest.approx((2.4, 2.5, 2.6, 2.2))
    for k, way in enumerate(found.transforms):
        assert error_mm(way, between(turn, TURNS[k])) < 1.0, k
    assert found.report["nmi"]["after"] > found.report["nmi"]["before"]
    from mmzoo.registration.series_output import write_series

    write_series(found, tmp_path / "out")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"warped.nii.gz", "transform.h5", "inverse.h5", "picture.png", "motion.csv"} <= names
    page = content_of(tmp_path / "out" / "report.html")
    assert len(page["tables"][0]["rows"]) == 4 and len(page["pictures"]) == 1
    assert page["tables"][1]["title"] == "Figures" and len(page["stages"]) == 2


def test_one_volume_alone_and_labels_of_a_series_are_refused(corrected, tmp_path):
    folder, _ = corrected
    sitk.WriteImage(draw(empty((12, 12, 12), (4.0, 4.0, 4.0)), 0), str(tmp_path / "one.nii.gz"))
    result = call(register, "--moving", tmp_path / "one.nii.gz", "--out", tmp_path / "out")
    assert result.exit_code == 1 and "`--moving` alone, a 4-D series" in result.output
    options = ("--moving", folder / "bold.nii.gz", "--out", tmp_path / "out")
    result = call(register, *options, "--label", tmp_path / "one.nii.gz")
    assert result.exit_code == 1 and "`--moving-label` goes with one moving" in result.output
    result = call(register, *options, "--fixed-mask", tmp_path / "one.nii.gz")
    assert result.exit_code == 1 and "without a fixed image" in result.output
    assert not (tmp_path / "out").exists()
    with pytest.raises(ValueError, match="is one volume and no series"):
        register_series(tmp_path / "one.nii.gz")
