"""DICOM folders: where slices lie by their own positions, which of several, and what is refused."""

import json

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from helpers_cli import call
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    generate_uid,
)

from mmzoo.cli.inspect import inspect
from mmzoo.io import dicom, images
from mmzoo.io.paths import select

COLUMNS, ROWS, SLICES = 24, 20, 10
SPACING = (1.5, 1.25, 3.0)  # between columns, rows, slices


def blob(points):
    """A ball of 8 mm about (18, 14, 15) mm from the first voxel, LPS."""
    return 1000 * (np.linalg.norm(points - [18.0, 14.0, 15.0], axis=-1) < 8)


def dataset(kind=CTImageStorage):
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = kind
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = generate_uid()
    made.Modality, made.PatientID = "CT", "somebody"
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated = made.BitsStored = 16
    made.HighBit, made.PixelRepresentation = 15, 1
    made.Rows, made.Columns = ROWS, COLUMNS
    made.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    return made


def positions(tilt=0.0, slices=SLICES):
    shift = np.tan(np.deg2rad(tilt)) * SPACING[2]
    return [np.array([0.0, k * shift, k * SPACING[2]]) for k in range(slices)]


def pixels(position):
    """The ball in one slice; points in space are those of the slice's own position."""
    grid = np.stack(np.meshgrid(np.arange(COLUMNS), np.arange(ROWS)), -1) * SPACING[:2]
    return blob(np.concatenate([grid, np.zeros((ROWS, COLUMNS, 1))], -1) + position)


def write_series(
    folder,
    places=None,
    uid="1.2.3",
    number=1,
    title="axial",
    name="IM{:04d}",
    slopes=None,
    **tags,
):
    """Write slices in an order that is not that of their positions."""
    folder.mkdir(exist_ok=True, parents=True)
    places = positions() if places is None else places
    order = np.random.default_rng(0).permutation(len(places))
    for k, position in enumerate(places):
        made = dataset()
        made.SeriesInstanceUID, made.SeriesNumber, made.SeriesDescription = uid, number, title
        made.InstanceNumber = int(order[k])
        made.ImagePositionPatient = [float(x) for x in position]
        made.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        made.PixelSpacing = [SPACING[1], SPACING[0]]
        slope = 1.0 if slopes is None else slopes[k]
        made.RescaleSlope, made.RescaleIntercept = slope, 0
        values = np.round(pixels(position) / slope).astype(np.int16)
        made.PixelData = values.tobytes()
        for tag, value in tags.items():
            setattr(made, tag, value)
        made.save_as(folder / name.format(int(order[k])), enforce_file_format=True)
    return folder


def write_enhanced(path, places, slopes=None, times=None):
    """Write one file of all frames, in the order of `places`."""
    made = dataset(EnhancedMRImageStorage)
    made.Modality, made.SeriesInstanceUID, made.SeriesNumber = "MR", "1.9", 4
    made.NumberOfFrames = len(places)
    shared, frames, values = Dataset(), [], []
    measures = Dataset()
    measures.PixelSpacing, measures.SliceThickness = [SPACING[1], SPACING[0]], 2.0
    turn = Dataset()
    turn.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    shared.PixelMeasuresSequence = Sequence([measures])
    shared.PlaneOrientationSequence = Sequence([turn])
    for k, position in enumerate(places):
        frame, place, content, value = Dataset(), Dataset(), Dataset(), Dataset()
        place.ImagePositionPatient = [float(x) for x in position]
        content.TemporalPositionIndex = 1 if times is None else times[k]
        slope = 1.0 if slopes is None else slopes[k]
        value.RescaleSlope, value.RescaleIntercept, value.RescaleType = slope, 0, "US"
        frame.PlanePositionSequence = Sequence([place])
        frame.FrameContentSequence = Sequence([content])
        frame.PixelValueTransformationSequence = Sequence([value])
        frames.append(frame)
        values.append(np.round(pixels(position) / slope).astype(np.int16))
    made.SharedFunctionalGroupsSequence = Sequence([shared])
    made.PerFrameFunctionalGroupsSequence = Sequence(frames)
    made.PixelData = np.stack(values).tobytes()
    made.save_as(path, enforce_file_format=True)
    return path


def truth():
    image = sitk.GetImageFromArray(np.stack([pixels(p) for p in positions()]).astype(np.float32))
    image.SetSpacing(SPACING)
    return image


