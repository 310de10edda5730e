"""``mmzoo convert``: transforms of one program as one that another reads."""

from pathlib import Path
from typing import Annotated

import typer

from mmzoo.cli._many import ManyValues
from mmzoo.cli._options import TRANSFORMS

COMMAND = ManyValues


def convert(
    transform: Annotated[list[str], typer.Option(help=TRANSFORMS)],
    out: Annotated[
        Path,
        typer.Option(
            help="File to write: .h5, .tfm, .txt (ITK, ANTs, Slicer), .mat (ANTs' affine), .lta "
            "(FreeSurfer), .nii.gz, .mha, .nrrd (displacements in mm)."
        ),
    ],
    reference: Annotated[
        Path | None, typer.Option(help="Fixed image: the grid of displacements.")
    ] = None,
    moving: Annotated[
        Path | None, typer.Option(help="Moving image: FSL's matrices and inverses need it.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
) -> None:
    """Write transforms of ITK, ANTs, elastix, FreeSurfer or FSL as one, for another program."""
    # Late, so that `mmzoo --help` does not wait for SimpleITK.
    from mmzoo import registration

    registration.convert(transform, out, reference, moving, overwrite)
    typer.echo(out)
