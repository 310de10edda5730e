"""What `mmzoo evaluate --learn2reg` writes, beside the challenge's definitions in float64 NumPy.

Definitions: github.com/MDL-UzL/L2R, folder evaluation (read at commit 00106df). `CHALLENGE` is what
its evaluation.py (commit e7eccac) said of the files of the first test.
"""

import json

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from helpers_cli import call
from helpers_prediction import write_prediction
from nibabel.affines import apply_affine
from surface_distance import compute_robust_hausdorff, compute_surface_distances

from mmzoo.cli.evaluate import evaluate
from mmzoo.io.nifti import save_nifti
from mmzoo.io.transform_file import write_transform

SHAPES = (20, 23, 18), (22, 18, 21)  # of the arrays of the fixed and the moving file
MOVING = np.array(
    [[0, 1.2, 0, -14], [0, 0, -2.0, 22], [1.8, 0, 0, -19], [0, 0, 0, 1]]
)  # axes differ
FIXED = np.array([[-1.5, 0, 0, 13], [0, 1.6, 0, -18], [0, 0, 2.2, -21], [0, 0, 0, 1]])
CHALLENGE = {"LogJacDetStd": 0.144596, "DSC": 0.523486, "HD95": 3.061553, "TRE": 21.435249}
OLD = pytest.mark.filterwarnings("ignore:Please import:DeprecationWarning")  # surface-distance


def transform():
    """A turn, and a field that bends enough to fold here and there; fixed to moving, LPS mm."""
    random = np.random.default_rng(3)
    coarse = random.uniform(-7, 7, (5, 5, 5, 3))
    image = sitk.GetImageFromArray(coarse, isVector=True)
    image.SetSpacing((10, 10, 10))
    image.SetOrigin((-20, -20, -22))
    both = sitk.CompositeTransform(3)
    both.AddTransform(sitk.Euler3DTransform((0, 0, 0), 0.05, -0.1, 0.08, (1.5, -1, 2)))
    both.AddTransform(sitk.DisplacementFieldTransform(image))
    return both


@pytest.fixture
def case(tmp_path):
    """A registration of two files whose arrays differ in size, voxels and axes; labels, a mask."""
    run = tmp_path / "run"
    run.mkdir()
    images = [tmp_path / f"T_000{k + 1}_{name}.nii.gz" for k, name in enumerate(("0001", "0000"))]
    random = np.random.default_rng(7)
    for path, shape, affine, own in zip(
        images, SHAPES, (FIXED, MOVING), ("fixed", "moving"), strict=True
    ):
        save_nifti(path, random.random(shape).astype(np.float32), affine)
        x, y, z = np.moveaxis(apply_affine(affine, np.moveaxis(np.indices(shape), 0, -1)), -1, 0)
        labels = np.zeros(shape, np.uint8)
        labels[(x > 2) & (abs(y) < 11)] = 1  # reaches the border of both images
        labels[(abs(x + 6) < 5) & (abs(y) < 8) & (abs(z) < 9)] = 2
        labels[y > 12 if own == "fixed" else y < -12] = 3 if own == "fixed" else 4
        save_nifti(tmp_path / f"{own}_label.nii.gz", labels, affine)
    mask = random.random(SHAPES[0]) < 0.4
    save_nifti(tmp_path / "mask.nii.gz", mask.astype(np.uint8), FIXED)
    files = dict(zip(("fixed", "moving"), map(str, images), strict=True))
    report = {"files": files, "linear": np.eye(4).tolist(), "grids": {"moving": {}}}
    (run / "registration.json").write_text(json.dumps(report))
    write_transform(transform(), run / "transform.h5")
    return tmp_path


def array(path):
    return np.asarray(nib.load(path).dataobj)


# === The challenge's definitions ===


def nearest(moving, field):
    """moving[round(x + u)], halves upwards; 0 outside the outermost voxels' centres."""
    warped = np.zeros(field.shape[:3], moving.dtype)
    last = np.array(moving.shape) - 1
    for x in np.ndindex(*field.shape[:3]):
        place = x + field[x]
        if (place >= 0).all() and (place <= last).all():
            warped[x] = moving[tuple(np.floor(place + 0.5).astype(int))]
    return warped


def spline_coefficients(values):
    """B-spline coefficients whose cubic spline passes through the values, mirrored at both ends."""
    for axis, n in enumerate(values.shape):
        matrix = np.diag(np.full(n, 4 / 6))
        for k in range(n):
            for other in (k - 1, k + 1):
                matrix[k, n - 1 - abs(n - 1 - abs(other))] += 1 / 6
        solved = np.linalg.solve(matrix, np.moveaxis(values, axis, 0).reshape(n, -1))
        rest = np.delete(values.shape, axis)
        values = np.moveaxis(solved.reshape(n, *rest), 0, axis)
    return values


