import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import yaml
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial.transform import Rotation

from mmzoo.datasets.pairs import PairOptions, prepare_pairs
from mmzoo.io.images import read_image
from mmzoo.metrics import dice, jacobian_determinant
from mmzoo.spatial import geometry

SLOPE = np.array([1.0, -2.0, 3.5])


def save(path, array, affine):
    nib.save(nib.Nifti1Image(array, affine), path)
    return path


def oblique_affine(centre, spacing, shape, angles):
    """An affine whose axes are rotated and whose middle voxel is at ``centre`` (RAS mm)."""
    turn = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    affine = np.eye(4)
    affine[:3, :3] = turn * np.array(spacing)
    affine[:3, 3] = centre - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return affine


def ramp(affine, shape):
    """Values that are linear in the physical position: no two places look alike."""
    index = np.moveaxis(np.indices(shape), 0, -1)
    return ((index @ affine[:3, :3].T + affine[:3, 3]) @ SLOPE).astype(np.float32)


def positions(path):
    """Image values and RAS positions of the voxel centres, by NIfTI's own affine."""
    image = nib.load(path)
    index = np.moveaxis(np.indices(image.shape), 0, -1)
    return np.asarray(image.dataobj), index @ image.affine[:3, :3].T + image.affine[:3, 3]


@pytest.fixture
def ramps(tmp_path):
    """A moving and a fixed image of other shape, spacing and tilt, round one centre."""
    files = []
    for name, shape, spacing, angles in (
        ("moving", (40, 50, 60), (2.0, 1.5, 1.2), (0, 0, 0)),
        ("fixed", (30, 44, 20), (1.5, 1.0, 3.0), (12, -8, 20)),
    ):
        affine = oblique_affine((10, -20, 30), spacing, shape, angles)
        files.append(save(tmp_path / f"{name}.nii.gz", ramp(affine, shape), affine))
    return files


def test_values_stay_at_their_physical_place_through_oblique_anisotropic_grids(ramps, tmp_path):
    options = PairOptions(size=(32, 48, 16), crop=(36.0, 36.0, 40.0))
    prepare_pairs([ramps[0]], [ramps[1]], tmp_path / "out", options)
    for case in ("moving_000", "fixed_000"):
        values, points = positions(tmp_path / "out/images" / f"{case}.nii.gz")
        expected = points @ SLOPE
        # The percentiles that are clipped are the ends of the ramp.
        inner = (values > values.min()) & (values < values.max())
        assert inner.mean() > 0.9
        assert values[inner] == pytest.approx(expected[inner], abs=0.25)


def test_both_images_of_a_pair_share_one_grid_along_the_fixed_axes(ramps, tmp_path):
    prepare_pairs([ramps[0]], [ramps[1]], tmp_path / "out", PairOptions(size=(32, 32, 16)))
    moving, fixed = (
        nib.load(tmp_path / f"out/images/{case}_000.nii.gz") for case in ("moving", "fixed")
    )
    assert moving.shape == fixed.shape == (32, 32, 16)
    assert np.array_equal(moving.affine, fixed.affine)
    source = nib.load(ramps[1]).affine[:3, :3]
    unit = source / np.linalg.norm(source, axis=0)
    steps = np.linalg.norm(fixed.affine[:3, :3], axis=0)
    assert fixed.affine[:3, :3] / steps == pytest.approx(unit, abs=1e-4)


def test_axes_come_out_nearest_to_right_anterior_superior(tmp_path):
    shape, files = (20, 30, 40), []
    affine = np.array([[0, 0, 2.0, 0], [-2.0, 0, 0, 0], [0, -2.0, 0, 0], [0, 0, 0, 1]])
    for name in ("a", "b"):
        files.append(save(tmp_path / f"{name}.nii.gz", ramp(affine, shape), affine))
    prepare_pairs(files[:1], files[1:], tmp_path / "out", PairOptions(size=(16, 16, 16)))
    image = nib.load(tmp_path / "out/images/fixed_000.nii.gz")
    assert nib.aff2axcodes(image.affine) == ("R", "A", "S")
    # 40 voxels of 2 mm run along x, 20 along y, 30 along z.
    assert image.header.get_zooms() == pytest.approx([5, 2.5, 3.75], abs=1e-4)


