"""SPIDER: lumbar spines in T1 and T2 (and T2 SPACE) MR of one person, vertebrae labelled."""

from pathlib import Path

from mmzoo.datasets.sets.base import DataSet, Recipe, Scan, there, walk

SERIES = 447
NAMES = ("L5", "L4", "L3", "L2", "L1", "T12", "T11", "T10", "T9")


class SET(DataSet):
    """SPIDER; modalities t1, t2 and t2-space."""

    title = "SPIDER"
    page = "Zenodo 10159290, CC BY 4.0"
    layout = "images/1_t1.mha, 1_t2.mha, [1_t2_SPACE.mha] with masks/ of the same names"
    # Vertebrae are counted from the bottom, so in people with a sixth lumbar one names shift.
    structures = {name: (number,) for number, name in enumerate(NAMES, start=1)}
    wanted = ("L3", "L4", "L5")
    # Further vertebrae, the canal, vertebrae that are cut off, and discs.
    ignored = frozenset({*range(1, 26), 100, *range(101, 126), *range(201, 226)})
    modalities = ("t1", "t2", "t2-space")
    moving, fixed = "t1", "t2"
    people = {"all": SERIES}
    may_lack = True
    same_people = True
    # van Ulsen 2022: 1 mm, 96 mm from left to right and 320 mm along the other axes.
    recipe = Recipe(size=(96, 320, 320), spacing=(1.0, 1.0, 1.0))
    split = (31, 9, 9)
    remarks = ("Slices are 3.3 to 4.8 mm apart from left to right.",)

    def find(self, root: Path) -> list[Scan]:
        """Return every series, in the order of their numbers."""
        pattern = r"(images|masks)/(\d+)_(t1|t2|t2_SPACE)\.mha"
        found = {
            (int(hit.group(2)), hit.group(3).lower().replace("_", "-"), hit.group(1).lower()): path
            for hit, path in walk(root, pattern)
        }
        return [
            _scan(number, series, path, found.get((number, series, "masks")))
            for (number, series, kind), path in sorted(found.items())
            if kind == "images"
        ]


def _scan(number: int, series: str, image: Path, labels: Path | None) -> Scan:
    names = f"{series}_{number:03d}", f"{number:03d}"
    return Scan(*names, series, (image,), there(labels))