def cubic(values, place):
    """The cubic spline through the values at a place inside the grid."""
    coefficients = spline_coefficients(values)
    total = 0.0
    for offset in np.ndindex(4, 4, 4):
        k = np.floor(place).astype(int) - 1 + offset
        t = np.abs(place - k)
        weight = np.where(t < 1, 2 / 3 - t**2 + t**3 / 2, (2 - t) ** 3 / 6).prod()
        last = np.array(values.shape) - 1
        total += weight * coefficients[tuple(last - np.abs(last - np.abs(k)))]
    return total


def sd_log_j(field, mask):
    """Standard deviation of ln(J + 3) inside the mask, two voxels at each border left out."""
    values = []
    for x in np.ndindex(*field.shape[:3]):
        if not mask[x] or not all(2 <= i < n - 2 for i, n in zip(x, field.shape[:3], strict=True)):
            continue
        slopes = [(field[tuple(x + e)] - field[tuple(x - e)]) / 2 for e in np.eye(3, dtype=int)]
        a, b, c = np.eye(3) + slopes
        jacobian = np.dot(a, np.cross(b, c))
        values.append(np.log(min(max(jacobian + 3, 1e-9), 1e9)))
    return np.std(values)


def challenge(field, fixed, moving, landmarks, mask, spacing):
    warped = nearest(moving, field)
    overlap, far = [], []
    for label in (1, 2):  # the others are in one map alone
        one, other = fixed == label, warped == label
        overlap.append(2 * (one & other).sum() / (one.sum() + other.sum()))
        far.append(compute_robust_hausdorff(compute_surface_distances(one, other, np.ones(3)), 95))
    moved = [[cubic(field[..., c], x) for c in range(3)] for x in landmarks[0]]
    apart = np.linalg.norm((landmarks[0] + moved - landmarks[1]) * spacing, axis=1)
    wanted = {"LogJacDetStd": sd_log_j(field, mask), "DSC": np.mean(overlap)}
    return {**wanted, "HD95": np.mean(far), "TRE": apart.mean()}


# === Ours ===


@OLD
@pytest.mark.parametrize("kind", ["voxels", "mm"])
def test_figures_are_those_of_the_challenge_s_definitions(case, kind):
    random = np.random.default_rng(5)
    fixed = random.uniform(1.5, 15, (6, 3))
    moving = fixed[:, [2, 0, 1]] + random.normal(0, 1, (6, 3))
    sides = ("fixed", fixed, FIXED), ("moving", moving, MOVING)
    for name, points, affine in sides:
        text = "\n".join(",".join(map(repr, row)) for row in points.tolist())
        if kind == "mm":
            rows = apply_affine(affine, points).tolist()
            text = "x,y,z\n" + "\n".join(",".join(map(repr, row)) for row in rows)
        (case / f"{name}.csv").write_text(text)
    options = [p for n in ("fixed", "moving") for p in (f"--{n}-label", case / f"{n}_label.nii.gz")]
    options += [p for n in ("fixed", "moving") for p in (f"--{n}-points", case / f"{n}.csv")]
    options += ["--fixed-mask", case / "mask.nii.gz", *(["--frame", "ras"] if kind == "mm" else [])]
    done = call(evaluate, case / "run", "--learn2reg", case / "out", *options)
    assert done.exit_code == 0, done.output
    # The modalities are 0001 and 0000, so the challenge looks for the long name.
    field = nib.load(case / "out" / "disp_0001_0001_0002_0000.nii.gz")
    assert field.shape == (*SHAPES[0], 3) and field.get_data_dtype() == np.float32
    said = json.loads((case / "out" / "metrics.json").read_text())
    found = said["cases"]["0001_0001<--0002_0000"]
    labels = [array(case / f"{name}_label.nii.gz") for name in ("fixed", "moving")]
    steps = np.linalg.norm(MOVING[:3, :3], axis=0)
    mask = array(case / "mask.nii.gz") == 1
    wanted = challenge(field.get_fdata(), *labels, (fixed, moving), mask, steps)
    for name, value in wanted.items():
        assert found[name]["mean"] == pytest.approx(value, abs=1e-4), name
        assert found[name]["mean"] == pytest.approx(CHALLENGE[name], abs=1e-4), name
        assert said["aggregates"][name]["mean"] == pytest.approx(value, abs=1e-4)
    assert 0.1 < wanted["DSC"] < 0.9 and wanted["LogJacDetStd"] > 0.05
    assert found["DSC"]["detailed"].keys() == found["HD95"]["detailed"].keys() == set("1234")
    assert found["DSC"]["detailed"]["3"] is found["HD95"]["detailed"]["4"] is None
    assert len(found["TRE"]["detailed"]) == 6