def check_ball(loaded, tolerance):
    """The ball lies where it was put, whatever the grid."""
    values = sitk.GetArrayFromImage(loaded.image)
    weights = values / values.sum()
    index = [float((weights * axis).sum()) for axis in np.indices(values.shape)][::-1]
    centre = loaded.image.TransformContinuousIndexToPhysicalPoint(index)
    np.testing.assert_allclose(centre, (18, 14, 15), atol=tolerance)


@pytest.mark.parametrize("name", ["IM{:04d}", "{}.dcm", "{}.IMA"])
def test_slices_are_ordered_by_position_whatever_their_names_and_numbers(name, tmp_path):
    loaded = images.read(write_series(tmp_path / "scan", name=name))
    wanted = sitk.DICOMOrient(truth(), "RAS")
    np.testing.assert_array_equal(
        sitk.GetArrayFromImage(loaded.image), sitk.GetArrayFromImage(wanted)
    )
    np.testing.assert_allclose(loaded.image.GetSpacing(), SPACING)
    np.testing.assert_allclose(loaded.image.GetOrigin(), wanted.GetOrigin())
    assert loaded.axes == "LPS" and not loaded.notes


@pytest.mark.parametrize("tilt", [15.0, -8.0])
def test_a_gantry_tilt_is_undone_and_named_with_its_angle(tilt, tmp_path):
    folder = write_series(tmp_path / "scan", positions(tilt))
    loaded = images.read(folder)
    assert f"gantry tilt of {abs(tilt):.1f} degrees" in loaded.notes[0]
    np.testing.assert_allclose(loaded.image.GetSpacing(), SPACING, atol=1e-5)
    check_ball(loaded, 0.3)
    # Without that, as SimpleITK's own reader has it, the ball is millimetres off.
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    off = images.read(reader.Execute())
    with pytest.raises(AssertionError):
        check_ball(off, 1.0)


def test_slopes_that_differ_by_slice_are_each_applied(tmp_path):
    slopes = np.linspace(0.5, 2.5, SLICES).round(2)
    loaded = images.read(write_series(tmp_path / "scan", slopes=slopes))
    np.testing.assert_allclose(
        sitk.GetArrayFromImage(sitk.DICOMOrient(loaded.image, "LPS")),
        sitk.GetArrayFromImage(truth()),
        atol=1.3,
    )


def test_several_series_are_listed_and_one_can_be_chosen(tmp_path):
    folder = write_series(tmp_path / "scan", title="thin")
    write_series(folder, positions()[:6], uid="1.2.4", number=2, title="thick", name="B{}")
    with pytest.raises(ValueError, match="(?s)1: series 1 thin CT, 10 slices.*2: .*thick") as error:
        images.read(folder)
    assert "--series" in str(error.value)
    for choice, slices in (("1", 10), ("2", 6), ("1.2.4", 6)):
        chosen = images.read(select(folder, series=choice))
        assert chosen.image.GetSize() == (COLUMNS, ROWS, slices)
    with pytest.raises(ValueError, match="has no one series '3'"):
        images.read(f"{folder}#3")


def test_localizers_and_single_slices_are_left_out_and_said(tmp_path):
    folder = write_series(tmp_path / "scan")
    write_series(folder, positions()[:3], number=0, uid="1.1", title="scout", name="S{}",
                 ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])  # fmt: skip
    write_series(folder, positions()[:1], number=9, uid="1.8", title="dose", name="D{}")
    loaded = images.read(folder)
    assert loaded.image.GetSize()[2] == SLICES
    assert "scout" in loaded.notes[0] and "dose" in loaded.notes[0]


def test_time_points_are_stacks_of_their_own(tmp_path):
    folder = write_series(tmp_path / "scan", AcquisitionNumber=1)
    write_series(folder, name="T{}", AcquisitionNumber=2)
    with pytest.raises(ValueError, match="(?s)AcquisitionNumber 1.*AcquisitionNumber 2"):
        images.read(folder)
    assert images.read(f"{folder}#2").image.GetSize()[2] == SLICES


def test_slices_twice_at_one_place_are_refused(tmp_path):
    folder = write_series(tmp_path / "scan")
    write_series(folder, name="copy{}")
    with pytest.raises(ValueError, match="several slices at one place that nothing tells apart"):
        images.read(folder)