def test_spacing_gives_shapes_of_multiples_of_sixteen(ramps, tmp_path):
    options = PairOptions(size=None, spacing=(1.0, 1.5, 2.5))
    description = prepare_pairs([ramps[0]], [ramps[1]], tmp_path / "out", options)
    info = description["cases"]["moving_000"]
    assert info["spacing_mm"] == pytest.approx([1, 1.5, 2.5], abs=1e-4)
    assert info["shape"] == [48, 32, 32]


def test_field_of_view_is_what_both_images_show(tmp_path):
    affines = [np.diag([1.0, 1, 1, 1]), np.diag([1.0, 1, 1, 1])]
    affines[1][:3, 3] = [10, 0, -5]
    files = [
        save(tmp_path / f"{k}.nii.gz", ramp(affine, (32, 32, 32)), affine)
        for k, affine in enumerate(affines)
    ]
    prepare_pairs(files[:1], files[1:], tmp_path / "out", PairOptions(size=(16, 16, 16)))
    affine = nib.load(tmp_path / "out/images/moving_000.nii.gz").affine
    low, high = (affine @ [end, end, end, 1] for end in (-0.5, 15.5))
    assert low[:3] == pytest.approx([9.5, -0.5, -0.5], abs=1e-4)
    assert high[:3] == pytest.approx([31.5, 31.5, 26.5], abs=1e-4)


def ball(shape, centre, radius, values=(7, 3)):
    """A ball of one label within a shell of another."""
    distance = np.linalg.norm(np.moveaxis(np.indices(shape), 0, -1) - centre, axis=-1)
    inner, shell = values
    return np.where(distance < radius, inner, np.where(distance < 2 * radius, shell, 0))


@pytest.fixture
def labelled(tmp_path):
    """Two pairs with label maps."""
    rng, affine = np.random.default_rng(0), np.diag([-2.0, -2.0, 2.0, 1.0])
    files = {"moving": [], "fixed": [], "moving_labels": [], "fixed_labels": []}
    for k in range(2):
        for role in ("moving", "fixed"):
            image = rng.random((32, 32, 32), dtype=np.float32)
            labels = ball(image.shape, (20, 12, 16), 5).astype(np.int16)
            files[role].append(save(tmp_path / f"{role}{k}.nii.gz", image, affine))
            name = f"{role}_labels"
            files[name].append(save(tmp_path / f"{name}{k}.nii.gz", labels, affine))
    return files


def test_label_values_become_binary_channels_at_their_place(labelled, tmp_path):
    options = PairOptions(size=(32, 32, 32), label_values=[7, 3], label_names=["core", "shell"])
    description = prepare_pairs(out=tmp_path / "out", options=options, **labelled)
    assert description["labels"] == ["core", "shell"]
    image = nib.load(tmp_path / "out/labels/moving_001.nii.gz")
    channels = np.asarray(image.dataobj)
    assert channels.shape == (32, 32, 32, 2) and set(np.unique(channels)) == {0, 1}
    source = np.asarray(nib.load(labelled["moving_labels"][1]).dataobj)
    for channel, value in enumerate([7, 3]):
        inside = np.argwhere(channels[..., channel])
        middle = image.affine[:3, :3] @ inside.mean(0) + image.affine[:3, 3]
        assert middle == pytest.approx([-40, -24, 32], abs=0.5)
        assert len(inside) == np.sum(source == value)


def test_all_label_values_are_taken_when_none_are_named(labelled, tmp_path):
    description = prepare_pairs(
        out=tmp_path / "out", options=PairOptions(size=(16, 16, 16)), **labelled
    )
    assert description["labels"] == ["label 3", "label 7"]


def test_one_pair_trains_and_tests_on_itself(ramps, tmp_path):
    options = PairOptions(size=(16, 16, 16))
    description = prepare_pairs([ramps[0]], [ramps[1]], tmp_path / "out", options)
    (fold,) = description["folds"]
    assert fold["train"] == fold["test"] == {"moving": ["moving_000"], "fixed": ["fixed_000"]}
    section = yaml.safe_load((tmp_path / "out/fold0.yaml").read_text())["dataset"]
    assert section["labeled"] is False and section["dir"]["valid"] is None
    assert section["moving_image_shape"] == [16, 16, 16]


