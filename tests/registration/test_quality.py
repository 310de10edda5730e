"""Registrations and files measured: labels, landmarks, fields."""

import csv
import json

import numpy as np
import pytest
import SimpleITK as sitk
from helpers_cli import call

from mmzoo.cli.evaluate import evaluate
from mmzoo.io.transform_file import write_transform
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


def test_each_file_of_a_pair_is_read_once(tmp_path, monkeypatch):
    from helpers_pairs import write_table

    from mmzoo.io import images
    from mmzoo.registration.job import register_files
    from mmzoo.registration.pair_files import read_pairs

    (pair,) = read_pairs(write_table(tmp_path, 1))
    opened, open_source = [], images.open_source

    def noted(source, *arguments):
        opened.append(source)
        return open_source(source, *arguments)

    monkeypatch.setattr(images, "open_source", noted)
    options = {"initial": "none", "field": "none"}
    report = register_files(pair, tmp_path / "out", options, frame="lps")
    assert set(report["dice"]) == {"before", "linear", "after"}
    read = [path for name, path in pair.files().items() if not name.endswith("points")]
    assert len(read) == 5 and sorted(opened) == sorted(read)


def test_the_command_of_one_pair_measures_labels_and_landmarks_at_once(tmp_path):
    from helpers_pairs import write_table

    from mmzoo.cli.register import register
    from mmzoo.registration.pair_files import read_pairs

    (pair,) = read_pairs(write_table(tmp_path, 1))
    short = {"moving_label": "label", "moving_points": "points"}
    named = {short.get(name, name.replace("_", "-")): path for name, path in pair.files().items()}
    given = [part for name, path in named.items() for part in (f"--{name}", path)]
    plain = ("--frame", "lps", "--initial", "none", "--field", "none")
    done = call(register, *given, *plain, "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    said = json.loads((tmp_path / "out" / "registration.json").read_text())
    fixed, moving = (
        np.loadtxt(named[name], delimiter=",", skiprows=1) for name in ("fixed-points", "points")
    )
    apart = np.linalg.norm(fixed - moving, axis=1).mean()
    assert apart > 1 and said["tre_mm"]["before"] == pytest.approx(apart, abs=1e-3)
    assert 0 < said["dice"]["before"] < 1 and (tmp_path / "out" / "label.nii.gz").is_file()
