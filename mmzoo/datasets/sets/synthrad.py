"""SynthRAD 2023 and 2025, task 1: CT and MR of one person, rigidly aligned, outline of the body."""

from pathlib import Path

from mmzoo.datasets.sets.base import DataSet, Recipe, Scan, there, walk

# Training people of each region: 2025 abdomen, thorax, head and neck; 2023 pelvis, brain.
REGIONS = {"1AB": 175, "1TH": 182, "1HN": 221, "1P": 180, "1B": 180}
PATTERN = r"(1(?:AB|TH|HN|P|B)[A-Z]\d{3})/(ct|mr|mask)\.(?:mha|nii|nii\.gz)"


class SET(DataSet):
    """SynthRAD; modalities ct and mr; whichever regions there are."""

    title = "SynthRAD, task 1"
    page = "https://synthrad2025.grand-challenge.org, Zenodo; terms differ by centre"
    layout = "Task1/AB/1ABA005/{ct,mr,mask}.mha or Task1/pelvis/1PA001/{mr,ct,mask}.nii.gz"
    structures = {"body": (1,)}
    modalities = ("ct", "mr")
    moving, fixed = "ct", "mr"
    same_people = True
    recipe = Recipe(size=(96, 96, 96), margin_mm=0.0, windows={"ct": (-200, 1000)})
    deform_mm = 10.0
    remarks = (
        "CT and MR lie on each other: CT is deformed, and the field that undoes it is known but "
        "for what was left between the two (--deform 0 leaves them as they are).",
        "The only label is the outline of the body; vertebrae can be had from TotalSegmentator.",
    )

    def find(self, root: Path) -> list[Scan]:
        """Return CT and MR of every person, in the order of their names."""
        found = {
            (hit.group(1).upper(), hit.group(2).lower()): path for hit, path in walk(root, PATTERN)
        }
        return [
            Scan(f"{kind}_{person}", person, kind, (path,), there(found.get((person, "mask"))))
            for (person, kind), path in sorted(found.items())
            if kind != "mask"
        ]

    def expect(self, found: list[Scan]) -> dict[str, int | tuple[str, ...]]:
        """Return the counts of the regions that are there: each is a download of its own."""
        regions = {name for name in REGIONS for scan in found if scan.person.startswith(name)}
        return dict.fromkeys(self.modalities, sum(REGIONS[name] for name in regions))