def test_several_pairs_are_split_into_folds_pair_by_pair(labelled, tmp_path):
    options = PairOptions(size=(16, 16, 16), folds=4)
    description = prepare_pairs(labelled["moving"], labelled["fixed"], tmp_path / "out", options)
    assert len(description["folds"]) == 2
    for k, split in ((0, "test"), (1, "train")):
        folder = tmp_path / f"out/fold{k}/{split}/moving_images"
        assert [path.name for path in folder.iterdir()] == ["moving_000__fixed_000.nii.gz"]


def test_intensities_are_clipped_to_their_percentiles(labelled, tmp_path):
    options = PairOptions(size=(32, 32, 32))
    prepare_pairs(labelled["moving"], labelled["fixed"], tmp_path / "out", options)
    values, _ = positions(tmp_path / "out/images/fixed_001.nii.gz")
    source = np.asarray(nib.load(labelled["fixed"][1]).dataobj)
    assert values.min() == pytest.approx(np.percentile(source, 1), abs=1e-3)
    assert values.max() == pytest.approx(np.percentile(source, 99), abs=1e-3)


def test_coarser_grids_are_smoothed_first(tmp_path):
    affine = np.eye(4)
    checker = (np.indices((64, 64, 64)).sum(0) % 2 * 100).astype(np.float32)
    path = save(tmp_path / "checker.nii.gz", checker, affine)
    image = read_image(path).image
    grid = geometry.make_grid(image, [-0.5] * 3, [63.5] * 3, (16, 16, 16))
    assert geometry.resample_image(image, grid)[2:-2, 2:-2, 2:-2].std() < 1


def test_body_crop_leaves_out_the_air(tmp_path):
    body = np.zeros((48, 48, 48), np.float32)
    body[10:30, 16:40, 5:21] = 100
    body += np.random.default_rng(0).random(body.shape, dtype=np.float32)
    path = save(tmp_path / "body.nii.gz", body, np.eye(4))
    prepare_pairs([path], [path], tmp_path / "out", PairOptions(size=(16, 16, 16), crop="body"))
    affine = nib.load(tmp_path / "out/images/fixed_000.nii.gz").affine
    low, high = ((affine @ [end, end, end, 1])[:3] for end in (-0.5, 15.5))
    # 5 mm round the body, and no further than the image.
    assert low == pytest.approx([4.5, 10.5, -0.5], abs=1e-3)
    assert high == pytest.approx([34.5, 44.5, 25.5], abs=1e-3)


@pytest.fixture
def bad(tmp_path):
    """Files that cannot be used, by what is wrong with them."""
    good = np.random.default_rng(0).random((16, 16, 16), dtype=np.float32)
    holes = good.copy()
    holes[3, 4, 5] = np.nan
    away = np.eye(4)
    away[:3, 3] = 500
    arrays = {
        "good": (good, np.eye(4)),
        "nan": (holes, np.eye(4)),
        "constant": (np.full((16, 16, 16), 7, np.float32), np.eye(4)),
        "4-D": (np.stack([good, good], -1), np.eye(4)),
        "flat": (good[..., :1], np.eye(4)),
        "away": (good, away),
        "sheared": (good, np.eye(4) + np.eye(4)[[1, 2, 3, 0]] * [[0.5], [0], [0], [0]]),
    }
    files = {name: save(tmp_path / f"{name}.nii.gz", *pair) for name, pair in arrays.items()}
    files["corrupt"] = tmp_path / "corrupt.nii.gz"
    files["corrupt"].write_bytes(files["good"].read_bytes()[:2000])
    files["text"] = tmp_path / "text.nii.gz"
    files["text"].write_text("not an image")
    files["missing"] = tmp_path / "missing.nii.gz"
    return files


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nan", "nan.nii.gz must hold finite numbers, got 1 voxels"),
        ("constant", "constant.nii.gz is constant, 7 in every voxel"),
        ("4-D", r"4-D.nii.gz must be one 3-D volume.*got size \(16, 16, 16, 2\)"),
        ("flat", "flat.nii.gz must be one 3-D volume"),
        ("away", r"do not overlap in space.*\[500, 516\]"),
        ("sheared", "sheared.nii.gz must have axes at right angles"),
        ("text", "text.nii.gz cannot be read"),
        ("corrupt", "corrupt.nii.gz cannot be read"),
        ("missing", "missing.nii.gz is not there"),
    ],
)
def test_unusable_images_are_named_before_anything_is_written(name, message, bad, tmp_path):
    for pair in ((name, "good"), ("good", name)):
        with pytest.raises(ValueError, match=message):
            prepare_pairs(
                [bad[pair[0]]], [bad[pair[1]]], tmp_path / "out", PairOptions(size=(16, 16, 16))
            )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": (16, 16, 10)}, r"multiples of 16.*got \(16, 16, 10\); use \(16, 16, 16\)"),
        ({"size": None}, "either `size` or `spacing`"),
        ({"size": (16, 16, 16), "crop": "bodi"}, "`crop` is 'bodi': did you mean 'body'"),
        ({"size": None, "spacing": (1.0, 0.0, 1.0)}, "`spacing` must be a number above 0"),
    ],
)
def test_wrong_options_are_named(options, message, bad, tmp_path):
    with pytest.raises(ValueError, match=message):
        prepare_pairs([bad["good"]], [bad["good"]], tmp_path / "out", PairOptions(**options))


