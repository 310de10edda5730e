"""Registrations and files measured: labels, landmarks, fields; and what Learn2Reg makes of them."""

import csv
import json

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from helpers_cli import call
from helpers_prediction import write_prediction
from scipy.ndimage import correlate, map_coordinates
from surface_distance import compute_robust_hausdorff, compute_surface_distances

from mmzoo.cli.evaluate import evaluate
from mmzoo.io.transform_file import write_transform
from mmzoo.metrics import log_jacobian_std
from mmzoo.registration.measure import voxel_displacement
from mmzoo.spatial.frames import matrix_of, ras_affine
from mmzoo.spatial.geometry import total_displacement

SIZE, ORIGIN = (36, 40, 32), (-20.0, 15.0, 7.0)
LPS = np.random.default_rng(5).uniform((-8, 27, 15), (4, 43, 27), (6, 3))  # of the fixed image


def grid(size=SIZE, axes="RAS"):
    image = sitk.Image([int(n) for n in size], sitk.sitkUInt8)
    image.SetOrigin(ORIGIN)
    return sitk.DICOMOrient(image, axes)


def boxes(image, transform=None, values=(1, 2)):
    """A label map of two blocks, of the moving image if a transform leads there."""
    array = np.zeros(SIZE, np.uint8)
    array[8:20, 10:30, 8:20] = values[0]
    array[20:28, 12:26, 10:26] = values[1]
    labels = sitk.GetImageFromArray(array.T)
    labels.CopyInformation(grid())
    return sitk.Resample(labels, image, transform or sitk.Transform(3, 0), sitk.sitkNearestNeighbor)


def linear():
    turn = sitk.Euler3DTransform([-2.0, 35.0, 22.0], 0.06, -0.05, 0.08, (2.3, -1.7, 1.2))
    return sitk.AffineTransform(turn.GetMatrix(), turn.GetTranslation(), turn.GetCenter())


def whole():
    """A bent transform, linear stage last."""
    field = total_displacement(sitk.Transform(3, 0), grid())
    index = np.indices(SIZE[::-1])[::-1] / 6.0
    bent = np.stack([0.9 * np.sin(index[0]), 0.7 * np.cos(index[2]), 0.8 * np.sin(index[1])], -1)
    image = sitk.GetImageFromArray(bent, isVector=True)
    image.CopyInformation(field)
    both = sitk.CompositeTransform(3)
    both.AddTransform(linear())
    both.AddTransform(sitk.DisplacementFieldTransform(sitk.Cast(image, sitk.sitkVectorFloat64)))
    return both


def write_csv(path, points):
    rows = [["name", "x", "y", "z"], *([f"p{k}", *map(float, p)] for k, p in enumerate(points))]
    path.write_text("\n".join(",".join(map(str, row)) for row in rows))


@pytest.fixture
def folder(tmp_path):
    """A registration as `mmzoo register` leaves it, files with other axes, and landmarks."""
    (tmp_path / "run").mkdir()
    fixed, moving = grid(axes="LPS"), grid(axes="LIP")
    moved = [whole().TransformPoint(point) for point in LPS.tolist()]
    labels = boxes(fixed), boxes(moving, _inverse())
    report = {"linear": matrix_of(linear()).tolist(), "grids": {}, "files": {}}
    for k, (name, image) in enumerate(zip(("fixed", "moving"), labels, strict=True)):
        sitk.WriteImage(image, str(tmp_path / f"{name}_label.nii.gz"))
        file = tmp_path / f"T_000{k}_0000.nii.gz"
        sitk.WriteImage(sitk.Cast(image, sitk.sitkFloat32), str(file))
        turned = sitk.DICOMOrient(image, "RAS")
        report["files"][name] = str(file)
        place = {"size": turned.GetSize(), "affine": ras_affine(turned).tolist()}
        report["grids"][name] = place
    sitk.WriteImage(fixed, str(tmp_path / "run" / "warped.nii.gz"))
    write_transform(whole(), tmp_path / "run" / "transform.h5")
    write_csv(tmp_path / "fixed.csv", LPS)
    write_csv(tmp_path / "moving.csv", np.array(moved))
    (tmp_path / "run" / "registration.json").write_text(json.dumps(report))
    return tmp_path