def test_the_field_leads_from_the_fixed_array_s_voxels_to_the_moving_one_s(case):
    call(evaluate, case / "run", "--learn2reg", case / "out")
    field = nib.load(case / "out" / "disp_0001_0001_0002_0000.nii.gz").get_fdata()
    for x in np.random.default_rng(2).integers(0, 18, (20, 3)):
        there = transform().TransformPoint((apply_affine(FIXED, x) * [-1, -1, 1]).tolist())
        wanted = apply_affine(np.linalg.inv(MOVING), np.array(there) * [-1, -1, 1])
        np.testing.assert_allclose(x + field[tuple(x)], wanted, atol=1e-4)


def test_what_is_there_is_not_replaced_unless_told(case):
    given = case / "run", "--learn2reg", case / "out"
    assert call(evaluate, *given).exit_code == 0
    again = call(evaluate, *given)
    assert again.exit_code == 1 and "is there already" in " ".join(again.output.split())
    assert call(evaluate, *given, "--overwrite").exit_code == 0


def test_labels_that_lie_otherwise_in_their_file_are_refused(case):
    labels = array(case / "fixed_label.nii.gz")
    turned = FIXED @ np.diag([-1, 1, 1, 1])
    save_nifti(case / "fixed_label.nii.gz", labels, turned)
    options = [p for n in ("fixed", "moving") for p in (f"--{n}-label", case / f"{n}_label.nii.gz")]
    done = call(evaluate, case / "run", "--learn2reg", case / "out", *options)
    assert done.exit_code == 1 and "arrays as they are stored" in " ".join(done.output.split())


def test_a_name_without_a_number_is_refused(case):
    report = json.loads((case / "run" / "registration.json").read_text())
    report["files"]["fixed"] = str(case / "fixed_label.nii.gz")
    (case / "run" / "registration.json").write_text(json.dumps(report))
    done = call(evaluate, case / "run", "--learn2reg", case / "out")
    assert done.exit_code == 1 and "no number of four digits" in " ".join(done.output.split())


def test_every_registration_of_a_folder_of_many_is_written(case):
    many = case / "many"
    many.mkdir()
    (case / "run").rename(many / "one")
    other = json.loads((many / "one" / "registration.json").read_text())
    other["files"] = dict(zip(("fixed", "moving"), reversed(other["files"].values()), strict=True))
    (many / "two").mkdir()
    (many / "two" / "registration.json").write_text(json.dumps(other))
    write_transform(transform(), many / "two" / "transform.h5")
    done = call(evaluate, many, "--learn2reg", case / "out")
    assert done.exit_code == 0, done.output
    said = json.loads((case / "out" / "metrics.json").read_text())
    assert set(said["cases"]) == {"0001_0001<--0002_0000", "0002_0000<--0001_0001"}
    assert (case / "out" / "disp_0002_0001.nii.gz").is_file()
    means = [each["LogJacDetStd"]["mean"] for each in said["cases"].values()]
    assert said["aggregates"]["LogJacDetStd"]["mean"] == pytest.approx(np.mean(means))
    assert said["aggregates"]["LogJacDetStd"]["30"] == pytest.approx(np.quantile(means, 0.3))
    mask = "--fixed-mask", case / "mask.nii.gz"
    refused = call(evaluate, many, "--learn2reg", case / "out2", *mask)
    assert refused.exit_code == 1 and "go with one registration" in " ".join(refused.output.split())


@OLD
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
    assert found == ["disp_0000_0002.nii.gz", "disp_0001_0003.nii.gz", "metrics.json"]
    field = nib.load(tmp_path / "l2r" / found[0]).get_fdata()
    np.testing.assert_array_equal(field, nib.load(run / "test/pair_0/ddf.nii.gz").get_fdata())
    figures = json.loads((tmp_path / "l2r" / "metrics.json").read_text())["cases"]
    exact = {"cavity": 1.0, "shell": 1.0}  # the field undoes a shift of whole voxels
    assert figures["0000_0000<--0002_0001"]["DSC"] == {"mean": 1.0, "detailed": exact}
