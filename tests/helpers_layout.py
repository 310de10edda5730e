"""A small data set in the layout's folders whose registration is known: a shift of one voxel."""

from pathlib import Path

import numpy as np
import yaml
from scipy.ndimage import gaussian_filter

from mmzoo.datasets.layout import save_case, write_description, write_folds

SHAPE = (20, 16, 14)
AFFINE = np.diag([1.0, 1.5, 2.0, 1.0])


def names(modality: str, count: int) -> list[str]:
    """Return so many case names of a modality."""
    return [f"{modality}_{k:03d}" for k in range(count)]


def write_layout(root: Path) -> Path:
    """Write two moving and two fixed test cases; return the fold's YAML file.

    What a fixed image shows at x is in the moving one at x + (1, 0, 0).
    """
    image = gaussian_filter(np.random.default_rng(0).random(SHAPE), 2.0)
    image = 200 * (image - image.min()) / np.ptp(image)
    images = {"mr": np.roll(image, 1, axis=0), "ct": image}
    test = {"moving": ["mr_000", "mr_001"], "fixed": ["ct_000", "ct_001"]}
    for index, case in enumerate([*test["moving"], *test["fixed"]]):
        values = images[case[:2]]
        labels = np.stack([values > 80, values > 120], axis=-1)
        save_case(root, case, values * (1 + index), labels, AFFINE)
    empty: dict = {"moving": [], "fixed": []}
    folds = [{"train": empty, "valid": empty, "test": test}]
    write_description(root, {"labels": ["wide", "narrow"]})
    (path,) = write_folds(root, folds, SHAPE, labelled=True)
    return path


def dataset_section(path: Path) -> dict:
    """Return what the YAML file says."""
    return yaml.safe_load(path.read_text())["dataset"]
