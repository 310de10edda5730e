"""The settings of a registration without a model."""

from dataclasses import dataclass

from mmzoo.checks import check_choice, check_positive
from mmzoo.registration.similarity import LOSSES

INITIALS = ("none", "rigid", "affine")
FIELDS = ("bspline", "dense", "none")


@dataclass(frozen=True)
class Settings:
    """How two images are registered; the defaults suit any pair.

    Attributes:
        loss: one of `mmzoo.registration.similarity.LOSSES`: "mind-ssc" compares the self-similarity
            of patches round a voxel, "segi-mi" is SEGI plus 0.3 times mutual information.
        initial: "rigid", "affine" (rigid, then affine) or "none", which keeps the headers'
            alignment.
        field: "bspline", "dense" (control points at every voxel) or "none".
        weight: of the bending energy (squared second derivatives, 1/mm^2), mm^2, with a share of
            the diffusion energy; it is smaller at large bending, see
            `mmzoo.registration.objective.field_cost`. None for the loss's default.
        control_mm: distance of control points of the B-spline, mm; the finest level's, and at least
            three of its voxels.
        resolution_mm: voxel size at which the images are compared; never finer than the fixed
            image; None for what `max_voxels` allow.
        max_voxels: of the box that is compared; a finer resolution is reduced to it.
        steps: of the field, at the coarse and at the fine level.
        seed: of the points that the rigid and affine stages draw.
    """

    loss: str = "mind-ssc"
    initial: str = "affine"
    field: str = "bspline"
    weight: float | None = None
    control_mm: float = 8.0
    resolution_mm: float | None = None
    max_voxels: int = 1_000_000
    steps: tuple[int, int] = (30, 25)
    seed: int = 1

    def __post_init__(self):
        """Check every value; ValueError says which, and what is allowed."""
        object.__setattr__(self, "steps", tuple(self.steps))  # a list is not hashable
        check_choice("loss", self.loss, LOSSES)
        check_choice("initial", self.initial, INITIALS)
        check_choice("field", self.field, FIELDS)
        check_positive("control_mm", self.control_mm)
        check_positive("max_voxels", self.max_voxels)
        check_positive("seed", self.seed)
        if self.weight is not None:
            check_positive("weight", self.weight, allow_zero=True)
        if self.resolution_mm is not None:
            check_positive("resolution_mm", self.resolution_mm)
        for steps in self.steps:
            check_positive("steps", steps, allow_zero=True)
