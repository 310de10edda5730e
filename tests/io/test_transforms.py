"""Transforms that others wrote, in a row, forth and back, and written for others."""

import numpy as np
import pytest
import SimpleITK as sitk
from helpers_cli import call

from mmzoo.cli.apply import apply
from mmzoo.cli.convert import convert
from mmzoo.io import images
from mmzoo.io.nifti import save_nifti
from mmzoo.io.transforms import compose, read_steps, read_transform, write_transform
from mmzoo.registration.chain import one_transform
from mmzoo.spatial.frames import change_frame, matrix_of, transform_of
from mmzoo.spatial.geometry import total_displacement

POINTS = np.random.default_rng(1).uniform(4, 26, (40, 3)).tolist()


def turned_grid():
    turn = sitk.Euler3DTransform()
    turn.SetRotation(0.1, -0.2, 0.15)
    grid = sitk.Image((20, 22, 18), sitk.sitkFloat32)
    grid.SetSpacing((2.0, 1.5, 2.5))
    grid.SetDirection(turn.GetMatrix())
    return grid


def affine():
    made = sitk.AffineTransform(3)
    made.SetMatrix((1.05, 0.1, 0, -0.08, 0.95, 0.05, 0, 0.02, 1.1))
    made.SetTranslation((3, -2, 1.5))
    made.SetCenter((10, 12, 14))
    return made


def curved():
    """A smooth displacement over a cube that holds the points."""
    index = np.moveaxis(np.indices((24, 24, 24)), 0, -1) * 2.0
    field = sitk.GetImageFromArray(1.5 * np.sin(index[..., [1, 2, 0]] / 9.0), isVector=True)
    field.SetSpacing((2, 2, 2))
    field.SetOrigin((-8, -8, -8))
    return sitk.DisplacementFieldTransform(field)


def field_image(transform):
    return sitk.DisplacementFieldTransform(transform).GetDisplacementField()


def through(*transforms):
    """The points after each transform in turn."""
    points = POINTS
    for transform in transforms:
        points = [transform.TransformPoint(point) for point in points]
    return np.array(points)


@pytest.fixture
def files(tmp_path):
    sitk.WriteTransform(affine(), str(tmp_path / "a.mat"))
    sitk.WriteTransform(affine(), str(tmp_path / "a.tfm"))
    sitk.WriteTransform(compose([curved(), affine()]), str(tmp_path / "both.h5"))
    sitk.WriteImage(field_image(curved()), str(tmp_path / "1Warp.nii.gz"))
    return tmp_path


def test_a_field_is_the_same_as_an_image_and_as_a_transform(files):
    for name in ("1Warp.nii.gz",):
        np.testing.assert_allclose(
            through(read_transform(files / name)), through(curved()), atol=1e-5
        )


def test_several_act_in_the_order_in_which_they_are_named(files):
    first, second = files / "1Warp.nii.gz", files / "a.mat"
    whole = one_transform(read_steps([first, second]), turned_grid(), turned_grid())
    np.testing.assert_allclose(through(whole), through(curved(), affine()), atol=1e-5)
    np.testing.assert_allclose(
        through(read_transform(files / "both.h5")), through(whole), atol=1e-5
    )
    other = one_transform(read_steps([second, first]), turned_grid(), turned_grid())
    assert np.abs(through(other) - through(whole)).max() > 0.1


def test_inverse_behind_a_name_turns_that_one_round(files):
    steps = read_steps([files / "a.tfm", f"{files / 'a.mat'}:inverse"])
    still = one_transform(steps, turned_grid(), turned_grid())
    np.testing.assert_allclose(through(still), POINTS, atol=1e-9)
    box = sitk.Image((24, 24, 24), sitk.sitkFloat32)
    box.SetSpacing((2, 2, 2))
    box.SetOrigin((-8, -8, -8))
    steps = read_steps([files / "both.h5", f"{files / 'both.h5'}:inverse"])
    np.testing.assert_allclose(through(one_transform(steps, box, box)), POINTS, atol=0.1)
    # All of it the other way round: the last step first.
    back = one_transform(read_steps([files / "1Warp.nii.gz", files / "a.mat"]), box, box, True)
    np.testing.assert_allclose(through(curved(), affine(), back), POINTS, atol=0.1)


