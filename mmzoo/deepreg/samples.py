"""The file and the affine of a sample of DeepReg's loaders."""

import os
from typing import NamedTuple

import nibabel as nib
import numpy as np


class Source(NamedTuple):
    """A file on the disk, and the key in it for h5."""

    path: str
    key: str | None = None

    def __str__(self) -> str:
        return self.path if self.key is None else f"{self.path} ({self.key})"


def source_of(loader, index) -> Source | None:
    """Return where a file loader of DeepReg reads a sample from; None for an unknown loader.

    Args:
        loader: the file loader of one folder, such as `loader_moving_image`.
        index: as for its `get_data`: an int, or (group, image) for grouped data.
    """
    from deepreg.dataset.loader.h5_loader import DATA_KEY_FORMAT, H5FileLoader
    from deepreg.dataset.loader.nifti_loader import NiftiFileLoader

    position = loader.group_struct[index[0]][index[1]] if loader.grouped else index
    if isinstance(loader, NiftiFileLoader):
        folder, *inner, suffix = loader.data_path_splits[position]
        return Source(os.path.abspath(os.path.join(folder, loader.name, *inner) + "." + suffix))
    if isinstance(loader, H5FileLoader):
        folder, *key = loader.data_path_splits[position]
        name = DATA_KEY_FORMAT.format(*key) if loader.grouped else key[0]
        return Source(os.path.abspath(os.path.join(folder, loader.name + ".h5")), name)
    return None


def all_indices(loader) -> list:
    """Return every index that the file loader's `get_data` takes."""
    if not loader.grouped:
        return list(range(loader.get_num_images()))
    sizes = loader.get_num_images_per_group()
    return [(group, image) for group, size in enumerate(sizes) for image in range(size)]


def moving_and_fixed(indices: list) -> tuple:
    """Return the moving and the fixed index of a sample of a paired, unpaired or grouped loader.

    Args:
        indices: DeepReg's indices of a sample, the last one of the label left out: [image],
            [moving, fixed] or [group, image, group, image].
    """
    half = len(indices) // 2
    if half == 0:
        return indices[0], indices[0]
    if half == 1:
        return indices[0], indices[1]
    return tuple(indices[:2]), tuple(indices[2:])


def grid_affine(source: Source | None, shape: tuple) -> np.ndarray | None:
    """Return the affine of an image after DeepReg has resized it; None where a file has none.

    Args:
        source: where the image comes from.
        shape: (dim1, dim2, dim3) that the image is resized to.
    """
    if source is None:
        return None
    if source.key is not None:
        return _affine_in_h5(source, shape)
    image = nib.load(source.path)
    return resized_affine(image.affine, image.shape[:3], shape)


def _affine_in_h5(source: Source, shape: tuple) -> np.ndarray | None:
    """Return an image's attribute `affine`, as `mmzoo prepare --format h5` writes it."""
    import h5py

    with h5py.File(source.path) as file:
        image = file[source.key]
        affine = image.attrs.get("affine")
        return None if affine is None else resized_affine(affine, image.shape[:3], shape)


def resized_affine(affine: np.ndarray, old_shape: tuple, new_shape: tuple) -> np.ndarray:
    """Return the affine of a grid that `tf.image.resize` has resized.

    With half-pixel centres the new index i lies at the old index (i + 0.5) * s - 0.5, where s is
    old size / new size.

    Args:
        affine: (4, 4), old index to mm.
        old_shape: (dim1, dim2, dim3).
        new_shape: (dim1, dim2, dim3).

    Returns:
        (4, 4), new index to mm.
    """
    scale = np.divide(old_shape, new_shape)
    to_old = np.diag([*scale, 1.0])
    to_old[:3, 3] = 0.5 * scale - 0.5
    return affine @ to_old
