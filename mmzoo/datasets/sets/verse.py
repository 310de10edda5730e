"""VerSe 2019 and 2020: spines in CT of different people, every vertebra labelled."""

from pathlib import Path

from mmzoo.datasets.sets.base import NIFTI, DataSet, Recipe, Scan, there, walk

SERIES = 374
FIRST = {"C": (1, 7), "T": (8, 12), "L": (20, 6)}
# BIDS, as on GitHub, and flat, as once on OSF.
IMAGES = rf"(sub-verse\d+[^/]*?|verse\d+)(?:_ct)?{NIFTI}"
LABELS = rf"(sub-verse\d+[^/]*?|verse\d+)_(?:seg-vert_msk|seg){NIFTI}"


class SET(DataSet):
    """VerSe; modality ct, everyone with the others."""

    title = "VerSe"
    page = "https://github.com/anjany/verse, CC BY-SA 4.0"
    layout = (
        "rawdata/sub-verse000/sub-verse000_dir-ax_ct.nii.gz with derivatives/sub-verse000/"
        "sub-verse000_dir-ax_seg-vert_msk.nii.gz, or verse000.nii.gz with verse000_seg.nii.gz"
    )
    structures = {
        f"{letter}{k + 1}": (first + k,)
        for letter, (first, count) in FIRST.items()
        for k in range(count)
    }
    wanted = ("L3", "L4", "L5")
    ignored = frozenset(range(1, 29))  # sacrum, coccyx and a thirteenth thoracic one among them
    modalities = ("ct",)
    moving, fixed = "ct", "ct"
    people = {"all": SERIES}
    may_lack = True
    recipe = Recipe(size=(96, 320, 320), spacing=(1.0, 1.0, 1.0), windows={"ct": (-200, 1000)})
    split = (31, 9, 9)
    remarks = ("Vertebrae that are cut off by the field of view are not labelled.",)

    def find(self, root: Path) -> list[Scan]:
        """Return every scan, in the order of their names."""
        labels = {hit.group(1).lower(): path for hit, path in walk(root, LABELS)}
        images = {
            hit.group(1).lower(): path
            for hit, path in walk(root, IMAGES)
            if not path.name.split(".")[0].endswith(("_msk", "_seg"))
        }
        return [_scan(name, path, labels.get(name)) for name, path in sorted(images.items())]


def _scan(name: str, image: Path, labels: Path | None) -> Scan:
    short = name.removeprefix("sub-")
    case = f"ct_{short.replace('__', '_')}"
    return Scan(case, short.split("_")[0], "ct", (image,), there(labels))
