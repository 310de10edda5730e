"""ACDC: short-axis cine MR of one heart at end-diastole and end-systole."""

import re
from pathlib import Path

from mmzoo.datasets.sets.base import NIFTI, DataSet, Recipe, Scan, walk

PEOPLE = tuple(f"patient{number:03d}" for number in range(1, 101))


class SET(DataSet):
    """ACDC's training patients; modalities ed and es, two states of one person."""

    title = "ACDC"
    page = "https://www.creatis.insa-lyon.fr/Challenge/acdc, CC BY-NC-SA 4.0, must be cited"
    layout = "training/patient001/Info.cfg with patient001_frame01.nii.gz and ..._frame01_gt.nii.gz"
    structures = {"right ventricle": (1,), "myocardium": (2,), "left ventricle cavity": (3,)}
    wanted = ("left ventricle cavity", "myocardium", "right ventricle")
    modalities = ("ed", "es")
    moving, fixed = "ed", "es"
    people = {"ed": PEOPLE, "es": PEOPLE}
    same_people = True
    # As the cine phantom; de Vos 2020 trains on patches of 128 x 128 x 6 and has 4 folds.
    recipe = Recipe(size=(128, 128, 12), spacing=(1.5, 1.5, 10.0))
    remarks = (
        "Frames are those that Info.cfg names: end-diastole is not always frame01.",
        "patient101 to patient150, once the test set, are not used.",
        "Slices may be shifted against each other by breathing.",
    )

    def find(self, root: Path) -> list[Scan]:
        """Return both states of each training patient whose Info.cfg is there."""
        scans = []
        for hit, info in walk(root, r"(patient\d{3})/Info\.cfg"):
            person = hit.group(1).lower()
            for state, frame in _frames(info).items():
                if person in PEOPLE:
                    scans += _scan(info.parent, person, state, frame)
        return scans


def _frames(info: Path) -> dict[str, int]:
    """Return the frames of both states.

    Raises:
        ValueError: if the file does not name them.
    """
    found = dict(re.findall(r"^\s*(ED|ES)\s*:\s*(\d+)", info.read_text(), re.MULTILINE))
    if set(found) != {"ED", "ES"}:
        raise ValueError(f"{info} must have lines `ED: 1` and `ES: 12`; unpack it anew.")
    return {state.lower(): int(frame) for state, frame in found.items()}


def _scan(folder: Path, person: str, state: str, frame: int) -> list[Scan]:
    expression = re.compile(rf"{person}_frame{frame:02d}(_gt)?{NIFTI}", re.IGNORECASE)
    hits = [(expression.fullmatch(path.name), path) for path in sorted(folder.iterdir())]
    images = tuple(path for hit, path in hits if hit and not hit.group(1))[:1]
    labels = tuple(path for hit, path in hits if hit and hit.group(1))[:1]
    return [Scan(f"{state}_{person}", person, state, images, labels)] if images else []