def test_the_command_takes_a_list_and_points_are_exact_both_ways(files):
    csv = files / "p.csv"
    csv.write_text("x,y,z\n" + "\n".join(",".join(map(str, point)) for point in POINTS) + "\n")
    names = (str(files / "1Warp.nii.gz"), str(files / "a.mat"))
    options = ("--frame", "lps", "--transform", *names)
    result = call(apply, *options, "--points", csv, "--out", files / "there.csv")
    assert result.exit_code == 0, result.output
    there = np.loadtxt(files / "there.csv", delimiter=",", skiprows=1)
    np.testing.assert_allclose(there, through(curved(), affine()), atol=1e-3)
    result = call(apply, *options, "--points", files / "there.csv", "--out", files / "back.csv",
                  "--inverse")  # fmt: skip
    assert result.exit_code == 0, result.output
    back = np.loadtxt(files / "back.csv", delimiter=",", skiprows=1)
    np.testing.assert_allclose(back, POINTS, atol=2e-3)


def scene(path, frames=1, seed=0):
    """A smooth image on the turned grid, 4-D if asked."""
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(frames):
        noise = sitk.GetImageFromArray(rng.uniform(size=(18, 22, 20)).astype(np.float32))
        noise.CopyInformation(turned_grid())
        drawn.append(sitk.SmoothingRecursiveGaussian(noise, 3.0))
    sitk.WriteImage(drawn[0] if frames == 1 else sitk.JoinSeries(drawn, 0.0, 2.5), str(path))
    return drawn


def test_every_frame_of_a_4d_image_is_warped(files):
    drawn = scene(files / "frames.nii.gz", 3)
    scene(files / "fixed.nii.gz", seed=1)
    result = call(apply, "--transform", files / "both.h5", "--moving", files / "frames.nii.gz",
                  "--reference", files / "fixed.nii.gz", "--out", files / "out.nii.gz")  # fmt: skip
    assert result.exit_code == 0, result.output
    found = sitk.ReadImage(str(files / "out.nii.gz"))
    assert found.GetSize() == (20, 22, 18, 3) and found.GetSpacing()[3] == pytest.approx(2.5)
    transform = sitk.ReadTransform(str(files / "both.h5"))
    for k, frame in enumerate(drawn):
        low = float(sitk.GetArrayViewFromImage(frame).min())
        wanted = sitk.Resample(frame, turned_grid(), transform, sitk.sitkLinear, low)
        np.testing.assert_allclose(
            sitk.GetArrayFromImage(found)[k], sitk.GetArrayFromImage(wanted), atol=1e-4
        )


def test_what_is_there_is_replaced_only_when_asked_the_input_itself_included(files):
    scene(files / "m.nii.gz")
    options = ("--transform", files / "a.mat", "--moving", files / "m.nii.gz", "--reference",
               files / "m.nii.gz", "--out", files / "m.nii.gz")  # fmt: skip
    before = (files / "m.nii.gz").read_bytes()
    result = call(apply, *options)
    assert result.exit_code == 1 and "--overwrite" in result.output
    assert (files / "m.nii.gz").read_bytes() == before
    assert call(apply, *options, "--overwrite").exit_code == 0
    assert (files / "m.nii.gz").read_bytes() != before


def test_labels_must_lie_on_the_image_that_they_are_said_to_belong_to(files):
    scene(files / "m.nii.gz")
    lost = np.zeros((20, 22, 18), np.float32)
    lost[5:9, 5:9, 5:9] = 3
    save_nifti(files / "labels.nii.gz", lost, np.eye(4))
    options = ("--transform", files / "a.mat", "--moving", files / "labels.nii.gz", "--reference",
               files / "m.nii.gz", "--out", files / "o.nii.gz", "--labels", "nearest")  # fmt: skip
    result = call(apply, *options, "--image", files / "m.nii.gz")
    assert result.exit_code == 1 and "does not lie on its image" in result.output
    assert not (files / "o.nii.gz").exists()


@pytest.mark.parametrize("name", ["o.h5", "o.tfm", "o.nii.gz", "o.mha", "o.mat"])
def test_what_is_converted_acts_alike(name, files):
    scene(files / "fixed.nii.gz")
    given = ["a.tfm"] if name == "o.mat" else ["1Warp.nii.gz", "a.mat"]
    transforms = [str(files / each) for each in given]
    result = call(convert, "--transform", *transforms, "--out", files / name, "--reference",
                  files / "fixed.nii.gz")  # fmt: skip
    assert result.exit_code == 0, result.output
    wanted = [read_transform(files / each) for each in given]
    index = np.array([turned_grid().TransformPhysicalPointToContinuousIndex(p) for p in POINTS])
    within = ((index > 0) & (index < np.array((20, 22, 18)) - 1)).all(axis=1)
    inside = np.array(POINTS)[within].tolist()
    assert len(inside) > 10
    found = read_transform(files / name)
    for point in inside[:20]:
        goal = compose(wanted).TransformPoint(point)
        # A field is sampled on the reference's grid: 2.5 mm.
        exact = 0.05 if name in ("o.nii.gz", "o.mha") else 1e-5
        np.testing.assert_allclose(found.TransformPoint(point), goal, atol=exact)
    again = call(convert, "--transform", *transforms, "--out", files / name)
    assert again.exit_code == 1 and "--overwrite" in again.output