def _inverse():
    """The way back, as a field."""
    from mmzoo.registration.inverse import inverse_transform

    return inverse_transform(whole(), grid())


def figures(folder):
    return json.loads((folder / "figures.json").read_text())


def options(folder, *kinds):
    names = {"label": "{}_label.nii.gz", "points": "{}.csv"}
    pairs = [(kind, side) for kind in kinds for side in ("fixed", "moving")]
    return [p for k, s in pairs for p in (f"--{s}-{k}", folder / names[k].format(s))]


def test_a_registration_is_measured_before_and_after(folder):
    done = call(evaluate, folder / "run", *options(folder, "label", "points"), "--frame", "lps")
    assert done.exit_code == 0, done.output
    said = figures(folder / "run" / "evaluation")
    moved = np.array([whole().TransformPoint(point) for point in LPS.tolist()])
    before = np.linalg.norm(moved - LPS, axis=1)
    assert said["tre_mm"]["before"] == pytest.approx(before.mean(), abs=1e-3)
    np.testing.assert_allclose(said["tre_mm_by_point"]["before"], before, atol=1e-3)
    after_linear = [linear().TransformPoint(point) for point in LPS.tolist()]
    wanted = np.linalg.norm(moved - after_linear, axis=1).mean()
    assert said["tre_mm"]["linear"] == pytest.approx(wanted, abs=1e-3)
    assert said["tre_mm"]["after"] < 1e-3
    assert said["dice"]["after"] > 0.95 > 0.85 > said["dice"]["before"] > 0.2
    assert said["asd_mm"]["after"] < 0.2 < said["asd_mm"]["before"]
    assert said["hd95_mm"]["after"] <= 1 < said["hd95_mm"]["before"]
    assert set(said["dice_by_label"]["after"]) == {"1", "2"}
    assert said["sd_log_j"].keys() == {"after"} and said["folds_percent"]["after"] == 0
    rows = list(csv.reader((folder / "run" / "evaluation" / "figures.csv").open()))
    assert ["after", "dice", "all", str(said["dice"]["after"])] in rows
    assert "HD95 mm" in done.output and "figures.csv" in done.output


def test_files_of_any_program_are_measured_with_and_without_a_transform(folder):
    out = folder / "out"
    options_ = options(folder, "label", "points")
    done = call(evaluate, *options_, "--frame", "lps", "--out", out)
    assert done.exit_code == 0, done.output
    assert figures(out)["dice"].keys() == {"before"}
    transform = folder / "run" / "transform.h5"
    done = call(evaluate, *options_, "--frame", "lps", "--transform", transform, "--out", out)
    said = figures(out)
    assert said["tre_mm"]["after"] < 1e-3 and said["dice"]["after"] > 0.95
    call(evaluate, folder / "run", *options_, "--frame", "lps")
    alike = figures(folder / "run" / "evaluation")
    assert (
        said["sd_log_j"] == alike["sd_log_j"]
        and said["hd95_mm"]["after"] == alike["hd95_mm"]["after"]
    )


@pytest.mark.parametrize("kind", ["ras csv", "fcsv lps", "fcsv ras", "mrk ras", "mrk lps"])
def test_points_count_in_the_frame_that_their_file_says(folder, kind):
    moved = np.array([whole().TransformPoint(point) for point in LPS.tolist()])
    files = []
    for name, points in (("fixed", LPS), ("moving", moved)):
        points = points * ([-1, -1, 1] if "ras" in kind else [1, 1, 1])
        if "csv" in kind.split():
            files.append(folder / f"{name}2.csv")
            write_csv(files[-1], points)
        elif "fcsv" in kind:
            files.append(folder / f"{name}.fcsv")
            system = "LPS" if "lps" in kind else "RAS"
            lines = [f"# CoordinateSystem = {system}", "# columns = id,x,y,z"]
            lines += [f"p{k},{p[0]},{p[1]},{p[2]}" for k, p in enumerate(points)]
            files[-1].write_text("\n".join(lines))
        else:
            files.append(folder / f"{name}.mrk.json")
            controls = [{"position": list(map(float, p))} for p in points]
            system = "LPS" if "lps" in kind else "RAS"
            content = {"markups": [{"coordinateSystem": system, "controlPoints": controls}]}
            files[-1].write_text(json.dumps(content))
    frame = ["--frame", "ras"] if kind == "ras csv" else []
    given = ["--fixed-points", files[0], "--moving-points", files[1], *frame]
    done = call(evaluate, folder / "run", *given)
    assert done.exit_code == 0, done.output
    assert figures(folder / "run" / "evaluation")["tre_mm"]["after"] < 1e-3


