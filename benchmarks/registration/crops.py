"""A lumbar CT and a T2-weighted MR crop of two people (MMZOO_REAL_DATA), with vertebral parts."""

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mmzoo.data.geometry import read_labels
from mmzoo.registration.images import read_image
from registration.pair import BenchmarkPair

CT, MR = "sub-ct_{}label-22_{}.nii.gz", "sub-mri_{}label-6_{}.nii.gz"


def spine_crops(folder: Path) -> BenchmarkPair:
    """Return the MR crop to be moved onto the CT crop; the parts that both show are labels."""
    images = [
        read_image(folder / name.format("", kind), name)[0]
        for name, kind in ((CT, "ct"), (MR, "T2w"))
    ]
    parts = [read_labels(folder / name.format("seg-subreg_", "msk")) for name in (CT, MR)]
    both = set.intersection(
        *(set(np.unique(sitk.GetArrayViewFromImage(p)).tolist()) for p in parts)
    )
    labels = [_only(part, both) for part in parts]
    return BenchmarkPair("spine crops", "T2w to CT, two people", *images, *labels, None, None)


def _only(labels: sitk.Image, kept: np.ndarray) -> sitk.Image:
    values = sitk.GetArrayFromImage(labels)
    found = sitk.GetImageFromArray((values * np.isin(values, kept)).astype(np.uint8))
    found.CopyInformation(labels)
    return found
