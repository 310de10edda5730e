"""A table of small pairs, phantoms and, where there are real images, crops of these."""

import csv
import os
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from helpers_registration import draw, empty, motion, moved_by

REAL = Path(os.environ.get("MMZOO_REAL_DATA", "no")) / "spine-samples"
GRID = (22, 24, 20), (4.0, 4.0, 4.0)


def crop(file):
    """The middle of a real image, on the grid of the phantoms."""
    image = sitk.ReadImage(str(REAL / file), sitk.sitkFloat32)
    middle = image.TransformContinuousIndexToPhysicalPoint([n / 2 for n in image.GetSize()])
    grid = empty(*GRID)
    there = sitk.TranslationTransform(3, middle)
    return sitk.Resample(image, grid, there, sitk.sitkLinear)


def write_pair(folder, k):
    """Write two images, a mask, label maps and landmarks; return the table's cells."""
    grid, turn = empty(*GRID), motion((0.5 * k, -3, 2), (k % 5, 2, -3))
    fixed, moving = draw(grid, 0, seed=k), draw(grid, 1, moved_by(turn), seed=k + 50)
    files = {"fixed_mask": sitk.Cast(fixed > -9, sitk.sitkUInt8)}
    if k >= 18 and REAL.is_dir():
        fixed, moving = crop("sub-ct_label-22_ct.nii.gz"), crop("sub-mri_label-6_T2w.nii.gz")
    else:
        labels = draw(grid, 0, noise=0), draw(grid, 0, moved_by(turn), noise=0)
        names = "fixed_label", "moving_label"
        files |= {n: sitk.Cast(i > 0.3, sitk.sitkUInt8) for n, i in zip(names, labels, strict=True)}
    files |= {"fixed": fixed, "moving": moving}
    cells = {"name": f"p{k:02}"}
    for name, image in files.items():
        cells[name] = f"{name}{k:02}.nii.gz"
        sitk.WriteImage(image, str(folder / cells[name]))
    places = np.random.default_rng(k).uniform(-20, 20, (5, 3))
    moved = [turn.TransformPoint(place) for place in places.tolist()]
    for name, points in (("fixed_points", places), ("moving_points", moved)):
        cells[name] = f"{name}{k:02}.csv"
        rows = [[f"{x:.3f}" for x in point] for point in points]
        text = "\n".join(",".join(row) for row in [["x", "y", "z"], *rows])
        (folder / cells[name]).write_text(text)
    return cells


def write_table(folder, count):
    rows = [write_pair(folder, k) for k in range(count)]
    with open(folder / "pairs.csv", "w", newline="") as file:
        table = csv.DictWriter(file, sorted({name for row in rows for name in row}))
        table.writeheader()
        table.writerows(rows)
    return folder / "pairs.csv"
