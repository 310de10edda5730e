"""Checks of folders, images and labels before any work starts.

`MMZOO_CHECK_DATA=0` skips the reading of all images; folders are always checked.
"""

import logging
import os
import re
import zlib
from pathlib import Path

import numpy as np
from nibabel.filebasedimages import ImageFileError

from mmzoo.checks import check_choice, check_image_values
from mmzoo.deepreg.samples import Source, all_indices, source_of
from mmzoo.errors import PreflightError

MANY_FILES = 200  # from so many on, a message says that files are being read
MODES = ("train", "valid", "test")

IMAGES = {
    "paired": ("moving_images", "fixed_images"),
    "unpaired": ("images",),
    "grouped": ("images",),
}
LABELS = {
    "paired": ("moving_labels", "fixed_labels"),
    "unpaired": ("labels",),
    "grouped": ("labels",),
}


# === Folders ===


def check_mode(mode: str) -> None:
    """Raise ValueError unless the mode is train, valid or test."""
    check_choice("mode", mode, MODES)


def check_folders(dataset: dict, mode: str) -> None:
    """Raise PreflightError where the data of a split, or a part of it, is missing.

    Args:
        dataset: the configuration's dataset section.
        mode: train, valid or test; a split without a folder (null) passes.
    """
    folders = dataset["dir"].get(mode) or []
    for folder in [folders] if isinstance(folders, str) else folders:
        path = Path(folder).expanduser()
        if not path.is_dir():
            raise PreflightError(
                f"Data directory path {path} for mode {mode} is not a directory or does not "
                f"exist. Set dataset.dir.{mode}; relative paths start at the folder the command "
                "is called in."
            )
        _check_parts(path, dataset)


def _check_parts(path: Path, dataset: dict) -> None:
    """Raise PreflightError unless images, and labels if wanted, are in a split's folder."""
    kind, ending = dataset["type"], ".h5" if dataset["format"] == "h5" else ""
    for name in IMAGES.get(kind, ()):
        if not (path / (name + ending)).exists():
            raise PreflightError(
                f"{path} has no {name + ending}, which dataset.type {kind!r} needs; it has "
                f"{_content(path)}."
            )
    for name in LABELS.get(kind, ()) if dataset["labeled"] else ():
        if not (path / (name + ending)).exists():
            raise PreflightError(
                f"{path} has no {name + ending}, but the data are said to be labelled: add it, "
                "or set `dataset.labeled: false` and leave the label loss out."
            )
    for file in sorted(path.glob("*.h5")) if ending else ():
        check_h5(file, grouped=kind == "grouped")


def check_h5(path: Path, *, grouped: bool) -> None:
    """Raise PreflightError unless a file is whole HDF5 with an array of numbers in every entry.

    Args:
        path: a file of DeepReg's h5 layout.
        grouped: whether its entries must have DeepReg's names of groups.
    """
    import h5py

    try:
        with h5py.File(path) as file:
            if not len(file):
                raise PreflightError(f"{path} is empty: it must hold one array an image.")
            for key in file:
                _check_entry(path, key, file.get(key), grouped)
    except OSError as error:
        raise PreflightError(
            f"{path} cannot be read as HDF5 ({error}). Is it whole, and of that kind? Copy or "
            "prepare it again."
        ) from error


def _check_entry(path: Path, key: str, entry, grouped: bool) -> None:
    """Raise PreflightError unless an entry of a file is an array of numbers under a right name."""
    import h5py

    if entry is None:
        raise PreflightError(
            f"{path} ({key}) leads to a file or an entry that is not there; was one of the h5 "
            "files moved? Keep the folders of a data set together, or prepare it again."
        )
    kind = entry.dtype.kind if isinstance(entry, h5py.Dataset) else ""
    if kind not in tuple("uifb") or not entry.shape:
        raise PreflightError(
            f"{path} ({key}) must be an array of numbers; is it a file of another program?"
        )
    if grouped and not re.fullmatch(r"group-[^-]+-[^-]+", key):
        raise PreflightError(f"{path} ({key}) must have a name like group-1-2, as data in groups.")


def _content(path: Path) -> str:
    """Return the contents of a folder, for a message."""
    names = sorted(item.name for item in path.iterdir())
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "") if names else "nothing"


# === Images ===


def check_images(data_loader) -> None:
    """Read every image and label of a split once, and raise PreflightError on a bad one.

    Args:
        data_loader: a paired, unpaired or grouped loader of DeepReg.
    """
    if os.environ.get("MMZOO_CHECK_DATA") == "0":
        return
    percentiles = data_loader.sampler and data_loader.sampler.percentiles
    work = _unread(data_loader)
    if len(work) > MANY_FILES:
        logging.warning("Checking %d images (MMZOO_CHECK_DATA=0 skips this).", len(work))
    for loader, index, source, is_label in work:
        try:
            array = loader.get_data(index)
        except (OSError, EOFError, ValueError, ImageFileError, zlib.error) as error:
            raise PreflightError(
                f"{source} cannot be read ({error}). Is it whole? Copy or prepare it again."
            ) from error
        if is_label:
            check_label(array, source)
        else:
            check_image(array, source)
            if percentiles:
                check_contrast(array, source, percentiles)


def _unread(data_loader) -> list:
    """Return (loader, index, source, is_label) of each distinct file, links resolved."""
    found: dict = {}
    for name in ("moving_image", "fixed_image", "moving_label", "fixed_label"):
        loader = getattr(data_loader, f"loader_{name}", None)
        for index in all_indices(loader) if loader is not None else ():
            source = source_of(loader, index)
            real = (os.path.realpath(source.path), source.key) if source else (id(loader), index)
            found.setdefault(real, (loader, index, source, name.endswith("label")))
    return list(found.values())


def check_image(image: np.ndarray, source: Source | None) -> None:
    """Raise PreflightError unless an image is 3-D, finite and not constant."""
    if image.ndim != 3:
        raise PreflightError(
            f"The image {source} must have 3 dimensions, got shape {image.shape}; save one "
            "channel or one frame per file."
        )
    try:
        check_image_values(f"The image {source}", image)
    except ValueError as error:
        raise PreflightError(str(error)) from None


def check_contrast(image: np.ndarray, source: Source | None, percentiles) -> None:
    """Raise PreflightError if an image is constant between its two percentiles."""
    low, high = np.percentile(image, percentiles)
    if low == high:
        raise PreflightError(
            f"The image {source} is {low:g} at percentile {percentiles[0]:g} and at percentile "
            f"{percentiles[1]:g}: clamped there it is constant. Choose wider "
            "`train.preprocess.percentiles`, or crop the background away."
        )


def check_label(label: np.ndarray, source: Source | None) -> None:
    """Raise PreflightError unless a label lies in [0, 1]; warn where a structure is empty."""
    low, high = float(label.min()), float(label.max())
    if not (low >= 0 and high <= 1):  # NaN fails as well
        raise PreflightError(
            f"The label {source} must lie in [0, 1], got values from {low:g} to {high:g}. Save "
            "one binary channel per structure: (dim1, dim2, dim3, num_labels)."
        )
    channels = label[..., None] if label.ndim == 3 else label
    empty = [k for k in range(channels.shape[-1]) if not channels[..., k].any()]
    if empty:
        logging.warning("The label %s is empty in channels %s.", source, empty)