def test_unequal_counts_are_named(bad, tmp_path):
    with pytest.raises(ValueError, match="got 2 and 1"):
        prepare_pairs([bad["good"]] * 2, [bad["good"]], tmp_path / "out", PairOptions())
    with pytest.raises(ValueError, match="got 1 moving and 0 fixed ones for 1 pairs"):
        prepare_pairs(
            [bad["good"]],
            [bad["good"]],
            tmp_path / "out",
            PairOptions(),
            moving_labels=[bad["good"]],
        )


def test_an_image_given_as_label_map_is_named(bad, labelled, tmp_path):
    labelled["fixed_labels"][1] = bad["good"]
    with pytest.raises(ValueError, match="good.nii.gz must be a label map of whole numbers"):
        prepare_pairs(out=tmp_path / "out", options=PairOptions(size=(16, 16, 16)), **labelled)


def test_labels_off_their_image_are_refused(labelled, tmp_path):
    file = labelled["moving_labels"][1]
    save(file, np.asarray(nib.load(file).dataobj), np.eye(4))  # its header is lost
    with pytest.raises(ValueError, match="moving_labels1.nii.gz does not lie on its image"):
        prepare_pairs(out=tmp_path / "out", options=PairOptions(size=(16, 16, 16)), **labelled)
    assert not (tmp_path / "out").exists()


def test_a_label_that_a_file_lacks_is_named(labelled, tmp_path):
    options = PairOptions(size=(16, 16, 16), label_values=[3, 5])
    with pytest.raises(ValueError, match=r"no voxel of label value\(s\) \[5\]"):
        prepare_pairs(out=tmp_path / "out", options=options, **labelled)
    assert not (tmp_path / "out").exists()


def test_a_data_set_is_not_replaced_unless_asked(ramps, tmp_path):
    options = PairOptions(size=(16, 16, 16))
    prepare_pairs([ramps[0]], [ramps[1]], tmp_path / "out", options)
    with pytest.raises(ValueError, match="holds a data set already"):
        prepare_pairs([ramps[0]], [ramps[1]], tmp_path / "out", options)
    with pytest.raises(ValueError, match="gone.nii.gz is not there"):
        gone = tmp_path / "gone.nii.gz"
        prepare_pairs([gone], [ramps[1]], tmp_path / "out", options, overwrite=True)
    assert len(list((tmp_path / "out/images").iterdir())) == 2
    wider = PairOptions(size=(32, 16, 16))
    description = prepare_pairs([ramps[0]], [ramps[1]], tmp_path / "out", wider, overwrite=True)
    assert description["cases"]["fixed_000"]["shape"] == [32, 16, 16]


@pytest.fixture
def real_data():
    """The folder of real volumes."""
    folder = os.environ.get("MMZOO_REAL_DATA")
    if not folder:
        pytest.skip("MMZOO_REAL_DATA is not set to the folder of real volumes")
    return Path(folder)


def test_real_beating_heart_keeps_its_ten_slices_apart(real_data, tmp_path):
    frames = [real_data / "acdc-sample" / f"sax_{frame}.nii.gz" for frame in ("es", "ed")]
    options = PairOptions(size=(96, 96, 16))
    info = prepare_pairs(frames[:1], frames[1:], tmp_path / "out", options)["cases"]["fixed_000"]
    assert info["spacing_mm"] == pytest.approx([2, 2, 6.25])
    volumes = [
        positions(tmp_path / f"out/images/{role}_000.nii.gz")[0] for role in ("moving", "fixed")
    ]
    assert 0.7 < np.corrcoef(volumes[0].ravel(), volumes[1].ravel())[0, 1] < 0.999


