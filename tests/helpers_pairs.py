"""A table of small pairs: phantoms and, where there are real images, crops of these at its end."""

import csv
import functools
import os
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from helpers_registration import draw, empty, motion, moved_by

REAL = Path(os.environ.get("MMZOO_REAL_DATA", "no"))
NO_REAL = "MMZOO_REAL_DATA does not name the folder of real volumes"
GRID = (22, 24, 20), (4.0, 4.0, 4.0)


def read(name):
    return sitk.ReadImage(str(REAL / f"{name}.nii.gz"), sitk.sitkFloat32)


def middle(image):
    return image.TransformContinuousIndexToPhysicalPoint([n / 2 for n in image.GetSize()])


def crop(image, at=None, how=sitk.sitkLinear):
    """The image round a point, its middle if none is given, on the grid of the phantoms."""
    there = sitk.TranslationTransform(3, at or middle(image))
    return sitk.Resample(image, empty(*GRID), there, how)


def spines():
    """CT and MR of two people's vertebrae."""
    ct, mr = "sub-ct_label-22_ct", "sub-mri_label-6_T2w"
    return {"fixed": crop(read(f"spine-samples/{ct}")), "moving": crop(read(f"spine-samples/{mr}"))}


def beat():
    """MR of one heart at the ends of its beat."""
    fixed, moving = (crop(read(f"acdc-sample/sax_{end}")) for end in ("ed", "es"))
    return {"fixed": fixed, "moving": moving}


def templates():
    """SPECT and T1 of the space they share."""
    fixed, moving = (read(f"mni-templates/{name}") for name in ("SPECT", "single_subj_T1"))
    return {"fixed": crop(fixed), "moving": crop(moving, middle(fixed))}


def one_head():
    """T1 and PD of one person, who had moved in between: each round the middle of the head."""
    files = {}
    for name, file in (("fixed", "chris_t1"), ("moving", "chris_PD")):
        image = read(f"same-subject-t1-pd/{file}")
        shape = sitk.LabelShapeStatisticsImageFilter()
        shape.Execute(sitk.OtsuThreshold(image, 0, 1))
        files[name] = crop(image, shape.GetCentroid(1))
    return files


def brains(people):
    """Label maps of two people's heads, painted in two contrasts."""
    files = {}
    for name, person in zip(("fixed", "moving"), people, strict=True):
        labels = read(f"brain-labels/training_seg_{person:02}")[68:188, 68:188, 68:188]
        greys = np.random.default_rng(person).uniform(0.1, 1, 1000) * (np.arange(1000) > 0)
        painted = sitk.GetImageFromArray(greys[sitk.GetArrayFromImage(labels).astype(int)])
        painted.CopyInformation(labels)
        files[name] = crop(sitk.DiscreteGaussian(painted, 2.0))
        cut = crop(labels, how=sitk.sitkNearestNeighbor)
        # white matter, cortex, ventricle, thalamus of either side
        sides = ((2, 41), (3, 42), (4, 43), (10, 49))
        files[f"{name}_label"] = sum(
            (n + 1) * ((cut == a) | (cut == b)) for n, (a, b) in enumerate(sides)
        )
    return files


BRAINS = (1, 2), (5, 6)
REAL_PAIRS = [spines, beat, templates, one_head, *(functools.partial(brains, p) for p in BRAINS)]
FIRST_REAL = 20 - len(REAL_PAIRS) if REAL.is_dir() else 20


def phantom(k, turn):
    grid = empty(*GRID)
    files = {"fixed": draw(grid, 0, seed=k), "moving": draw(grid, 1, moved_by(turn), seed=k + 50)}
    labels = draw(grid, 0, noise=0), draw(grid, 0, moved_by(turn), noise=0)
    names = "fixed_label", "moving_label"
    return files | {
        n: sitk.Cast(i > 0.3, sitk.sitkUInt8) for n, i in zip(names, labels, strict=True)
    }


def write_pair(folder, k):
    """Write two images, a mask, label maps and landmarks; return the table's cells."""
    turn = motion((0.5 * k, -3, 2), (k % 5, 2, -3))
    real = k >= FIRST_REAL
    files = REAL_PAIRS[k - FIRST_REAL]() if real else phantom(k, turn)
    files["fixed_mask"] = sitk.Cast(files["fixed"] > -1e9, sitk.sitkUInt8)
    cells = {"name": f"p{k:02}"}
    for name, image in files.items():
        cells[name] = f"{name}{k:02}.nii.gz"
        sitk.WriteImage(image, str(folder / cells[name]))
    if real:
        return cells
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
