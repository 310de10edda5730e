"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Geometry = Annotated[
    str,
    typer.Option(
        help="What counts in NIfTI headers that say two places: sform or qform (default: as ITK)."
    ),
]
Out = Annotated[Path, typer.Option(help="Folder to write.")]
MovingLabels = Annotated[list[Path] | None, typer.Option(help="Label maps of the moving images.")]
FixedLabels = Annotated[list[Path] | None, typer.Option(help="Label maps of the fixed images.")]
LabelValues = Annotated[
    list[int] | None, typer.Option(help="Values in the label maps (default: all).")
]
LabelNames = Annotated[list[str] | None, typer.Option(help="Names of those values.")]
Folds = Annotated[int, typer.Option(help="Folds; at most one per pair.")]
Valid = Annotated[int, typer.Option(help="Pairs in each validation split.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the data set in the folder.")]
Jobs = Annotated[int | None, typer.Option(help="Processes (default: all processor cores).")]
TRANSFORMS = (
    "transform.h5, or what ITK, ANTs, elastix or FreeSurfer wrote; several in the order in which "
    "points of the reference go through them, as of antsApplyTransforms; :inverse behind a name "
    "turns that one round."
)
