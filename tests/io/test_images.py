"""Labels, masks and objects of Python through the one reader."""

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from mmzoo.io import images
from mmzoo.io.nifti import save_nifti
from mmzoo.spatial.frames import ras_affine

SHAPE = (9, 8, 7)
AFFINE = np.diag([1.5, 2.0, 2.5, 1.0])
AFFINE[:3, 3] = (-5, 6, 7)


def image(path, affine=AFFINE, values=None):
    values = np.random.default_rng(0).uniform(size=SHAPE) if values is None else values
    save_nifti(path, values.astype(np.float32), affine)
    return path


def labels(path, values, affine=AFFINE, dtype=None):
    file = nib.Nifti1Image(values, affine, dtype=dtype or values.dtype)
    file.set_qform(affine, 1)
    nib.save(file, path)
    return path


def ids(*found, dtype=np.int64):
    values = np.zeros(SHAPE, dtype)
    values.flat[: len(found)] = found
    return values


@pytest.mark.parametrize(
    "values",
    [
        ids(2**24 + 1, 2**24, 2**31 - 1, -7, dtype=np.int32),
        ids(2**40 + 1, 2**53 - 1, 3),
        ids(2**16, 5, dtype=np.uint32),
        ids(255, dtype=np.uint8),
        ids(2**24, 17, dtype=np.float32),
        ids(2**40 + 1, 2**53, dtype=np.float64),
    ],
    ids=["int32", "int64", "uint32", "uint8", "float32", "float64"],
)
@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd"])
def test_label_values_are_exact_through_reading_warping_and_writing(values, ending, tmp_path):
    path = labels(tmp_path / "a.nii.gz", values)
    if ending == ".nrrd":
        plain = sitk.GetImageFromArray(values.T)
        path = tmp_path / "a.nrrd"
        sitk.WriteImage(plain, str(path))
    loaded = images.read_labels(path)
    found = loaded.turned_back(loaded.image)
    assert found.GetPixelIDTypeAsString() in ("32-bit signed integer", "64-bit signed integer")
    same = sitk.Resample(
        found, found, sitk.Transform(3, sitk.sitkIdentity), sitk.sitkNearestNeighbor
    )
    images.write_image(same, tmp_path / "b.nii.gz")
    written = np.asarray(nib.load(tmp_path / "b.nii.gz").dataobj)
    assert written.dtype.kind == "i"
    np.testing.assert_array_equal(written, values.astype(np.int64))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (ids(2**24 + 2, dtype=np.float32), "up to 16777218 as float32, which cannot tell"),
        (ids(2**53 + 2, dtype=np.float64), "cannot tell whole numbers above 9007199254740992"),
        (ids(2**60), "those above 2.53 would be changed"),
        (ids(0.5, dtype=np.float32), "whole numbers, got values in between"),
        (ids(np.nan, dtype=np.float32), "whole numbers, got values in between or NaN"),
    ],
)
def test_label_values_that_cannot_be_exact_are_refused(values, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        images.read_labels(labels(tmp_path / "a.nii.gz", values))


SHIFTED = AFFINE.copy()
SHIFTED[0, 3] += 0.8 * 1.5
CLOSE = AFFINE.copy()
CLOSE[0, 3] += 0.2 * 1.5


@pytest.mark.parametrize("affine", [np.eye(4), SHIFTED, AFFINE @ np.diag([-1, 1, 1, 1])])
def test_labels_and_masks_off_their_image_are_refused(affine, tmp_path):
    on = images.read_image(image(tmp_path / "image.nii.gz"))
    file = labels(tmp_path / "labels.nii.gz", ids(1, 2, dtype=np.uint8), affine)
    with pytest.raises(ValueError, match="labels.nii.gz does not lie on its image .*image.nii.gz"):
        images.read_labels(file, on=on)
    with pytest.raises(ValueError, match="labels.nii.gz does not lie on its image"):
        images.read_mask(file, on)


def test_labels_of_another_size_are_refused_and_small_shifts_are_said(tmp_path):
    on = images.read_image(image(tmp_path / "image.nii.gz"))
    other = labels(tmp_path / "other.nii.gz", np.ones((9, 8, 6), np.uint8))
    with pytest.raises(ValueError, match=r"size \(9, 8, 6\) against \(9, 8, 7\)"):
        images.read_labels(other, on=on)
    close = images.read_labels(labels(tmp_path / "a.nii", ids(1, dtype=np.uint8), CLOSE), on=on)
    assert "off by 0.2 voxels" in close.notes[-1]
    np.testing.assert_array_equal(ras_affine(close.image), ras_affine(on.image))


def test_labels_stored_with_turned_axes_lie_on_their_image(tmp_path):
    """A label map flipped together with its header is the same map."""
    on = images.read_image(image(tmp_path / "image.nii.gz"))
    values = ids(*range(30), dtype=np.int16)
    flip = AFFINE @ np.array([[-1, 0, 0, 8], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    file = labels(tmp_path / "labels.nii.gz", values[::-1], flip)
    found = images.read_labels(file, on=on).image
    np.testing.assert_array_equal(sitk.GetArrayFromImage(found).T, values)


def test_a_mask_counts_above_0_and_neither_nan_nor_minus_1_do(tmp_path):
    on = images.read_image(image(tmp_path / "image.nii.gz"))
    values = np.zeros(SHAPE, np.float32)
    values.flat[:5] = (np.nan, -1, 0.25, 3, np.inf)
    mask = images.read_mask(image(tmp_path / "mask.nii.gz", values=values), on).image
    np.testing.assert_array_equal(sitk.GetArrayFromImage(mask).T, values > 0)
    values[values > 0] = np.nan
    with pytest.raises(ValueError, match="mask.nii.gz is empty"):
        images.read_mask(image(tmp_path / "mask.nii.gz", values=values), on)


def test_objects_of_python_lie_where_files_do(tmp_path):
    path = image(tmp_path / "a.nii.gz")
    file = nib.load(path)
    values = np.asarray(file.dataobj)
    wanted = images.read(path, "a")
    for source in (file, (values, AFFINE), wanted.image, str(path)):
        found = images.read(source, "a")
        np.testing.assert_array_equal(
            sitk.GetArrayFromImage(found.image), sitk.GetArrayFromImage(wanted.image)
        )
        np.testing.assert_allclose(ras_affine(found.image), ras_affine(wanted.image), atol=1e-5)
    spaced = images.read((values, (1.5, 2.0, 2.5)), "a").image
    assert spaced.GetSpacing() == (1.5, 2.0, 2.5) and spaced.GetOrigin() == (0.0, 0.0, 0.0)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(spaced).T, values)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (np.zeros(SHAPE), "the fixed image is a bare array"),
        ((np.zeros(SHAPE), (1.0, 2.0)), "three voxel sizes in mm"),
        ((np.zeros((3, 3)), (1.0, 2.0, 3.0)), r"got shape \(3, 3\)"),
        ([1, 2], "or \\(array, spacing_mm\\), got list"),
    ],
)
def test_an_object_that_does_not_say_where_it_lies_is_refused(source, message):
    with pytest.raises(ValueError, match=message):
        images.read(source, "fixed")


