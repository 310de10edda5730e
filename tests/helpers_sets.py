"""Tiny volumes under official names: what the trees of data sets in the tests are made of."""

import os
from pathlib import Path

import nibabel as nib
import numpy as np
import SimpleITK as sitk

from mmzoo.datasets import sets
from mmzoo.datasets.choices import Choices
from mmzoo.datasets.preparation import prepare
from mmzoo.datasets.sets.base import Recipe

SHAPE = (24, 20, 16)
SMALL = Recipe(size=(16, 16, 16), margin_mm=2.0)


def boxes(values, shape=SHAPE) -> np.ndarray:
    """Labels: one box for each value, side by side along the first axis, off the middle."""
    labels = np.zeros(shape, np.int16)
    edges = np.linspace(2, shape[0] - 2, len(values) + 1).astype(int)
    for value, low, high in zip(values, edges, edges[1:], strict=False):
        labels[low:high, 4 : shape[1] - 6, 3 : shape[2] - 4] = value
    return labels


def picture(labels: np.ndarray, seed: int = 0) -> np.ndarray:
    """An image: every label has its brightness, on a ramp that tells directions apart."""
    rng = np.random.default_rng(seed)
    levels = {value: 80 + 20 * k for k, value in enumerate(np.unique(labels))}
    image = np.vectorize(levels.get)(labels).astype(np.float32)
    ramp = np.linspace(0, 20, labels.shape[0])[:, None, None]
    return (image + ramp + rng.normal(0, 1, labels.shape)).astype(np.float32)


def affine(spacing=(1.0, 1.0, 1.0), signs=(1, 1, 1), order=(0, 1, 2)) -> np.ndarray:
    """Voxel to RAS millimetres: axis k of the array runs along `order[k]`, by its sign."""
    matrix = np.zeros((4, 4))
    for axis, (world, sign, step) in enumerate(zip(order, signs, spacing, strict=True)):
        matrix[world, axis] = sign * step
    matrix[3, 3] = 1
    return matrix


def save(path: Path, array: np.ndarray, matrix=None) -> Path:
    """Write NIfTI."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, affine() if matrix is None else matrix), path)
    return path


def save_mha(path: Path, array: np.ndarray, spacing=(1.0, 1.0, 1.0)) -> Path:
    """Write MetaImage, (x, y, z)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(array.T)
    image.SetSpacing(spacing)
    sitk.WriteImage(image, str(path))
    return path


def same(path: Path, target: Path) -> None:
    """Put one more name on a file: the official counts, without their bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    os.link(target, path)


def run(name: str, root: Path, out: Path, *, recipe: Recipe = SMALL, **options) -> dict:
    """Prepare a data set at 16^3, in this process."""
    flags = {
        key: options.pop(key) for key in ("allow_partial", "overwrite", "form") if key in options
    }
    return prepare(
        sets.data_set(name), root, out, Choices(recipe=recipe, **options), name=name, **flags
    )


def load(out: Path, kind: str, case: str) -> np.ndarray:
    """Return what was written of a case."""
    return np.asarray(nib.load(out / kind / f"{case}.nii.gz").dataobj)
