"""The user's choices for a preparation, checked against the data set."""

from dataclasses import dataclass, replace

from mmzoo.checks import check_choice, check_positive
from mmzoo.datasets.sets.base import DataSet, Recipe
from mmzoo.spatial.grid import check_size

CROPS = ("labels", "body", "nonzero", "none")
NORMALISATIONS = ("zscore", "brain", "none")


@dataclass(frozen=True)
class Choices:
    """The user's choices; empty or None: the data set's default.

    Attributes:
        moving: modality that is registered.
        fixed: modality that it is registered to.
        structures: names of the labels that are written.
        recipe: the steps.
        folds: folds for cross-validation, or one.
        valid: people of each modality that validate, in each fold.
        seed: of what is drawn; with ``shuffle`` also of the order of people before they are split.
        shuffle: split people in an order drawn by ``seed`` instead of that of their names.
        people: take only the first so many of each modality.
        without: names of cases or people that are left out.
        deform_mm: largest displacement of moving images that lie on their fixed ones.
        geometry: which form counts where a NIfTI header has two that differ: sform, qform, or empty
            for ITK's rule.
    """

    moving: str = ""
    fixed: str = ""
    structures: tuple[str, ...] = ()
    recipe: Recipe | None = None
    folds: int | None = None
    valid: int = 0
    seed: int = 0
    shuffle: bool = False
    people: int | None = None
    without: tuple[str, ...] = ()
    deform_mm: float | None = None
    geometry: str = ""

    def settle(self, data: DataSet) -> "Choices":
        """Return the choices with the data set's own where none was made, all checked.

        Raises:
            ValueError: for a choice that the data set does not offer.
        """
        deform_mm = data.deform_mm if self.deform_mm is None else self.deform_mm
        settled = replace(
            self,
            moving=self.moving or data.moving,
            fixed=self.fixed or data.fixed,
            structures=self.structures or data.wanted or tuple(data.structures),
            recipe=self.recipe or data.recipe,
            deform_mm=deform_mm,
        )
        settled._check(data)
        return settled

    def _check(self, data: DataSet) -> None:
        check_choice("moving", self.moving, data.modalities)
        check_choice("fixed", self.fixed, data.modalities)
        recipe, deform_mm = self.recipe or data.recipe, self.deform_mm or 0.0
        for name in (*self.structures, *recipe.around):
            check_choice("structures", name, data.structures)
        check_recipe(recipe)
        check_positive("deform", deform_mm, allow_zero=True)
        check_positive("people", 1 if self.people is None else self.people)
        if deform_mm and data.pairing(self.moving, self.fixed) != "same":
            raise ValueError(
                f"`deform` is for two images of one person, got {deform_mm} for "
                f"{self.moving} and {self.fixed} of different people; leave it out."
            )


def check_recipe(recipe: Recipe) -> None:
    """Raise ValueError for settings of steps that are impossible."""
    check_size(recipe.size, (1, 1, 1), (4, 4, 4))
    for length in recipe.spacing or ():
        check_positive("spacing", length)
    check_positive("margin", recipe.margin_mm, allow_zero=True)
    check_choice("normalise", recipe.normalise, NORMALISATIONS)
    if isinstance(recipe.crop, str):
        check_choice("crop", recipe.crop, CROPS)
        return
    for length in recipe.crop:
        check_positive("crop", length)