def test_freesurfers_files_are_read(tmp_path):
    values = np.random.default_rng(0).integers(0, 200, SHAPE).astype(np.int32)
    affine = np.array([[-1.5, 0, 0, 5], [0, 0, 2, 6], [0, -2.5, 0, 7], [0, 0, 0, 1.0]])
    for name in ("a.mgz", "a.mgh"):
        nib.save(nib.MGHImage(values, affine), tmp_path / name)
        loaded = images.read_labels(tmp_path / name)
        assert loaded.axes == "LIA"
        same = loaded.turned_back(loaded.image)
        np.testing.assert_array_equal(sitk.GetArrayFromImage(same).T, values)
        np.testing.assert_allclose(ras_affine(same), affine, atol=1e-5)


def test_an_analyze_file_counts_as_itk_has_it(tmp_path):
    values = np.random.default_rng(0).uniform(size=SHAPE).astype(np.float32)
    nib.save(nib.AnalyzeImage(values, AFFINE), tmp_path / "a.img")
    wanted = sitk.ReadImage(str(tmp_path / "a.hdr"))
    loaded = images.read(tmp_path / "a.hdr")
    same = loaded.turned_back(loaded.image)
    np.testing.assert_allclose(ras_affine(same), ras_affine(wanted), atol=1e-5)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(same), sitk.GetArrayFromImage(wanted))
    assert "no qform and no sform" in loaded.notes[0]


def test_frames_are_read_where_they_are_welcome_and_refused_elsewhere(tmp_path):
    values = np.random.default_rng(0).uniform(size=(*SHAPE, 3)).astype(np.float32)
    save_nifti(tmp_path / "a.nii.gz", values, AFFINE)
    frames = [sitk.GetImageFromArray(frame.T) for frame in np.moveaxis(values, -1, 0)]
    sitk.WriteImage(sitk.JoinSeries(frames), str(tmp_path / "a.nrrd"))
    for name in ("a.nii.gz", "a.nrrd"):
        found = images.read(tmp_path / name, series=True)
        frames = [sitk.GetArrayFromImage(found.turned_back(f)).T for f in found.frames]
        np.testing.assert_array_equal(np.stack(frames, -1), values)
        with pytest.raises(ValueError, match=r"got size \(9, 8, 7, 3\)"):
            images.read(tmp_path / name)
    save_nifti(tmp_path / "one.nii.gz", values[..., :1], AFFINE)
    assert images.read(tmp_path / "one.nii.gz").image.GetSize() == SHAPE


@pytest.mark.parametrize("name", ["a.hdr", "a.img", "a.mhd", "a.nhdr"])
def test_formats_of_two_files_are_not_written(name, tmp_path):
    loaded = images.read(image(tmp_path / "in.nii.gz"))
    with pytest.raises(ValueError, match="would be written as two files.*\\.nii\\.gz, \\.mha"):
        images.write_image(loaded.image, tmp_path / name)
    assert [file.name for file in tmp_path.iterdir()] == ["in.nii.gz"]


@pytest.mark.parametrize("axes", [0, 1])
@pytest.mark.parametrize("flat", [False, True])
def test_a_header_of_fewer_than_two_axes_is_refused(axes, flat, tmp_path):
    path = tmp_path / "a.nii"
    nib.save(nib.Nifti1Image(np.ones((9, 8, 7), np.float32), np.eye(4)), path)
    content = bytearray(path.read_bytes())
    content[40:42] = np.int16(axes).tobytes()  # dim[0]
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.nii"):
        images.read(path, "moving", flat=flat)
