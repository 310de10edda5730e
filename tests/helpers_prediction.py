"""A made-up prediction folder whose figures are known: ellipsoids and a known field."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np

SHAPE = (32, 28, 20)
SPACING = (1.0, 1.5, 2.0)
SHIFT = (3, -2, 1)  # voxels: the fixed structures lie at x where the moving ones lie at x + SHIFT
STRUCTURES = {"cavity": ((15, 14, 10), (6, 5, 4)), "shell": ((15, 14, 10), (9, 8, 6))}


def ellipsoid(centre, radii, shape=SHAPE):
    """Return a bool mask, all measures in voxels."""
    grid = np.indices(shape)
    terms = [((grid[i] - centre[i]) / radii[i]) ** 2 for i in range(3)]
    return sum(terms) <= 1.0


def save(path, array, affine):
    """Write an array as NIfTI."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(np.asarray(array, dtype=np.float32), affine), path)


def write_pair(folder, *, shift=SHIFT, labelled=True, ddf=None, noise=0, affine=None):
    """Write one pair whose field undoes a whole-voxel shift exactly (unless `ddf` is given)."""
    affine = np.diag([*SPACING, 1.0]) if affine is None else affine
    fixed_image, moving_image, labels = np.zeros(SHAPE), np.zeros(SHAPE), []
    for value, (centre, radii) in enumerate(reversed(STRUCTURES.values()), start=1):
        fixed = ellipsoid(centre, radii)
        moving = ellipsoid(np.add(centre, shift), radii)
        labels.insert(0, (moving, fixed))
        # contrast differs between the "modalities"
        fixed_image[fixed] = value
        moving_image[moving] = 3 - value
    random = np.random.default_rng(noise)
    for image in (fixed_image, moving_image):
        image += 0.05 * random.standard_normal(SHAPE)
    save(folder / "fixed_image.nii.gz", fixed_image, affine)
    save(folder / "moving_image.nii.gz", moving_image, affine)
    field = np.broadcast_to(np.array(shift, float), (*SHAPE, 3)) if ddf is None else ddf
    save(folder / "ddf.nii.gz", field, affine)
    for index, (moving, fixed) in enumerate(labels if labelled else []):
        save(folder / f"label_{index}" / "moving_label.nii.gz", moving, affine)
        save(folder / f"label_{index}" / "fixed_label.nii.gz", fixed, affine)
    return folder


def write_prediction(root: Path, *, pairs=3, labelled=True, names=tuple(STRUCTURES)) -> Path:
    """Write ROOT/data/mmzoo.json and a prediction ROOT/logs/run/test; return ROOT/logs/run."""
    data = root / "data"
    (data / "fold0" / "test").mkdir(parents=True)
    (data / "mmzoo.json").write_text(json.dumps({"labels": list(names)}))
    run = root / "logs" / "run"
    for index in range(pairs):
        write_pair(run / "test" / f"pair_{index}", labelled=labelled, noise=index)
    description = {
        "method": "bidirectional-ddf",
        "checkpoint": "run/save/ckpt-2",
        "mode": "test",
        "dataset": {"dir": {"test": str(data / "fold0" / "test")}},
        "pairs": {
            f"pair_{index}": {
                side: str(data / f"fold0/test/{side}_images/mr_{index:03}__ct_000.nii.gz")
                for side in ("moving", "fixed")
            }
            for index in range(pairs)
        },
    }
    (run / "test" / "pairs.json").write_text(json.dumps(description))
    return run
