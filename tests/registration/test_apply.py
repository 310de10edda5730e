"""`mmzoo apply`: images, labels and points through a written transform."""

import numpy as np
import pytest
import SimpleITK as sitk
from helpers_cli import call

from mmzoo.cli.apply import apply
from mmzoo.spatial.points import invert_points


def read(path):
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))


def test_an_image_becomes_what_register_wrote(images, registered, tmp_path):
    folder, (out, _) = images[0], registered
    options = ("--transform", out / "transform.h5", "--reference", folder / "fixed.nii.gz")
    result = call(apply, *options, "--moving", folder / "moving.nrrd", "--out", tmp_path / "w.mha")
    assert result.exit_code == 0, result.output
    np.testing.assert_allclose(read(tmp_path / "w.mha"), read(out / "warped.nii.gz"), atol=1e-5)
    call(apply, *options, "--moving", folder / "moving.nrrd", "--out", tmp_path / "c.nii",
         "--interpolation", "cubic")  # fmt: skip
    gap = np.abs(read(tmp_path / "c.nii") - read(out / "warped.nii.gz"))
    assert 0 < gap.mean() < 0.02


def test_labels_stay_whole_numbers_either_way(images, registered, tmp_path):
    folder, (out, _) = images[0], registered
    options = ("--transform", out / "transform.h5", "--reference", folder / "fixed.nii.gz")
    for way in ("nearest", "linear"):
        file = tmp_path / f"{way}.nii.gz"
        result = call(apply, *options, "--moving", folder / "label.mha", "--out", file,
                      "--labels", way)  # fmt: skip
        assert result.exit_code == 0, result.output
        assert set(np.unique(read(file))) == {0, 1}
    nearest, linear = (read(tmp_path / f"{way}.nii.gz") for way in ("nearest", "linear"))
    np.testing.assert_array_equal(nearest, read(out / "label.nii.gz"))
    assert 0 < np.mean(nearest != linear) < 0.02


POINTS = np.array([[0, 0, 0], [20, -15, 10], [-12.5, 8, -20], [5, 25, 15]], float)


def csv(path, points, flip=(1, 1, 1)):
    lines = ["name,x,y,z"]
    lines += [f"p{k},{','.join(map(str, p * np.array(flip)))}" for k, p in enumerate(points)]
    path.write_text("\n".join(lines) + "\n")
    return path


def numbers(path):
    return np.array([line.split(",")[1:] for line in path.read_text().splitlines()[1:]], float)


@pytest.mark.parametrize(("frame", "flip"), [("lps", (1, 1, 1)), ("ras", (-1, -1, 1))])
def test_points_land_within_a_tenth_of_a_mm_and_come_back(registered, tmp_path, frame, flip):
    path = registered[0] / "transform.h5"
    there, back = tmp_path / "there.csv", tmp_path / "back.csv"
    given = csv(tmp_path / "given.csv", POINTS, flip)
    options = ("--transform", path, "--frame", frame)
    assert call(apply, *options, "--points", given, "--out", there).exit_code == 0
    transform = sitk.ReadTransform(str(path))
    wanted = [transform.TransformPoint(point) for point in POINTS.tolist()]
    np.testing.assert_allclose(numbers(there), np.array(wanted) * flip, atol=1e-3)
    result = call(apply, *options, "--points", there, "--out", back, "--inverse")
    assert result.exit_code == 0, result.output
    np.testing.assert_allclose(numbers(back), POINTS * np.array(flip), atol=0.1)
    assert back.read_text().splitlines()[2].startswith("p1,")


def test_the_inverse_follows_a_strong_smooth_field():
    grid = sitk.Image((40, 40, 40), sitk.sitkVectorFloat64, 3)
    index = np.moveaxis(np.indices((40, 40, 40)), 0, -1)  # z, y, x
    field = 4 * np.sin(index[..., [1, 2, 0]] / 6.0)
    field = sitk.GetImageFromArray(field, isVector=True)
    field.CopyInformation(grid)
    transform = sitk.DisplacementFieldTransform(field)
    start = np.random.default_rng(0).uniform(8, 30, (50, 3))
    moved = np.array([transform.TransformPoint(p) for p in start.tolist()])
    np.testing.assert_allclose(invert_points(transform, moved), start, atol=0.01)


