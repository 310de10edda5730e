"""BraTS 2018: brains with a tumour in T1, T1 with contrast agent, T2 and FLAIR, aligned."""

from pathlib import Path

from mmzoo.datasets.sets.base import NIFTI, DataSet, Recipe, Scan, there, walk

CONTRASTS = ("t1", "t1ce", "t2", "flair")
COUNT = 285


class SET(DataSet):
    """BraTS 2018's training people (HGG and LGG); modalities t1, t1ce, t2 and flair."""

    title = "BraTS 2018"
    page = "https://www.med.upenn.edu/sbia/brats2018/data.html, for registered users"
    layout = "HGG/Brats18_.../Brats18_..._t1.nii.gz with ..._seg.nii.gz, LGG/..."
    structures = {
        "tumour": (1, 2, 4),
        "tumour core": (1, 4),
        "oedema": (2,),
        "enhancing tumour": (4,),
    }
    wanted = ("tumour",)
    modalities = CONTRASTS
    moving, fixed = "t1", "t2"
    people = dict.fromkeys(CONTRASTS, COUNT)
    same_people = True
    # Zhang 2020 (Deform-GAN): brains of 112 x 128 x 96, 235 people to train and 50 to test.
    recipe = Recipe((112, 128, 96), crop="nonzero", margin_mm=5.0, normalise="brain")
    split = (235, 0, 50)
    deform_mm = 15.0
    remarks = (
        "The contrasts of a person lie on each other: the moving one is deformed, and the field "
        "that undoes it is known (--deform 0 leaves them as they are).",
        "27 people have no enhancing tumour; some tumour voxels lie where all contrasts are 0.",
    )

    def find(self, root: Path) -> list[Scan]:
        """Return every contrast of every person, in the order of their names."""
        pattern = rf"(Brats18_[^/]+?)_(t1|t1ce|t2|flair|seg){NIFTI}"
        found = {(hit.group(1), hit.group(2).lower()): path for hit, path in walk(root, pattern)}
        return [
            Scan(f"{contrast}_{person}", person, contrast, (path,), labels)
            for (person, contrast), path in sorted(found.items())
            if contrast != "seg"
            for labels in [there(found.get((person, "seg")))]
        ]
