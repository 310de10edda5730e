"""MM-WHS 2017: whole hearts in CT and MR of different people, seven structures."""

from pathlib import Path

import SimpleITK as sitk

from mmzoo.datasets.sets.base import NIFTI, DataSet, Recipe, Scan, Volume, read_files, there, walk

PEOPLE = tuple(str(number) for number in range(1001, 1021))
# One label map has 421 where 420, the left atrium, is meant.
WRONG, RIGHT = 421, 420


class SET(DataSet):
    """MM-WHS; modalities mr and ct."""

    title = "MM-WHS 2017"
    page = "https://zmiclab.github.io/zxh/0/mmwhs, after a signed agreement, research use"
    layout = "ct_train/ct_train_1001_image.nii.gz with ct_train_1001_label.nii.gz, mr_train/..."
    structures = {
        "left ventricle cavity": (500,),
        "myocardium": (205,),
        "right ventricle": (600,),
        "left atrium": (420,),
        "right atrium": (550,),
        "aorta": (820,),
        "pulmonary artery": (850,),
    }
    # Ding 2021: a box of 10 mm round the evaluated structures, 96^3, z-score, 4 folds of 5 people.
    wanted = ("left ventricle cavity", "myocardium")
    modalities = ("mr", "ct")
    moving, fixed = "mr", "ct"
    people = {"mr": PEOPLE, "ct": PEOPLE}
    recipe = Recipe(size=(96, 96, 96))
    remarks = (
        "CT and MR are of different people, though their numbers are the same.",
        "MR 1007 and 1008 look strange to several users: --without mr_1007 mr_1008 leaves them "
        "out.",
        "ct_test and mr_test have no labels and are not used.",
    )

    def find(self, root: Path) -> list[Scan]:
        """Return the training people in the order of their numbers."""
        found = {
            hit.groups(): path
            for hit, path in walk(root, rf"(ct|mr)_train_(\d{{4}})_(image|label){NIFTI}")
        }
        return [
            _scan(modality.lower(), number, path, found.get((modality, number, "label")))
            for (modality, number, kind), path in sorted(found.items())
            if kind.lower() == "image"
        ]

    def read(self, scan: Scan, seed: int = 0) -> Volume:
        """Read and reorient a scan; label 421 becomes 420."""
        volume = read_files(scan)
        values = sitk.GetArrayFromImage(volume.label_map())
        if count := int((values == WRONG).sum()):
            volume.labels = sitk.ChangeLabel(volume.label_map(), {WRONG: RIGHT})
            volume.notes.append(f"label {WRONG} in {count} voxels: {RIGHT}, the left atrium, meant")
        return volume


def _scan(modality: str, number: str, image: Path, labels: Path | None) -> Scan:
    person = f"{modality}-{number}"
    return Scan(f"{modality}_{number}", person, modality, (image,), there(labels))
