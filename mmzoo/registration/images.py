"""Whatever holds an image (a file, a folder of DICOM, SimpleITK's object), checked and turned."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import SimpleITK as sitk

from mmzoo.checks import check_image_values
from mmzoo.spatial import geometry

Source = str | Path | sitk.Image
UNEVEN = 0.05  # of the distance of DICOM slices


def read_image(source: Source, name: str) -> tuple[sitk.Image, str]:
    """Return an image with axes turned to the nearest of right-anterior-superior.

    Args:
        source: NIfTI, MHA, NRRD or whatever else SimpleITK reads; a folder with one DICOM series;
            or an image in memory.
        name: what it is to the user ("fixed"), for messages.

    Returns:
        3-D float32 image, and its own orientation ("LPS" for most DICOM), to turn back to.

    Raises:
        ValueError: it cannot be read, is not one 3-D volume of numbers, holds NaN or infinity, or
            is constant.
    """
    image, own = _read(source, name)
    image = sitk.Cast(image, sitk.sitkFloat32)
    check_image_values(title(source, name), sitk.GetArrayViewFromImage(image))
    return image, own


def read_mask(source: Source | None, image: sitk.Image, name: str) -> sitk.Image | None:
    """Return a mask on the grid of its image, uint8: 1 where it is not 0; None for None.

    Raises:
        ValueError: it cannot be read, is empty, or does not lie on the image.
    """
    if source is None:
        return None
    mask, _ = _read(source, name)
    mask = sitk.Cast(mask != 0, sitk.sitkUInt8)
    if not sitk.GetArrayViewFromImage(mask).any():
        raise ValueError(
            f"{title(source, name)} is empty: it must be above 0 where the image counts; leave it "
            "out to use all of the image."
        )
    on_grid = sitk.Resample(mask, image, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
    if not sitk.GetArrayViewFromImage(on_grid).any():
        raise ValueError(
            f"{title(source, name)} does not lie on its image: by their headers they have no "
            "voxel in common."
        )
    return on_grid


def read_labels(source: Source, name: str) -> tuple[sitk.Image, str]:
    """Return a label map, int32, and its own orientation.

    Raises:
        ValueError: it cannot be read or holds values that are not whole.
    """
    image, own = _read(source, name)
    values = sitk.GetArrayViewFromImage(image)
    if not np.all(values == np.round(values)):
        raise ValueError(f"{title(source, name)} must be a label map of whole numbers.")
    return sitk.Cast(image, sitk.sitkInt32), own


def read_grid(source: Source, name: str) -> tuple[sitk.Image, str]:
    """Return an image of which only the grid counts, and its own orientation.

    Raises:
        ValueError: it cannot be read or is not one 3-D volume.
    """
    return _read(source, name)


def turned_back(image: sitk.Image, own: str) -> sitk.Image:
    """Return an image with its axes as the file had them that it goes with."""
    return sitk.DICOMOrient(image, own)


def title(source: Source, name: str) -> str:
    """Return what to call a source in a message: its file, or its name."""
    return f"the {name} image" if isinstance(source, sitk.Image) else f"{source}"


def _read(source: Source, name: str) -> tuple[sitk.Image, str]:
    if isinstance(source, sitk.Image):
        check_volume(source, f"the {name} image")
        return sitk.DICOMOrient(source, "RAS"), _orientation(source)
    path = Path(source)
    if path.is_dir():
        image = read_series(path)
        return sitk.DICOMOrient(image, "RAS"), _orientation(image)
    return geometry.read_volume(path), _orientation_of_file(path)


def check_volume(image: sitk.Image, what: str) -> None:
    """Raise ValueError unless an image is 3-D with one number a voxel."""
    size, components = image.GetSize(), image.GetNumberOfComponentsPerPixel()
    if len(size) != 3 or components != 1 or min(size) < 2:
        raise ValueError(
            f"{what} must be one 3-D volume of at least 2 voxels along each axis, got size {size} "
            f"with {components} value(s) a voxel; cut time frames or channels into images of their "
            "own."
        )


@geometry.same_locale()
def read_series(folder: Path) -> sitk.Image:
    """Read a folder with the slices of one DICOM series; distances by their positions.

    Raises:
        ValueError: no series, several, colour, or slices that do not lie evenly.
    """
    series = sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
    if len(series) != 1:
        raise ValueError(
            f"{folder} must hold the slices of one DICOM series, got {len(series)} series"
            + ("; put each into a folder of its own." if series else ": no DICOM file is in it.")
        )
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), series[0]))
    reader.MetaDataDictionaryArrayUpdateOn()
    try:
        image = reader.Execute()
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise ValueError(f"{folder} cannot be read as a DICOM series: {reason}") from error
    check_volume(image, str(folder))
    _check_even(folder, reader, image)
    return image


def _check_even(folder: Path, reader: sitk.ImageSeriesReader, image: sitk.Image) -> None:
    tag, count = "0020|0032", image.GetSize()[2]
    if not all(reader.HasMetaDataKey(index, tag) for index in range(count)):
        return
    places = [reader.GetMetaData(index, tag).split("\\") for index in range(count)]
    gaps = np.linalg.norm(np.diff(np.array(places, float), axis=0), axis=1)
    if np.abs(gaps - gaps.mean()).max() > UNEVEN * gaps.mean():
        raise ValueError(
            f"the slices in {folder} must lie evenly on each other, got distances from "
            f"{gaps.min():.2f} to {gaps.max():.2f} mm; is a slice missing?"
        )


def _orientation(image: sitk.Image) -> str:
    return sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(image.GetDirection())


def _orientation_of_file(path: Path) -> str:
    if path.name.endswith((".nii", ".nii.gz")):
        return "".join(nib.orientations.aff2axcodes(nib.load(path).affine))
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    return sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(reader.GetDirection())