@pytest.mark.parametrize("tag", ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"])
def test_a_slice_without_its_place_is_refused(tag, tmp_path):
    folder = write_series(tmp_path / "scan")
    file = sorted(folder.iterdir())[3]
    data = pydicom.dcmread(file)
    delattr(data, tag)
    data.save_as(file)
    with pytest.raises(ValueError, match=f"{file.name} has no {tag}"):
        images.read(folder)


def test_a_missing_slice_and_one_that_is_shifted_are_refused(tmp_path):
    places = positions()
    folder = write_series(tmp_path / "gap", places[:4] + places[5:])
    with pytest.raises(ValueError, match=r"from 3\.00 to 6\.00 mm; is a slice missing"):
        images.read(folder)
    places[4] = places[4] + [0, 5, 0]
    folder = write_series(tmp_path / "shift", places)
    with pytest.raises(ValueError, match="along a line"):
        images.read(folder)


@pytest.mark.parametrize("tilt", [0.0, 12.0])
def test_frames_of_an_enhanced_file_are_sorted_and_each_rescaled(tilt, tmp_path):
    places = positions(tilt)
    mixed = [places[k] for k in (3, 0, 9, 1, 5, 2, 8, 4, 7, 6)]
    path = write_enhanced(tmp_path / "enhanced", mixed, slopes=np.linspace(0.5, 2, SLICES))
    loaded = images.read(path)
    np.testing.assert_allclose(loaded.image.GetSpacing(), SPACING, atol=1e-5)
    check_ball(loaded, 0.3)
    assert any("SliceThickness says 2 mm, positions 3 mm" in note for note in loaded.notes)
    assert any("12.0 degrees" in note for note in loaded.notes) == bool(tilt)
    assert images.read(tmp_path).image.GetSize() == loaded.image.GetSize()  # and by its folder


def test_time_points_of_an_enhanced_file_are_told_apart(tmp_path):
    times = [1] * SLICES + [2] * SLICES
    path = write_enhanced(tmp_path / "e.dcm", positions() * 2, times=times)
    with pytest.raises(ValueError, match="(?s)TemporalPositionIndex 1.*TemporalPositionIndex 2"):
        images.read(path)
    check_ball(images.read(f"{path}#2"), 0.3)


def test_frames_without_places_colour_and_single_slices_are_refused(tmp_path):
    made = dataset()
    made.SeriesInstanceUID, made.NumberOfFrames = "1.7", 3
    made.PixelData = np.zeros((3, ROWS, COLUMNS), np.int16).tobytes()
    made.save_as(tmp_path / "frames.dcm", enforce_file_format=True)
    with pytest.raises(ValueError, match="3 frames without their positions"):
        images.read(tmp_path / "frames.dcm")
    folder = write_series(tmp_path / "colour", SamplesPerPixel=3)
    with pytest.raises(ValueError, match="one number a pixel, got colour"):
        images.read(folder)
    folder = write_series(tmp_path / "one", positions()[:1])
    with pytest.raises(ValueError, match="one DICOM series, got 0"):
        images.read(folder)


def test_inspect_finds_slices_without_an_ending_and_lists_every_series(tmp_path):
    folder = write_series(tmp_path / "study/scan", title="thin")
    write_series(folder, positions()[:6], uid="1.2.4", number=2, title="thick", name="B{}")
    result = call(inspect, tmp_path / "study", "--picture", tmp_path / "p.png", "--json",
                  tmp_path / "seen.json")  # fmt: skip
    assert result.exit_code == 0, result.output
    seen = json.loads((tmp_path / "seen.json").read_text())
    assert [look["size"][2] for look in seen] == [10, 6]
    assert all(look["spacing_mm"] == list(SPACING) for look in seen)


def test_register_inspect_and_prepare_agree_on_a_tilted_series(tmp_path):
    from mmzoo.datasets.survey import look
    from mmzoo.io import slices

    folder = write_series(tmp_path / "scan", positions(15.0))
    seen, _ = look(folder)
    by_register = images.read_image(folder, "fixed").image
    files = [frame.file for frame in dicom.read_folder(folder).frames]
    by_prepare, turned, _ = slices.read_slices(files)
    assert not turned
    assert seen.spacing_mm == pytest.approx(by_register.GetSpacing()) == by_prepare.GetSpacing()


def test_the_decoder_keeps_the_locale(tmp_path):
    import locale

    locale.setlocale(locale.LC_ALL, "C.UTF-8")
    images.read(write_series(tmp_path / "scan"))
    assert locale.setlocale(locale.LC_CTYPE) == "C.UTF-8"