def test_what_cannot_be_right_is_said(folder):
    def message(*given):
        done = call(evaluate, folder / "run", *given)
        assert done.exit_code == 1
        return " ".join(done.output.split())

    points = options(folder, "points")
    assert "are they LPS?" in message(*points, "--frame", "ras")
    write_csv(folder / "fixed.csv", LPS / 10)
    assert "are they in cm?" in message(*points, "--frame", "lps")
    write_csv(folder / "fixed.csv", LPS[:-1])
    assert "has 5 points" in message(*points, "--frame", "lps")
    assert "give both `--fixed-points` and" in message(*points[:2])
    assert "nothing to measure by" in message()
    labels = options(folder, "label")
    sitk.WriteImage(boxes(grid(axes="LPS"), values=(7, 9)), str(folder / "fixed_label.nii.gz"))
    assert "no value in common: the fixed one has 7, 9" in message(*labels)
    moved = boxes(grid())
    moved.SetOrigin((0, 0, 0))
    sitk.WriteImage(moved, str(folder / "fixed_label.nii.gz"))
    assert "does not lie on its image" in message(*labels)
    assert "leave RUN out" in message(*labels, "--transform", folder / "run" / "transform.h5")


def test_a_label_of_one_map_alone_counts_as_zero_and_is_told(folder):
    sitk.WriteImage(boxes(grid(axes="LPS"), values=(1, 9)), str(folder / "fixed_label.nii.gz"))
    done = call(evaluate, folder / "run", *options(folder, "label"))
    assert "only the fixed label map has 9" in " ".join(done.output.split())
    said = figures(folder / "run" / "evaluation")
    assert said["dice_by_label"]["after"]["9"] == said["dice_by_label"]["after"]["2"] == 0
    assert said["hd95_mm_by_label"]["after"]["9"] is None
    assert said["hd95_mm"]["after"] == said["hd95_mm_by_label"]["after"]["1"]


# === Learn2Reg ===


def challenge(field, fixed, moving, landmarks):
    """Dice, HD95, TRE and SDlogJ as the challenge defines them, written from its formulas.

    Labels are sampled at the nearest voxel of x + u(x), landmarks are array indices, surfaces have
    voxels of 1 mm, slopes are central differences, and the determinant is raised by 3.
    """
    where = np.indices(fixed.shape) + np.moveaxis(field, -1, 0)
    warped = map_coordinates(moving, where, order=0)
    overlap, far = [], []
    for value in np.unique(fixed)[1:]:
        one, other = fixed == value, warped == value
        overlap.append(2 * (one & other).sum() / (one.sum() + other.sum()))
        far.append(compute_robust_hausdorff(compute_surface_distances(one, other, (1, 1, 1)), 95))
    error = [
        np.linalg.norm(a + [map_coordinates(field[..., c], a[:, None])[0] for c in range(3)] - b)
        for a, b in zip(*landmarks, strict=True)
    ]
    kernel = np.array([-0.5, 0, 0.5])
    jacobian = np.zeros((*fixed.shape, 3, 3)) + np.eye(3)
    for axis in range(3):
        shape = [1, 1, 1]
        shape[axis] = 3
        for c in range(3):
            jacobian[..., c, axis] += correlate(
                field[..., c], kernel.reshape(shape), mode="constant"
            )
    inner = np.linalg.det(jacobian[2:-2, 2:-2, 2:-2])
    logarithm = np.log((inner + 3).clip(1e-9, 1e9))
    return np.mean(overlap), np.mean(far), np.mean(error), logarithm.std()


OLD = pytest.mark.filterwarnings("ignore:Please import:DeprecationWarning")  # surface-distance