def test_a_format_that_cannot_hold_a_transform_is_refused(files):
    cases = {
        ("o.mat", "1Warp.nii.gz"): "holds one matrix, but the transform is curved",
        ("o.nii.gz", "a.mat"): "needs `--reference`",
        ("o.docx", "a.mat"): "must end in .h5",
        ("o.mhd", "a.mat"): "written as two files",
        ("o.h5", "1Warp.nii.gz:inverse"): "give `--reference` and `--moving`",
    }
    for (out, given), message in cases.items():
        result = call(convert, "--transform", f"{files / given}", "--out", files / out)
        assert result.exit_code == 1 and message in result.output, (out, result.output)
        assert not (files / out).exists()


def test_what_is_no_transform_is_refused_by_name(files):
    scene(files / "image.nii.gz")
    nan = sitk.Image(field_image(curved()))
    nan[3, 3, 3] = (np.nan, 0, 0)
    sitk.WriteImage(nan, str(files / "nan.mha"))
    broken = affine()
    broken.SetTranslation((np.nan, 0, 0))
    sitk.WriteTransform(broken, str(files / "nan.h5"))
    (files / "fsl.mat").write_text("1 0 0 5\n0 1 0 0\n0 0 1 0\n0 0 0 1\n")
    (files / "text.txt").write_text("nothing")
    cases = {
        "image.nii.gz": "is no transform: an image of displacements must be",
        "nan.mha": "holds NaN",
        "nan.h5": "holds NaN or infinity in its",
        "fsl.mat": "a matrix of FSL, which means something only between two images",
        "text.txt": "is no transform that ITK reads",
        "none.h5": "is not there",
    }
    for name, message in cases.items():
        with pytest.raises(ValueError, match=f"{name} .*{message}|{message}"):
            read_transform(files / name)


def elastix_pair(folder):
    itk = pytest.importorskip("itk")
    if not hasattr(itk, "elastix_registration_method"):
        pytest.skip("itk-elastix is not installed")
    rng = np.random.default_rng(0)
    noise = sitk.GetImageFromArray(rng.uniform(size=(18, 22, 20)).astype(np.float32))
    values = sitk.GetArrayFromImage(sitk.SmoothingRecursiveGaussian(noise, 2.0))
    made = []
    for shift in (0, 1):
        image = itk.image_from_array(np.roll(values, shift, 0))
        image.SetSpacing(list(turned_grid().GetSpacing()))
        turn = np.array(turned_grid().GetDirection()).reshape(3, 3)
        image.SetDirection(itk.matrix_from_array(turn))
        made.append(image)
    parameters = itk.ParameterObject.New()
    for kind in ("translation", "rigid", "affine", "bspline"):
        chosen = parameters.GetDefaultParameterMap(kind, 1, 20.0)
        chosen["MaximumNumberOfIterations"] = ["10"]
        parameters.AddParameterMap(chosen)
    _, found = itk.elastix_registration_method(
        *made, parameter_object=parameters, output_directory=str(folder), log_to_console=False
    )
    where = {"output_directory": str(folder)}  # it writes the field into the working folder else
    return itk.array_from_image(itk.transformix_deformation_field(made[0], found, **where))


def test_elastix_parameters_do_what_transformix_does(tmp_path):
    wanted = elastix_pair(tmp_path)
    transform = read_transform(tmp_path / "TransformParameters.3.txt")
    found = sitk.GetArrayFromImage(total_displacement(transform, turned_grid()))
    assert np.abs(wanted).max() > 1
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    moved = tmp_path / "moved"  # where the whole folder went elsewhere
    moved.mkdir()
    for file in tmp_path.glob("TransformParameters*"):
        file.rename(moved / file.name)
    again = read_transform(moved / "TransformParameters.3.txt")
    np.testing.assert_allclose(through(again), through(transform), atol=1e-9)
    (moved / "TransformParameters.0.txt").unlink()
    with pytest.raises(ValueError, match="which is not there"):
        read_transform(moved / "TransformParameters.3.txt")