def test_a_transform_of_the_wrong_kind_is_refused(images, tmp_path):
    folder = images[0]
    flat = tmp_path / "flat.tfm"
    sitk.WriteTransform(sitk.Euler2DTransform(), str(flat))
    (tmp_path / "text.h5").write_text("no transform")
    wrong = {
        flat: "must be a transform in 3-D, got 2-D",
        folder / "moving.nrrd": "is no transform: an image of displacements",
        tmp_path / "text.h5": "is no transform that ITK reads",
        tmp_path / "none.h5": "is not there",
    }
    for path, message in wrong.items():
        image = ("--moving", folder / "moving.nrrd", "--reference", folder / "fixed.nii.gz")
        result = call(apply, "--transform", path, *image, "--out", tmp_path / "o.nii")
        assert result.exit_code == 1 and message in result.output, (path, result.output)
        assert not (tmp_path / "o.nii").exists()


def test_what_is_missing_or_wrong_is_said(images, registered, tmp_path):
    folder, (out, _) = images[0], registered
    path, given = out / "transform.h5", csv(tmp_path / "p.csv", POINTS)
    bare = tmp_path / "bare.csv"
    bare.write_text("1,2,3\n4,5,6\n")
    far = csv(tmp_path / "far.csv", POINTS * np.nan)
    image = ("--moving", folder / "moving.nrrd", "--reference", folder / "fixed.nii.gz")
    cases = [
        ((), "give either `--moving`"),
        (("--points", given), "--frame ras"),
        (("--points", given, "--frame", "rsa"), "did you mean 'ras'"),
        (("--points", bare, "--frame", "ras"), "must have columns x, y and z"),
        (("--points", far, "--frame", "ras"), "finite"),
        (("--moving", folder / "moving.nrrd"), "--reference"),
        ((*image, "--interpolation", "qubic"), "did you mean 'cubic'"),
        ((*image, "--labels", "nearest"), "label map of whole numbers"),
    ]
    for arguments, message in cases:
        result = call(apply, "--transform", path, "--out", tmp_path / "o.nii", *arguments)
        assert result.exit_code == 1 and message in result.output, (arguments, result.output)
    result = call(apply, "--transform", path, *image, "--out", tmp_path / "o.docx")
    assert result.exit_code == 1 and "ends in .nii.gz" in result.output
    assert not list(tmp_path.glob("*o.*"))


def test_labels_off_the_registered_image_are_refused_by_its_report(images, registered, tmp_path):
    folder, (out, _) = images[0], registered
    label = sitk.ReadImage(str(folder / "label.mha"))
    lost = sitk.GetImageFromArray(sitk.GetArrayFromImage(label))
    smaller = label[1:, :, :]
    for wrong in (lost, smaller):
        sitk.WriteImage(wrong, str(tmp_path / "wrong.nrrd"))
        result = call(apply, "--transform", out / "transform.h5", "--moving",
                      tmp_path / "wrong.nrrd", "--reference", folder / "fixed.nii.gz", "--labels",
                      "nearest", "--out", tmp_path / "o.nii.gz")  # fmt: skip
        assert result.exit_code == 1 and "moving image that was registered" in result.output
    # A smaller one of another image in the same space, which is named.
    result = call(apply, "--transform", out / "transform.h5", "--moving", tmp_path / "wrong.nrrd",
                  "--reference", folder / "fixed.nii.gz", "--labels", "nearest", "--image",
                  tmp_path / "wrong.nrrd", "--out", tmp_path / "o.nii.gz")  # fmt: skip
    assert result.exit_code == 0, result.output
