"""Learn2Reg AbdomenMRCT: abdominal MR and CT of one person, four organs."""

import json
import re
from pathlib import Path

from mmzoo.datasets.sets.base import DataSet, Recipe, Scan, walk

NUMBER = re.compile(r"(\d{4})_\d{4}\.nii\.gz$")
PEOPLE = tuple(f"{number:04d}" for number in range(1, 9))


class SET(DataSet):
    """AbdomenMRCT's labelled pairs; modalities ct (`_0001`, moving) and mr (`_0000`, fixed)."""

    title = "Learn2Reg AbdomenMRCT"
    page = "https://learn2reg.grand-challenge.org; licences in README_LICENCE_*.txt"
    layout = "AbdomenMRCT_dataset.json, imagesTr/AbdomenMRCT_0001_0000.nii.gz, labelsTr/..."
    structures = {"liver": (1,), "spleen": (2,), "right kidney": (3,), "left kidney": (4,)}
    modalities = ("ct", "mr")
    moving, fixed = "ct", "mr"
    people = {"ct": PEOPLE, "mr": PEOPLE}
    same_people = True
    recipe = Recipe(size=(96, 80, 96), crop="none", windows={"ct": (-300, 500)})
    split = (5, 0, 3)
    remarks = (
        "Tested are 0006 to 0008, as in the challenge's validation; 0009 to 0016 have no labels.",
        "The other numbers are CT (BCV) and MR (CHAOS) of people who have but one of them.",
    )

    def find(self, root: Path) -> list[Scan]:
        """Return the pairs that the JSON file names, in the order of their numbers.

        Raises:
            ValueError: if the JSON file is missing, or cannot be read.
        """
        files = walk(root, r"()AbdomenMRCT_dataset\.json")
        if not files:
            return []
        description, folder = _read(files[0][1]), files[0][1].parent
        self.structures = _table(description) or self.structures
        pairs = {}
        for key in ("training_paired_images", "registration_val", "registration_test"):
            for pair in description.get(key, []):
                pairs[_number(pair["fixed"])] = pair
        return [
            scan
            for number, pair in sorted(pairs.items())
            for modality, role in (("ct", "moving"), ("mr", "fixed"))
            for scan in _scan(folder, modality, number, pair[role])
        ]


def _read(path: Path) -> dict:
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path} is not readable as JSON ({error}); unpack it anew.") from error


def _number(name: str) -> str:
    hit = NUMBER.search(name)
    if not hit:
        raise ValueError(
            f"{name} in AbdomenMRCT_dataset.json is no name like ..._0001_0000.nii.gz."
        )
    return hit.group(1)


def _table(description: dict) -> dict[str, tuple[int, ...]]:
    """Return the organs in the order that the JSON file gives, where it does."""
    labels = description.get("labels") or {}
    labels = labels.get("0", labels) if isinstance(labels, dict) else {}
    if not isinstance(labels, dict):
        return {}
    named: dict[str, tuple[int, ...]] = {
        _plain(str(name)): (int(value),) for value, name in labels.items() if value != "0"
    }
    return named if set(named) == set(SET.structures) else {}


def _plain(name: str) -> str:
    """Return our name of an organ, for any order of words: "kidney_right" is "right kidney"."""
    words = set(re.split(r"[^a-z]+", name.lower()))
    return next((ours for ours in SET.structures if set(ours.split()) <= words), name)


def _scan(folder: Path, modality: str, number: str, name: str) -> list[Scan]:
    image, labels = folder / name, folder / name.replace("images", "labels")
    if not image.is_file():
        return []
    found = (labels,) if labels.is_file() else ()
    return [Scan(f"{modality}_{number}", number, modality, (image,), found)]
