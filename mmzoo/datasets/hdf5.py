"""DeepReg's h5 files beside the NIfTI ones: each image once, each pair a link to two of them.

OUT/volumes.h5                 images/CASE and labels/CASE, float32 and uint8, not compressed
OUT/foldK/SPLIT/{moving,fixed}_{images,labels}.h5    links by the name of the pair
OUT/foldK_h5.yaml              DeepReg's dataset section
"""

import os
from pathlib import Path

import h5py
import nibabel as nib
import numpy as np
import yaml

from mmzoo.datasets.folds import SPLITS, Fold, split_pairs
from mmzoo.io.atomic import whole_file

VOLUMES = "volumes.h5"


def write_folds(out: Path, folds: list[Fold], shape, *, labelled: bool, pairing: str) -> None:
    """Write all cases of a layout into one file and link every pair of every split to it.

    Args:
        out: root of a layout whose NIfTI files and folds are there.
        folds: as in ``layout.write_folds``.
        shape: of the images.
        labelled: whether the cases have labels.
        pairing: which pairs there are.
    """
    kinds = ("images", "labels") if labelled else ("images",)
    cases = sorted(
        {case for fold in folds for split in fold.values() for s in split.values() for case in s}
    )
    with whole_file(out / VOLUMES) as unfinished, h5py.File(unfinished, "w") as file:
        for kind in kinds:
            for case in cases:
                source = nib.load(out / kind / f"{case}.nii.gz")
                data = file.create_dataset(f"{kind}/{case}", data=np.asarray(source.dataobj))
                data.attrs["affine"] = source.affine
    for k, fold in enumerate(folds):
        for split in SPLITS:
            pairs = split_pairs(fold[split], pairing)
            _link_pairs(out, out / f"fold{k}" / split, pairs, kinds)
        section = yaml.safe_load((out / f"fold{k}.yaml").read_text())
        section["dataset"]["format"] = "h5"
        (out / f"fold{k}_h5.yaml").write_text(yaml.safe_dump(section, sort_keys=False))


def _link_pairs(out: Path, folder: Path, pairs, kinds) -> None:
    if not pairs:
        return
    target = os.path.relpath(out / VOLUMES, folder)
    for kind in kinds:
        for place, role in enumerate(("moving", "fixed")):
            with h5py.File(folder / f"{role}_{kind}.h5", "w") as file:
                for pair in pairs:
                    link = h5py.ExternalLink(target, f"/{kind}/{pair[place]}")
                    file["__".join(pair)] = link
