"""``mmzoo prepare``: real data into DeepReg's folder layout, one sub-command a kind of data."""

from pathlib import Path
from typing import Annotated

import typer

from mmzoo.cli import _options as options
from mmzoo.cli._box import parse_box
from mmzoo.cli._many import ManyValues
from mmzoo.cli._output import print_notes
from mmzoo.cli._prepare_own import add_command
from mmzoo.cli._prepare_set import add_commands
from mmzoo.cli._prepare_spine import spine
from mmzoo.cli._written_pairs import say_what_was_written, write_pairs

app = typer.Typer(help="Bring real data into the layout that training reads.")


@app.callback()
def prepare() -> None:
    """Bring real data into the layout that training reads."""


@app.command(cls=ManyValues)
def pairs(
    moving: Annotated[list[Path], typer.Option(help="Moving image of each pair.")],
    fixed: Annotated[list[Path], typer.Option(help="Fixed image of each pair, same order.")],
    out: options.Out,
    moving_labels: options.MovingLabels = None,
    fixed_labels: options.FixedLabels = None,
    size: Annotated[
        tuple[int, int, int] | None,
        typer.Option(help="Voxels along each axis, multiples of 16 (default: 64 64 64)."),
    ] = None,
    spacing: Annotated[
        tuple[float, float, float] | None,
        typer.Option(help="Voxel size in mm, instead of --size."),
    ] = None,
    crop: Annotated[
        str,
        typer.Option(
            help="none, body (box round the fixed image's foreground), or edges in mm, "
            "as 180 or 180,160,190."
        ),
    ] = "none",
    label_values: options.LabelValues = None,
    label_names: options.LabelNames = None,
    folds: options.Folds = 4,
    valid: options.Valid = 0,
    deform: Annotated[
        float | None,
        typer.Option(
            help="Deform the moving images of aligned pairs by up to so many mm, and keep the true "
            "field to test with."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the deformations.")] = 0,
    test_same: Annotated[
        bool, typer.Option("--test-same", help="Train and test on the same pairs, all of them.")
    ] = False,
    geometry: options.Geometry = "",
    overwrite: options.Overwrite = False,
) -> None:
    """Resample pairs of images of one person or two onto a common grid, pair by pair."""
    # Late, so that `mmzoo --help` does not wait for NumPy and SimpleITK.
    from mmzoo.datasets.pairs import PairOptions
    from mmzoo.io.atomic import claimed

    with claimed(out):
        chosen = PairOptions(
            size=size or (None if spacing else (64, 64, 64)),
            spacing=spacing,
            crop=parse_box("crop", crop),
            folds=1 if test_same else folds,
            valid=valid,
            label_values=label_values or None,
            label_names=label_names or None,
            deform=deform,
            seed=seed,
        )
        files = (moving, fixed, moving_labels, fixed_labels)
        notes = {"on_note": lambda note: print_notes([note])}
        description = write_pairs(files, out, chosen, geometry, overwrite=overwrite, **notes)
    say_what_was_written(description, out)


add_command(app)
add_commands(app)
app.command(cls=ManyValues)(spine)
