"""The figures of quality that claims, tables and pictures show: column, title, unit, direction."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    """A figure of claims and tables: its column in `cases.csv` and how it is shown.

    Attributes:
        column: in `cases.csv`.
        title: in tables.
        unit: of what is shown.
        scale: what the column is multiplied with.
        sign: 1 where higher is better, -1 where lower is.
        whole: whether it is of the whole image, and not of a structure.
        digits: that are shown after the point.
    """

    column: str
    title: str
    unit: str
    scale: float
    sign: int
    whole: bool = False
    digits: int = 2

    @property
    def heading(self) -> str:
        """Title and unit."""
        return f"{self.title} {self.unit}".strip()

    def text(self, value: float) -> str:
        """Return a value as it is shown."""
        return f"{value:.{self.digits}f}"


FIGURES = {
    "dice": Measure("dice", "Dice", "%", 100.0, 1),
    "asd": Measure("asd_mm", "ASD", "mm", 1.0, -1),
    "msd": Measure("msd_mm", "MSD", "mm", 1.0, -1),
    "hd": Measure("hd_mm", "Hausdorff", "mm", 1.0, -1),
    "tre": Measure("tre_mm", "TRE", "mm", 1.0, -1),
    "hd99": Measure("hd99_mm", "HD99", "mm", 1.0, -1),
    "inside_jacobian": Measure("inside_jacobian_mean", "Jacobian inside", "", 1.0, 1, digits=3),
    "inside_jacobian_std": Measure(
        "inside_jacobian_std", "σ Jacobian inside", "", 1.0, -1, digits=3
    ),
    "edge_jacobian_change": Measure(
        "edge_jacobian_change", "Jacobian change at edges", "", 1.0, -1, digits=3
    ),
    "motion": Measure("motion_mm", "motion of the bone", "mm", 1.0, -1),
    "turn": Measure("motion_degrees", "turn of the bone", "°", 1.0, -1),
    "tre_image": Measure("tre_image_mm", "TRE", "mm", 1.0, -1, whole=True),
    "rmse": Measure("rmse_percent", "RMSE", "%", 1.0, -1, whole=True),
    "nmi": Measure("nmi", "NMI", "", 1.0, 1, whole=True, digits=4),
    "folding": Measure("folding_percent", "folding", "%", 1.0, -1, whole=True, digits=3),
    "jacobian_std": Measure("jacobian_std", "std of Jacobian", "", 1.0, -1, whole=True, digits=3),
    "translation": Measure("translation_percent", "translation L1", "%", 1.0, -1, whole=True),
    "edges": Measure("translation_edges", "edges kept", "", 1.0, 1, whole=True, digits=3),
}
SHOWN = ("dice", "asd")  # in tables and box plots, where a paper does not say