def test_real_t1_and_pd_show_the_same_head_place_by_place(real_data, tmp_path):
    from scipy.ndimage import map_coordinates

    folder = real_data / "same-subject-t1-pd"
    files = [folder / "chris_PD.nii.gz", folder / "chris_t1.nii.gz"]
    prepare_pairs(files[:1], files[1:], tmp_path / "out", PairOptions(size=(64, 64, 48)))
    for role, path in zip(("moving", "fixed"), files, strict=True):
        values, points = positions(tmp_path / f"out/images/{role}_000.nii.gz")
        source = nib.load(path)
        inverse = np.linalg.inv(source.affine)
        index = np.moveaxis(points @ inverse[:3, :3].T + inverse[:3, 3], -1, 0)
        direct = map_coordinates(np.asarray(source.dataobj, np.float32), index, order=1)
        assert np.corrcoef(values.ravel(), direct.ravel())[0, 1] > 0.95


# === Deformation ===


@pytest.fixture
def blobs(tmp_path):
    """One aligned pair with a label, on an anisotropic, turned grid."""
    shape, spacing = (32, 48, 16), (2.0, 1.5, 4.0)
    affine = oblique_affine((10, -20, 30), spacing, shape, (12, -8, 20))
    smooth = gaussian_filter(np.random.default_rng(0).random(shape), 2).astype(np.float32)
    image = save(tmp_path / "t1.nii.gz", smooth, affine)
    label = save(tmp_path / "label.nii.gz", (smooth > 0.52).astype(np.uint8), affine)
    return image, label


def prepare_deformed(blobs, out, **changes):
    image, label = blobs
    options = PairOptions(size=(32, 48, 16), **{"deform": 8.0, "seed": 3, **changes})
    labels = {"moving_labels": [label], "fixed_labels": [label]}
    return prepare_pairs([image], [image], out, options, **labels)


def volume(out, name):
    return nib.load(out / f"{name}.nii.gz").get_fdata()


def test_the_true_field_undoes_the_deformation_and_does_not_fold(blobs, tmp_path):
    out = tmp_path / "out"
    prepare_deformed(blobs, out)
    field = volume(out, "fields/moving_000__fixed_000")
    known = np.isfinite(field).all(axis=-1)
    assert known.mean() > 0.7
    lengths = np.linalg.norm(field * (2.0, 1.5, 4.0), axis=-1)
    assert 0.8 * 8 * 0.8 < np.nanmax(lengths) < 8.2
    points = np.indices(known.shape) + np.moveaxis(np.where(known[..., None], field, 0), -1, 0)
    fixed, moving = volume(out, "images/fixed_000"), volume(out, "images/moving_000")
    off = np.abs(map_coordinates(moving, points, order=1, mode="nearest") - fixed)[known]
    assert off.mean() < 0.3 * np.abs(moving - fixed)[known].mean()
    labels = [volume(out, f"labels/{case}_000")[..., 0] for case in ("fixed", "moving")]
    back = map_coordinates(labels[1], points, order=1, mode="nearest") >= 0.5
    assert dice(back[known], labels[0][known] > 0) > 0.85 > dice(labels[1] > 0, labels[0] > 0)
    inner = tuple(slice(4, -4) for _ in range(3))
    assert jacobian_determinant(field[inner]).min() > 0


def test_the_seed_decides_the_deformation(blobs, tmp_path):
    made = [
        prepare_deformed(blobs, tmp_path / name, seed=seed) and tmp_path / name
        for name, seed in (("a", 3), ("b", 3), ("c", 4))
    ]
    a, b, c = (volume(out, "images/moving_000") for out in made)
    np.testing.assert_array_equal(a, b)
    assert np.abs(a - c).max() > 0
    prepare_deformed(blobs, tmp_path / "still", deform=None)
    assert not (tmp_path / "still" / "fields").exists()


def test_a_deformation_must_have_a_size(blobs, tmp_path):
    with pytest.raises(ValueError, match="`deform` must be a number above 0, got -1"):
        prepare_deformed(blobs, tmp_path / "out", deform=-1)
    assert not (tmp_path / "out").exists()