@OLD
def test_the_challenge_s_evaluation_of_our_field_agrees_with_our_figures(folder):
    # Landmarks at voxel centres, as the challenge's are.
    fixed, moving = (nib.load(folder / f"T_000{k}_0000.nii.gz") for k in (0, 1))
    index = np.random.default_rng(1).integers(8, 28, (7, 3))
    world = nib.affines.apply_affine(fixed.affine, index) * [-1, -1, 1]
    there = np.array([whole().TransformPoint(p) for p in world.tolist()]) + [0.5, -0.3, 0.2]
    write_csv(folder / "fixed.csv", world)
    write_csv(folder / "moving.csv", there)
    back = np.linalg.inv(moving.affine)
    landmarks = index, nib.affines.apply_affine(back, there * [-1, -1, 1])
    call(evaluate, folder / "run", *options(folder, "label", "points"), "--frame", "lps")
    said = figures(folder / "run" / "evaluation")

    done = call(evaluate, folder / "run", "--learn2reg", folder / "l2r")
    assert done.exit_code == 0, done.output
    written = nib.load(folder / "l2r" / "disp_0000_0001.nii.gz")
    assert written.shape == (*fixed.shape, 3) and written.get_data_dtype() == np.float32
    labels = [
        np.asarray(nib.load(folder / f"{n}_label.nii.gz").dataobj) for n in ("fixed", "moving")
    ]
    found = challenge(written.get_fdata(), *labels, landmarks)
    ours = [said[name]["after"] for name in ("dice", "hd95_mm", "tre_mm")]
    np.testing.assert_allclose(ours, found[:3], atol=1e-4)
    # Here the two arrays are turned against each other, so that the field holds the turn too.
    assert log_jacobian_std(written.get_fdata()) == pytest.approx(found[3], abs=1e-4)
    again = call(evaluate, folder / "run", "--learn2reg", folder / "l2r")
    assert again.exit_code == 1 and "is there already" in again.output


@OLD
def test_sd_log_j_is_the_challenge_s_where_both_images_have_one_grid(folder):
    from mmzoo.registration.learn2reg import array_displacement

    affine = ras_affine(grid())
    field = array_displacement(whole(), SIZE, affine, affine)
    nothing = np.zeros(SIZE, np.uint8)
    nothing[3, 3, 3] = 1
    wanted = challenge(field.astype(float), nothing, nothing, (np.zeros((1, 3)),) * 2)[3]
    assert wanted > 0.01
    assert log_jacobian_std(voxel_displacement(whole(), grid())) == pytest.approx(wanted, abs=1e-5)
    call(evaluate, folder / "run", *options(folder, "label"))
    assert figures(folder / "run" / "evaluation")["sd_log_j"]["after"] == pytest.approx(
        wanted, abs=1e-4
    )


def test_a_name_without_a_number_is_refused(folder):
    report = json.loads((folder / "run" / "registration.json").read_text())
    report["files"]["fixed"] = str(folder / "fixed_label.nii.gz")
    (folder / "run" / "registration.json").write_text(json.dumps(report))
    done = call(evaluate, folder / "run", "--learn2reg", folder / "l2r")
    assert done.exit_code == 1 and "no number of four digits" in " ".join(done.output.split())


def test_the_fields_of_a_prediction_are_written_under_the_numbers_of_its_cases(tmp_path):
    run = write_prediction(tmp_path, pairs=2)
    names = run / "test" / "pairs.json"
    said = json.loads(names.read_text())
    for k in range(2):
        case = {"fixed": f"T_{k:04}_0000.nii.gz", "moving": f"T_{k + 2:04}_0001.nii.gz"}
        said["pairs"][f"pair_{k}"] = case
    names.write_text(json.dumps(said))
    done = call(evaluate, run, "--learn2reg", tmp_path / "l2r")
    assert done.exit_code == 0, done.output
    found = sorted(path.name for path in (tmp_path / "l2r").iterdir())
    assert found == ["disp_0000_0002.nii.gz", "disp_0001_0003.nii.gz"]
    field = nib.load(tmp_path / "l2r" / found[0]).get_fdata()
    np.testing.assert_array_equal(field, nib.load(run / "test/pair_0/ddf.nii.gz").get_fdata())
