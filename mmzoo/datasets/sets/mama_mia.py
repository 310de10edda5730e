"""MAMA-MIA: breast MR of one person before and after contrast agent, tumours labelled."""

from pathlib import Path

from mmzoo.datasets.sets.base import NIFTI, DataSet, Recipe, Scan, there, walk

COUNT = 1506
PHASES = {"pre": "0000", "post": "0001", "post2": "0002", "post3": "0003"}
# De Vos 2020: 90 people to train, 10 to validate, 50 to test. As the breast phantom: a cube of
# 160 mm, here round the tumour.
BREAST = Recipe(size=(96, 96, 96), crop=(160.0, 160.0, 160.0))
SPLIT = (90, 10, 50)


class SET(DataSet):
    """MAMA-MIA (parts of Duke, ISPY1, ISPY2, NACT); modalities pre, post, post2, post3."""

    title = "MAMA-MIA"
    page = "Synapse syn60868042, https://github.com/LidiaGarrucho/MAMA-MIA, CC BY-NC 4.0 and others"
    layout = "images/DUKE_001/DUKE_001_0000.nii.gz with segmentations/expert/duke_001.nii.gz"
    structures = {"lesion": (1,)}
    modalities = tuple(PHASES)
    moving, fixed = "post", "pre"
    people = {"pre": COUNT, "post": COUNT}
    same_people = True
    recipe = BREAST
    split = SPLIT
    remarks = (
        "Duke and ISPY2 are axial, ISPY1 and NACT sagittal: all are turned alike.",
        "The one label is the tumour; it was drawn on one phase and serves for all.",
        "DUKE_034_0002 is said to be corrupted.",
    )

    def find(self, root: Path) -> list[Scan]:
        """Return every phase of every person; labels are found whatever the case of their names."""
        expert = {
            hit.group(1).lower(): path
            for hit, path in walk(root, rf"segmentations/expert/([^/]+?){NIFTI}")
        }
        found = {
            (hit.group(1).upper(), hit.group(2)): path
            for hit, path in walk(root, rf"images/[^/]+/([^/]+?)_(\d{{4}}){NIFTI}")
        }
        names = {number: phase for phase, number in PHASES.items()}
        return [
            Scan(f"{phase}_{person}", person, phase, (path,), there(expert.get(person.lower())))
            for (person, number), path in sorted(found.items())
            if (phase := names.get(number))
        ]