def test_an_unknown_transform_of_elastix_is_refused(tmp_path):
    (tmp_path / "t.txt").write_text(
        '(Transform "SplineKernelTransform")\n(TransformParameters 1 2)\n(FixedImageDimension 3)\n'
    )
    with pytest.raises(ValueError, match="SplineKernelTransform is not among"):
        read_transform(tmp_path / "t.txt")


def test_ants_applies_what_is_converted_as_we_do(files):
    ants = pytest.importorskip("ants")
    scene(files / "fixed.nii.gz")
    (moving,) = scene(files / "moving.nii.gz", seed=2)
    for name in ("o.h5", "o.nii.gz"):
        call(convert, "--transform", files / "1Warp.nii.gz", files / "a.mat", "--out", files / name,
             "--reference", files / "fixed.nii.gz")  # fmt: skip
        both = [ants.image_read(str(files / f"{role}.nii.gz")) for role in ("fixed", "moving")]
        theirs = ants.apply_transforms(*both, [str(files / name)]).numpy()
        ours = sitk.Resample(moving, turned_grid(), read_transform(files / name))
        np.testing.assert_allclose(sitk.GetArrayFromImage(ours).T, theirs, atol=2e-3)
    # And a list, in its order.
    theirs = ants.apply_transforms(*both, [str(files / "1Warp.nii.gz"), str(files / "a.mat")])
    way = one_transform(read_steps([files / "1Warp.nii.gz", files / "a.mat"]), moving, moving)
    ours = sitk.GetArrayFromImage(sitk.Resample(moving, turned_grid(), way)).T
    np.testing.assert_allclose(ours, theirs.numpy(), atol=2e-3)


def test_matrices_of_freesurfer_and_fsl_are_read(tmp_path):
    pytest.importorskip("nitransforms")
    matrix = matrix_of(affine())
    write_transform(affine(), tmp_path / "a.lta")
    np.testing.assert_allclose(matrix_of(read_transform(tmp_path / "a.lta")), matrix, atol=1e-5)
    # FreeSurfer: RAS of the source (moving) to RAS of the destination (fixed).
    rows = np.linalg.inv(change_frame(matrix))
    said = [line for line in (tmp_path / "a.lta").read_text().splitlines() if line.count(".") == 4]
    np.testing.assert_allclose(
        [list(map(float, line.split())) for line in said[:4]], rows, atol=1e-4
    )
    # FSL: scaled voxels of the moving image to those of the fixed one, x turned where the
    # determinant is positive; here both images have RAS axes.
    size, steps = (20, 22, 18), np.array([2.0, 1.5, 2.5])
    place = np.diag([*steps, 1.0])
    save_nifti(tmp_path / "f.nii.gz", np.zeros(size, np.float32), place)
    save_nifti(tmp_path / "m.nii.gz", np.zeros(size, np.float32), place)
    flip = np.diag([-1.0, 1, 1, 1])
    flip[0, 3] = (size[0] - 1) * steps[0]
    fsl = flip @ np.linalg.inv(change_frame(matrix)) @ np.linalg.inv(flip)
    np.savetxt(tmp_path / "fsl.mat", fsl)
    found = read_transform(tmp_path / "fsl.mat", tmp_path / "f.nii.gz", tmp_path / "m.nii.gz")
    np.testing.assert_allclose(matrix_of(found), matrix, atol=1e-5)
    assert isinstance(transform_of(matrix), sitk.AffineTransform)


def test_a_field_of_mmzoo_and_slicers_points_go_through_the_command(files):
    image = images.read(_written(files))
    write_transform(curved(), files / "displacement_mm.nii.gz", image.image)
    (files / "p.mrk.json").write_text(
        '{"markups": [{"coordinateSystem": "LPS", "controlPoints": [{"position": [12, 13, 14]}]}]}'
    )
    result = call(apply, "--transform", files / "displacement_mm.nii.gz", "--points",
                  files / "p.mrk.json", "--out", files / "q.mrk.json")  # fmt: skip
    assert result.exit_code == 0, result.output
    from mmzoo.io.points import read_points

    found = read_points(files / "q.mrk.json").places[0]
    np.testing.assert_allclose(found, curved().TransformPoint((12, 13, 14)), atol=0.05)


def _written(folder):
    scene(folder / "fixed.nii.gz")
    return folder / "fixed.nii.gz"
