"""VerSe and SPIDER together: spines in CT and in MR of different people, the same vertebrae."""

from pathlib import Path

from mmzoo.datasets.sets import spider, verse
from mmzoo.datasets.sets.base import DataSet, Scan


class SET(DataSet):
    """VerSe's ct with SPIDER's t1 and t2, unpacked below one folder."""

    title = "VerSe and SPIDER"
    page = f"{verse.SET.page}; {spider.SET.page}"
    layout = f"{verse.SET.layout}; {spider.SET.layout}"
    structures = {name: verse.SET.structures[name] for name in spider.SET.structures}
    wanted = ("L3", "L4", "L5")
    modalities = ("ct", "t1", "t2")
    moving, fixed = "ct", "t2"
    people = {"all": verse.SERIES + spider.SERIES}
    may_lack = True
    recipe = verse.SET.recipe
    remarks = verse.SET.remarks + spider.SET.remarks

    def find(self, root: Path) -> list[Scan]:
        """Return the scans of both."""
        return verse.SET().find(root) + spider.SET().find(root)

    def table(self, scan: Scan) -> dict[str, tuple[int, ...]]:
        """VerSe counts vertebrae from the top, SPIDER from the bottom."""
        return verse.SET.structures if scan.modality == "ct" else spider.SET.structures

    @property
    def ignored(self) -> frozenset[int]:  # type: ignore[override]
        """Further label values of either data set."""
        return verse.SET.ignored | spider.SET.ignored
