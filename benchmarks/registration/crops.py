"""A lumbar CT and a T2-weighted MR crop of two people (MMZOO_REAL_DATA), with vertebral parts.

The CT's label map names the border and the inside of a vertebral body apart, the MR's does not:
they count as one. The crops lie elsewhere in space; their middles are put on top of each other, and
that is where all methods start: the rigid stage by mutual information of a whole crop leads away
from it.
"""

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from benchmarks.registration.brains import middle
from benchmarks.registration.pair import BenchmarkPair
from mmzoo.io.images import read_image, read_labels

BORDER, INSIDE = 49, 50  # of a vertebral body
CT, MR = "sub-ct_{}label-22_{}.nii.gz", "sub-mri_{}label-6_{}.nii.gz"


def spine_crops(folder: Path) -> BenchmarkPair:
    """Return the MR crop to be moved onto the CT crop; the parts that both show are labels."""
    images = [
        read_image(folder / name.format("", kind), name).image
        for name, kind in ((CT, "ct"), (MR, "T2w"))
    ]
    parts = [_whole_bodies(folder / name.format("seg-subreg_", "msk")) for name in (CT, MR)]
    first, second = (sitk.GetArrayViewFromImage(part) for part in parts)
    labels = [_only(part, np.intersect1d(first, second)) for part in parts]
    shift = middle(images[0]) - middle(images[1])
    for image in (images[1], labels[1]):
        image.SetOrigin((np.array(image.GetOrigin()) + shift).tolist())
    name = "T2w to CT, two people"
    return BenchmarkPair(
        "spine crops", name, *(images[0], images[1], labels[0], labels[1]), None, None, "none"
    )


def _whole_bodies(path: Path) -> sitk.Image:
    return sitk.ChangeLabel(read_labels(path).image, {INSIDE: BORDER})


def _only(labels: sitk.Image, kept: np.ndarray) -> sitk.Image:
    values = sitk.GetArrayFromImage(labels)
    found = sitk.GetImageFromArray((values * np.isin(values, kept)).astype(np.uint8))
    found.CopyInformation(labels)
    return found
